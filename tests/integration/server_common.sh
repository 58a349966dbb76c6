# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the server's tests share, on top of cli_common.sh: files and mounts that go wrong, and
# requests that are not our own client's. With root they run in a mount namespace of their own.

if [[ -z ${SERVER_TEST_INSIDE:-} && $(id -u) == 0 ]] && unshare --mount true 2>/dev/null; then
	SERVER_TEST_INSIDE=1 exec unshare --mount --propagation private "$BASH" "$0" "$@"
fi

# shellcheck source=cli_common.sh
. "${BASH_SOURCE[0]%/*}/cli_common.sh"

script=$0
[[ $script == /* ]] || script=$OLDPWD/$script

# A test that mounts something calls this first; the others run for everybody.
need_mounts() {
	[[ -n ${SERVER_TEST_INSIDE:-} ]] || {
		printf 'skipped: needs root and mount namespaces\n'
		exit 0
	}
}

# server_refuses CODE PATTERN [ARG]...: tacit-server must fail with one line that matches.
server_refuses() {
	local code=$1 pattern=$2
	shift 2
	expect "$code" timeout 20 "$tacit_server" "$@" </dev/null
	(($(wc -l <err) == 1)) || failed "not one line on stderr: $*"
	[[ $(<err) =~ ^tacit-server:\ .*: ]] || failed "not \`tacit-server: what: why\`: $*"
	grep -qE -- "$pattern" err || failed "does not say $pattern: $*"
}

# new_store DIR: with an identity in DIR/admin.pem and a good value in it, not being served.
new_store() {
	expect 0 "$tacit_server" init --dir "$1" --url https://127.0.0.1:8443
}

# serve_dir DIR [ARG]...: starts a server on a port that is free; sets server_pid and url.
serve_dir() {
	local dir=$1
	shift
	: >server.log
	"$tacit_server" serve --dir "$dir" --listen 127.0.0.1:0 "$@" >server.log 2>server.err &
	server_pid=$!
	at_exit stop_process "$server_pid"
	wait_until 20 server_listens || failed "the server does not start: $(<server.err)"
	url=$(sed -n 's/^listening on //p' server.log)
	export TACIT_SERVER=$url TACIT_IDENTITY=$dir/admin.pem
}

# Stops a server that this very shell has started; its exit code is in server_status.
stop_server() { stop_server_by TERM; }

# shellcheck disable=SC2034 # server_status is for who calls this
stop_server_by() {
	kill "-$1" "$server_pid"
	server_status=0
	wait "$server_pid" 2>/dev/null || server_status=$?
	# One that another shell has started cannot be waited for, and may take a while to be gone.
	wait_until 10 process_ended "$server_pid" || failed 'the server does not end'
}

process_ended() { ! grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$1/status"; }

# call PATH [CURL-OPTION]...: an HTTP status on stdout (000: no answer), the body in `body`.
call() {
	local path=$1
	shift
	rm -f body
	curl -s -o body -w '%{http_code}' --max-time 20 --cacert ca.pem \
		--cert "${identity:-$TACIT_IDENTITY}" --key "${identity:-$TACIT_IDENTITY}" "$@" "$url$path" ||
		true
}

# called STATUS PATH [CURL-OPTION]...
called() {
	local expected=$1 status
	shift
	status=$(call "$@")
	[[ $status == "$expected" ]] ||
		failed "status $status and not $expected: $* $(head -c 300 body 2>/dev/null | tr -d '\0')"
}

# code_is CODE: the word of the problem document in `body`.
code_is() { [[ $(jq -r .code body) == "$1" ]] || failed "code $(<body) and not $1"; }

ca_of() { awk '/BEGIN CERT/ { n++ } n == 2' "$1"; }

# raw [OPENSSL-OPTION]...: sends stdin as it is over TLS and prints what comes back.
raw() {
	timeout "${raw_seconds:-10}" openssl s_client -quiet -connect "${url#https://}" -CAfile ca.pem \
		-cert "${identity:-$TACIT_IDENTITY}" -key "${identity:-$TACIT_IDENTITY}" \
		"$@" 2>raw.err || true
}

# user and system time of a process, in hundredths of a second
cpu_ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
