#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a command finds that the agent started: files, modes, exact bytes, its environment, limits.
# shellcheck source=agent_common.sh disable=SC2016
. "${BASH_SOURCE[0]%/*}/agent_common.sh"

cat >app.env <<'DOTENV'
# comment
export DB_PASSWORD='s3cret pa$$word'
API_KEY="line1\nline2"   # trailing
EMPTY=
MULTI="first
second"
DOTENV

# --- the files -------------------------------------------------------------------------------
# shellcheck disable=SC2016
look='
	dir=${DB_PASSWORD_FILE%/*}
	stat -c "%n %a %u %F" "$dir"/*
	stat -c "%a %u" "$dir"
	stat -f -c %T "$dir"
	cat "$DB_PASSWORD_FILE"; echo "|"; cat "$API_KEY_FILE"; echo "|"; cat "$EMPTY_FILE"; echo "|"
	cat "$MULTI_FILE"
'
mkdir -m 0755 /run/secrets
equal 'files have the exact bytes, mode 0400 and our uid; the directory is 0700 and in memory' \
	'/run/secrets/API_KEY 400 0 regular file
/run/secrets/DB_PASSWORD 400 0 regular file
/run/secrets/EMPTY 400 0 regular empty file
/run/secrets/MULTI 400 0 regular file
700 0
tmpfs
s3cret pa$$word|
line1
line2|
|
first
second' "$("$AGENT" run --env-file app.env -- sh -c "$look" 2>/dev/null)"
equal 'the files are gone when the command has ended' '' "$(find /run/secrets -mindepth 1)"

equal 'a secret of 512000 bytes arrives whole' "$(head -c 512000 /dev/zero | tr '\0' z | sha256sum)" \
	"$({ printf 'BIG='; head -c 512000 /dev/zero | tr '\0' z; } >big.env
	# shellcheck disable=SC2016
	"$AGENT" run --env-file big.env -- sh -c 'sha256sum <"$BIG_FILE"')"

# --- where they go ---------------------------------------------------------------------------
where='echo "${DB_PASSWORD_FILE%/*}"'
rmdir /run/secrets
matches 'without /run/secrets: a directory of its own in /dev/shm' '^/dev/shm/tacit-0-[0-9]+$' \
	"$("$AGENT" run --env-file app.env -- sh -c "$where")"
check 'which is gone afterwards' nothing_left
equal 'PID and UID are in the name' ok "$("$AGENT" run --exec --env-file app.env -- \
	sh -c '[ "${DB_PASSWORD_FILE%/*}" = "/dev/shm/tacit-0-$$" ] && echo ok')"
check 'a later run sweeps what an exec left behind' \
	"$AGENT" run --env-file app.env -- "$PROBE" exit 0
check 'and nothing is left then' nothing_left

mkdir -m 0755 /run/secrets
mount -t tmpfs -o mode=1777 tmpfs /run/secrets
equal 'a mounted /run/secrets that is ours is used itself and tightened' '/run/secrets 700' \
	"$("$AGENT" run --env-file app.env -- sh -c 'd=${DB_PASSWORD_FILE%/*}; echo "$d $(stat -c %a "$d")"')"
equal 'a mount is left to the container: exec, and the files stay' 4 \
	"$(find /run/secrets -type f | wc -l)"
umount /run/secrets

mount -t tmpfs -o mode=1777 tmpfs /run/secrets
# shellcheck disable=SC2016
matches 'a 1777 tmpfs of another user gets a directory of our own' \
	'^/run/secrets/tacit-1001-[0-9]+ 700 1001 400 1001$' \
	"$(as_user 1001 "$AGENT" run --env-file app.env -- \
		sh -c 'd=${DB_PASSWORD_FILE%/*}; echo "$d $(stat -c "%a %u" "$d") $(stat -c "%a %u" "$DB_PASSWORD_FILE")"')"
equal 'which is gone afterwards, and the mount is as it was' '1777 0 0' \
	"$(stat -c '%a %u' /run/secrets) $(find /run/secrets -mindepth 1 | wc -l)"
umount /run/secrets

mount -t tmpfs -o mode=0755 tmpfs /run/secrets
matches 'a tmpfs that is not writable (docker restart) is passed over for /dev/shm' \
	'^/dev/shm/tacit-1001-[0-9]+$' "$(as_user 1001 "$AGENT" run --env-file app.env -- sh -c "$where")"
umount /run/secrets

mount -t tmpfs -o uid=1001,mode=0755 tmpfs /run/secrets
equal 'a tmpfs of our own is used itself' '/run/secrets' \
	"$(as_user 1001 "$AGENT" run --env-file app.env -- sh -c "$where")"
umount /run/secrets

mkdir -m 0700 /run/user
chown 1001 /run/user
mount --bind /usr /dev/shm
# shellcheck disable=SC2016
matches 'without /dev/shm: $XDG_RUNTIME_DIR' '^/run/user/tacit-[0-9]+$' \
	"$(XDG_RUNTIME_DIR=/run/user as_user 1001 "$AGENT" run --env-file app.env -- sh -c "$where")"
umount /dev/shm
equal 'which is cleaned up too' '' "$(find /run/user -mindepth 1)"
rmdir /run/user /run/secrets

equal '--dir makes a directory in memory and removes it' "/run/mine/deep" \
	"$(mkdir /run/mine; "$AGENT" run --dir /run/mine/deep --env-file app.env -- sh -c "$where")"
equal 'only what it made is removed' '' "$(find /run/mine -mindepth 1; rmdir /run/mine)"
equal 'TACIT_DIR says the same' /run/mine \
	"$(TACIT_DIR=/run/mine "$AGENT" run --env-file app.env -- sh -c "$where" 2>/dev/null)"
equal 'a relative --dir becomes an absolute path' /run/here \
	"$(cd /run && "$AGENT" run --dir here --env-file "$work/app.env" -- sh -c "$where")"

# --- the environment -------------------------------------------------------------------------
show='cat /proc/self/environ | tr "\0" "\n" | grep -v "^_=\|^PWD=\|^SHLVL=\|^OLDPWD=" | sort'
clean() { env -i PATH="$PATH" "$@"; }
equal 'the environment: scrubbed, and NAME_FILE for each' \
	"API_KEY_FILE=/run/s/API_KEY
DB_PASSWORD_FILE=/run/s/DB_PASSWORD
EMPTY_FILE=/run/s/EMPTY
MULTI_FILE=/run/s/MULTI
OTHER=1
PATH=$PATH" \
	"$(clean OTHER=1 TACIT_IDENTITY=x DB_PASSWORD=old 'URL=pg://u:s3cret pa$$word@db/x' \
		"$AGENT" run --dir /run/s --env-file app.env -- sh -c "$show" 2>stderr)"
equal 'one line names what was removed' \
	'tacit-agent: removed from the environment: TACIT_IDENTITY, DB_PASSWORD, URL' "$(cat stderr)"
equal 'nothing to remove, nothing to say' '' \
	"$(clean "$AGENT" run --env-file app.env -- true 2>&1)"
equal '--from-env' "PW_FILE=/run/s/PW
hunter2hunter2" \
	"$(clean PW=hunter2hunter2 "$AGENT" run --dir /run/s --from-env PW -- \
		sh -c 'env | grep PW_; cat "$PW_FILE"' 2>stderr)"
matches '--from-env says what it cannot undo' 'docker inspect' "$(cat stderr)"
check 'and never shows a value' bash -c '! grep -q hunter2 stderr'
equal 'TACIT_FROM_ENV, several, short and empty values, renamed ones too' 'x| |gone' \
	"$(clean TACIT_FROM_ENV=A,B A=x B= "$AGENT" run --dir /run/s --secret A=first --secret B -- \
		sh -c 'cat "$FIRST_FILE"; printf "| "; cat "$B_FILE"; echo "|${A-gone}${B-}"' 2>/dev/null)"
equal 'an option beats the variable' 's3cret pa$$word' \
	"$(clean TACIT_FROM_ENV=NOSUCH "$AGENT" run --env-file app.env -- sh -c 'cat "$DB_PASSWORD_FILE"' 2>/dev/null)"
equal '--env value' 's3cret pa$$word unset' \
	"$(clean DB_PASSWORD_FILE=/old "$AGENT" run --env value --env-file app.env -- \
		sh -c 'echo "$DB_PASSWORD ${DB_PASSWORD_FILE-unset}"' 2>stderr)"
matches '--env value warns' 'tacit-agent: --env value: every child' "$(cat stderr)"
equal '--env none' 'unset unset' "$(clean DB_PASSWORD=x "$AGENT" run --env none --env-file app.env -- \
	sh -c 'echo "${DB_PASSWORD-unset} ${DB_PASSWORD_FILE-unset}"' 2>/dev/null)"
equal '--keep' 'pa$$word' "$(clean 'KEPT=s3cret pa$$word' "$AGENT" run --keep KEPT --env-file app.env -- \
	sh -c 'echo "${KEPT#s3cret }"')"
equal '--pristine' "API_KEY_FILE
DB_PASSWORD_FILE
EMPTY_FILE
HOME
MULTI_FILE
PATH" "$(clean HOME=/x A=1 B=2 "$AGENT" run --pristine --env-file app.env -- sh -c "$show" | cut -d= -f1)"
equal '--secret and TACIT_SECRETS choose and shape' 'key 440 KEY_PATH' \
	"$(clean TACIT_SECRETS='API_KEY=key,env=KEY_PATH,mode=0440 NOSUCH,optional' "$AGENT" run --env-file app.env -- \
		sh -c 'cd "${KEY_PATH%/*}" && echo "$(ls) $(stat -c %a key) $(env | grep -o "^KEY_PATH")"' 2>/dev/null)"

# --- what else is inherited ------------------------------------------------------------------
for mode in --exec --init; do
	limits=$(prlimit --core=100:200 "$AGENT" run "$mode" --env-file app.env -- "$PROBE" limits)
	equal "$mode: core limit 0 with the hard one left, signals as inherited" \
		'core 0 200 dumpable 1 blocked 0 ignored 0' "$limits"
	equal "$mode: no descriptor is left open" '0 1 2 ' \
		"$("$AGENT" run "$mode" --env-file app.env -- "$PROBE" descriptors </dev/null)"
	matches "$mode: signals that were ignored stay so" 'ignored 2$' \
		"$(trap '' HUP PIPE; "$AGENT" run "$mode" --env-file app.env -- "$PROBE" limits)"
done
equal 'exec: the command has the PID of the agent' same \
	"$("$AGENT" run --exec --env-file app.env -- sh -c "[ \$\$ = \$(cut -d' ' -f4 /proc/self/stat) ] && echo same")"
equal 'PID 1 becomes the command' 1 \
	"$(unshare --pid --fork --mount-proc "$AGENT" run --env-file app.env -- sh -c 'echo $$')"
find /dev/shm -mindepth 1 -delete

# --- user ------------------------------------------------------------------------------------
who='echo "$(id -u):$(id -g):$(id -G) $(stat -c "%u %a" "$DB_PASSWORD_FILE") $(stat -c "%u %a" "${DB_PASSWORD_FILE%/*}")"'
caps='grep -h "^Cap" /proc/self/status | cut -f2 | sort -u | tr "\n" " "'
equal '--user in /dev/shm' '1001:1002:1002 1001 400 1001 700' \
	"$("$AGENT" run --user 1001:1002 --env-file app.env -- sh -c "$who")"
equal '--user leaves no capability in any set' '0000000000000000 ' \
	"$("$AGENT" run --user 1001 --env-file app.env -- sh -c "$caps")"
check 'and cleans up as that user' nothing_left
mkdir -m 0755 /run/secrets
mount -t tmpfs tmpfs /run/secrets
equal '--user on a mount of root' "1001:1001:1001 1001 400 1001 700" \
	"$("$AGENT" run --user 1001 --env-file app.env -- sh -c "$who")"
umount /run/secrets
mount -t tmpfs -o uid=1001,mode=0700 tmpfs /run/secrets
equal '--user by root that cannot enter foreign directories' '1001:1001:1001 1001 400 1001 700' \
	"$(setpriv --bounding-set=-all,+setuid,+setgid --inh-caps=-all "$AGENT" run --user 1001 --env-file app.env -- sh -c "$who")"
umount /run/secrets
rmdir /run/secrets
equal 'where the bounding set cannot be dropped, no_new_privs is set' 'NoNewPrivs: 1' \
	"$(setpriv --bounding-set=-all,+setuid,+setgid --inh-caps=-all "$AGENT" run --user 1001 --env-file app.env -- \
		sh -c 'grep NoNewPrivs /proc/self/status | tr "\t" " "')"
equal '--user: a new directory by --dir' '1001:1001:1001 1001 400 1001 700' \
	"$("$AGENT" run --user 1001 --dir /run/new --env-file app.env -- sh -c "$who")"
rm -rf /run/new
equal '--user by name, with its HOME' 'games /usr/games' \
	"$(HOME=/root "$AGENT" run --user games --env-file app.env -- sh -c 'echo "$(id -un) $HOME"')"
equal '--user that one is already' 1001 \
	"$(as_user 1001 "$AGENT" run --user 1001 --env-file app.env -- id -u)"
equal 'root may read a file that the user may not' 's3cret pa$$word' \
	"$(chmod 0400 app.env; "$AGENT" run --user 1001 --env-file app.env -- sh -c 'cat "$DB_PASSWORD_FILE"')"
check 'nothing is left behind by all this' nothing_left

# --- fetch and copy --------------------------------------------------------------------------
chmod 0644 app.env
equal 'fetch writes the files and ends' '0 4' \
	"$("$AGENT" fetch --dir /run/pod --env-file app.env; echo "$? $(find /run/pod -type f -perm 0400 | wc -l)")"
check 'fetch again replaces them' "$AGENT" fetch --dir /run/pod --env-file app.env --secret API_KEY
equal 'copy puts the same program there, executable' '755' \
	"$("$AGENT" copy "$work/copied" && cmp "$AGENT" copied && stat -c %a copied)"
equal 'copy into a directory, over an older one' 'tacit-agent' \
	"$(mkdir bin; "$AGENT" copy bin && "$AGENT" copy bin/ && ls bin)"
finish
