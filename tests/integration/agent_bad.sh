#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Bad input to the agent: one line, the exit code, no command started, nothing left behind.
# shellcheck source=agent_common.sh disable=SC2016
. "${BASH_SOURCE[0]%/*}/agent_common.sh"

echo 'DB_PASSWORD=hunter2hunter2' >app.env
run=("$AGENT" run --env-file app.env)
start=(-- touch started)

# --- usage -----------------------------------------------------------------------------------
refuses 'no subcommand' 125 '^tacit-agent: no command given' "$AGENT"
refuses 'unknown subcommand' 125 'nosuch' "$AGENT" nosuch
refuses 'no command' 125 'usage: tacit-agent run' "${run[@]}" --
refuses 'unknown option' 125 '--nosuch' "${run[@]}" --nosuch "${start[@]}"
refuses 'option without its value' 125 '--dir' "${run[@]}" --dir
refuses 'two sources' 125 'only one can be had' "${run[@]}" --from-env PATH "${start[@]}"
refuses 'exec and init' 125 'only one can be had' "${run[@]}" --exec --init "${start[@]}"
refuses 'unknown --env' 125 '--env everything' "${run[@]}" --env everything "${start[@]}"
refuses 'unknown --on-failure' 125 '--on-failure' "${run[@]}" --on-failure maybe "${start[@]}"
refuses 'bad --timeout' 125 '--timeout soon' "${run[@]}" --timeout soon "${start[@]}"
refuses 'fetch takes no command' 125 'takes no arguments' "$AGENT" fetch --env-file app.env x
refuses 'copy needs a path' 125 'copy: needs one PATH' "$AGENT" copy
refuses 'copy to nowhere' 125 '/nosuch/x: No such file' "$AGENT" copy /nosuch/x

# --- the source ------------------------------------------------------------------------------
refuses 'no such env file' 125 'absent.env: No such file' "$AGENT" run --env-file absent.env "${start[@]}"
refuses 'a directory for an env file' 125 'Is a directory' "$AGENT" run --env-file /tmp "${start[@]}"
bad_env() {
	printf '%b' "$2" >bad.env
	refuses "env file: $1" 125 "^tacit-agent: bad.env line $3: " "$AGENT" run --env-file bad.env "${start[@]}"
	check "env file: $1: no content is shown" bash -c '! grep -q hunter2 stderr'
}
bad_env 'no =' 'A=1\nhunter2\n' 2
bad_env 'unclosed quote' "A=1\n\nB='hunter2" 3
bad_env 'text behind a quote' 'A="hunter2"hunter2\n' 1
bad_env 'a NUL' 'A=1\nB=hunter2\0x\n' 2
bad_env 'a name that is none' '1A=hunter2\n' 1
bad_env 'a name of our own' 'TACIT_TOKEN=hunter2\n' 1
{ printf 'A=1\nB='; head -c 512001 /dev/zero | tr '\0' x; } >bad.env
refuses 'a value over 512000 bytes' 125 'bad.env line 2: too large' "$AGENT" run --env-file bad.env "${start[@]}"
refuses 'a variable that is not set' 125 'NOSUCH: not set' "$AGENT" run --from-env NOSUCH "${start[@]}"
refuses 'a variable that is none' 125 'not a valid variable' "$AGENT" run --from-env 'A B' "${start[@]}"
refuses 'a variable of our own' 125 'TACIT_DIR: not a valid variable' "$AGENT" run --from-env TACIT_DIR "${start[@]}"
mkfifo slow
exec 9<>slow
refuses 'an env file that never ends: --timeout holds' 125 'slow: timed out' \
	timeout 5 "$AGENT" run --timeout 300ms --env-file slow "${start[@]}"
exec 9>&-
export HOME=/nonexistent
refuses 'no identity anywhere' 125 'no identity file found' "$AGENT" run "${start[@]}"

# --- selection -------------------------------------------------------------------------------
refuses 'a secret that is not there' 125 '^tacit-agent: web/absent: not found' "${run[@]}" --secret web/absent "${start[@]}"
refuses 'a bad selection' 125 '--secret ../x: not a valid name' "${run[@]}" --secret ../x "${start[@]}"
refuses 'a bad mode' 125 'not a valid file mode' "${run[@]}" --secret DB_PASSWORD,mode=0666 "${start[@]}"
printf 'A=1\nB=2\n' >two.env
refuses 'two secrets for one file' 125 '^tacit-agent: A and B: two secrets have the same file name, x' \
	"$AGENT" run --env-file two.env --secret A=x --secret B=x "${start[@]}"
refuses 'two secrets for one variable' 125 '^tacit-agent: A and B: two secrets have the same variable, V' \
	"$AGENT" run --env-file two.env --secret A,env=V --secret B,env=V "${start[@]}"
{ printf 'BIG='; head -c 200000 /dev/zero | tr '\0' x; } >big.env
refuses '--env value with a value that no variable can hold' 125 'BIG: longer than a variable can be' \
	"$AGENT" run --env value --env-file big.env "${start[@]}"

# --- the directory ---------------------------------------------------------------------------
refuses 'a directory on disk' 125 "^tacit-agent: $work: not a tmpfs or ramfs" "${run[@]}" --dir "$work" "${start[@]}"
refuses 'a new directory on disk' 125 'not a tmpfs or ramfs' "${run[@]}" --dir "$work/new" "${start[@]}"
check 'which was not made' test ! -e "$work/new"
refuses 'a directory nowhere' 125 'No such file' "${run[@]}" --dir /run/nosuch/dir "${start[@]}"
mkdir /run/real
ln -s real /run/link
refuses 'a link to a directory' 125 'not a directory, or a symbolic link' "${run[@]}" --dir /run/link "${start[@]}"
ln -s /run/real /dev/shm/planted
refuses 'a link that somebody planted' 125 'not a directory' "${run[@]}" --dir /dev/shm/planted "${start[@]}"
check 'nothing was written through them' test -z "$(ls -A /run/real)"
refuses 'a directory of another user' 125 '/run/real: Permission denied' \
	as_user 1001 "${run[@]}" --dir /run/real "${start[@]}"
mkdir -p /run/ro
mount -t tmpfs -o ro tmpfs /run/ro
refuses 'a read-only tmpfs' 125 'Read-only file system' "${run[@]}" --dir /run/ro "${start[@]}"
mkdir -p /run/small
mount -t tmpfs -o size=4k tmpfs /run/small
{ printf 'A=1\nB='; head -c 9000 /dev/zero | tr '\0' x; } >large.env
refuses 'a full tmpfs' 125 '/run/small/[AB]: No space left' "$AGENT" run --dir /run/small --env-file large.env "${start[@]}"
check 'a full tmpfs: no half-written file is left' test -z "$(ls -A /run/small)"
refuses 'a full tmpfs, a directory of our own' 125 'No space left' \
	"$AGENT" run --dir /run/small/own --env-file large.env "${start[@]}"
check 'a full tmpfs: the directory is gone too' test -z "$(ls -A /run/small)"
mkdir /run/real/DB_PASSWORD
refuses 'a directory where the file is to be' 125 '/run/real/DB_PASSWORD: Is a directory' "${run[@]}" --dir /run/real "${start[@]}"
refuses 'fetch: files of another user would not do' 125 'belongs to another user' \
	as_user 1001 "$AGENT" fetch --dir /dev/shm --env-file app.env
refuses 'fetch without a directory' 125 'name a directory in memory with --dir' \
	"$AGENT" fetch --env-file app.env
umount /dev/shm
mount --bind /usr /dev/shm
refuses 'no memory anywhere: failure, never disk' 125 'no writable tmpfs found; add --tmpfs' "${run[@]}" "${start[@]}"
umount /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /dev/shm || exit 1

# --- user ------------------------------------------------------------------------------------
refuses '--user by somebody else' 125 '--user 1:1: not allowed; it takes root' as_user 1001 "${run[@]}" --user 1:1 "${start[@]}"
refuses '--user by root without capabilities' 125 'not allowed; it takes root' \
	setpriv --bounding-set=-all --inh-caps=-all "${run[@]}" --user 1001 "${start[@]}"
refuses '--user that nobody knows' 125 'not in /etc/passwd' "${run[@]}" --user nosuch "${start[@]}"
refuses '--user that is nonsense' 125 'must be UID' "${run[@]}" --user 1001: "${start[@]}"

# --- the command -----------------------------------------------------------------------------
printf '#!/nowhere/sh\n' >orphan
printf 'exit 0\n' >plain
chmod 0755 orphan
for mode in --exec --init; do
	refuses "$mode: command not found" 127 'nosuch: command not found' "${run[@]}" "$mode" -- nosuch
	refuses "$mode: path not found" 127 '/nosuch: No such file' "${run[@]}" "$mode" -- /nosuch
	refuses "$mode: not executable" 126 './plain: Permission denied' "${run[@]}" "$mode" -- ./plain
	refuses "$mode: a directory" 126 'Permission denied' "${run[@]}" "$mode" -- /etc
	refuses "$mode: no interpreter" 127 'its interpreter /nowhere/sh is not in this image' "${run[@]}" "$mode" -- ./orphan
	refuses "$mode: PATH of the new environment" 127 'id: command not found' \
		env -i PATH=/nowhere "${run[@]}" "$mode" -- id
done

# --- failing well ----------------------------------------------------------------------------
equal '--on-failure start is loud, starts, and still scrubs' 'started 0' \
	"$(TACIT_X=1 "$AGENT" run --on-failure start --env-file absent.env -- \
		sh -c 'echo "started $(env | grep -c TACIT)"' 2>stderr)"
matches '--on-failure start says what failed and what it does' \
	'absent.env: No such file.*STARTING WITHOUT SECRETS' "$(tr '\n' ' ' <stderr)"
refuses '--on-failure start never starts as the wrong user' 125 'not allowed' \
	as_user 1001 "${run[@]}" --on-failure start --user 0 "${start[@]}"
finish
