#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The agent against a server over mTLS, against servers that misbehave, and against none.
# shellcheck source=agent_common.sh disable=SC2016
. "${BASH_SOURCE[0]%/*}/agent_common.sh"
: "${EVIL_SERVER:?}"

start=(-- touch started)
# --- a server that behaves: openssl's, which sends a file as its answer -----------------------
new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1" 2>/dev/null; }

# issue NAME EXTENSIONS [DAYS]: NAME.key and NAME.crt, signed by the CA
issue() {
	new_key "$1.key"
	openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr" 2>/dev/null
	openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days "${3:-2}" \
		-extfile <(printf '%s\n' "$2") -out "$1.crt" 2>/dev/null
}

new_key ca.key
openssl req -x509 -new -key ca.key -subj '/CN=Test CA' -days 2 -out ca.crt \
	-addext 'keyUsage=critical,keyCertSign,cRLSign' 2>/dev/null
issue server $'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature'
issue web $'subjectAltName=URI:tacit://test/client/web\nextendedKeyUsage=clientAuth\nkeyUsage=digitalSignature'

port=$((20000 + RANDOM % 20000))
# identity FILE [URL]
identity() {
	{ [[ -z ${2-} ]] || echo "# tacit-server: $2"; cat web.key web.crt ca.crt; } >"$1"
	chmod 0400 "$1"
}
identity web.pem "https://localhost:$port"

# answer STATUS TYPE FILE
answer() {
	mkdir -p v1
	printf 'HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n' \
		"$1" "$2" "$(stat -c %s "$3")" | cat - "$3" >v1/bundle
}

# secret NAME FILE VALUE-FILE
secret() {
	printf '{"name":"%s","version":3,"file":"%s","env":"%s","mode":"0400","value":"%s"}' \
		"$1" "$2" "$(tr a-z A-Z <<<"$2")_FILE" "$(base64 -w0 "$3")"
}

# bundle SECRET...
bundle() {
	local IFS=,
	printf '{"revision":42,"secrets":[%s]}' "$*" >body
	answer '200 OK' application/json body
}

serve() {
	openssl s_server -accept "127.0.0.1:$port" -cert server.crt -key server.key -CAfile ca.crt \
		-Verify 1 -verify_return_error -tls1_3 -HTTP -quiet >server.log 2>&1 &
	server=$!
	wait_for 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port" 2>/dev/null
}

head -c 100000 /dev/urandom >random
printf 'a\0b\n\n' >binary
: >empty
bundle "$(secret web/random random random)" "$(secret web/binary binary binary)" "$(secret empty empty empty)"
check 'a server is there' serve
equal 'exact bytes over mTLS' same "$("$AGENT" run --identity web.pem -- sh -c \
	'cmp "$RANDOM_FILE" random && cmp "$BINARY_FILE" binary && cmp "$EMPTY_FILE" empty && echo same' 2>&1)"
equal 'TACIT_IDENTITY, and no TACIT_ variable is left' 'same 0' \
	"$(TACIT_IDENTITY=web.pem "$AGENT" run -- sh -c 'cmp "$BINARY_FILE" binary && echo "same $(env | grep -c ^TACIT_)"' 2>/dev/null)"
for mode in --exec --init; do
	equal "$mode: no descriptor is left open" '0 1 2 ' \
		"$("$AGENT" run "$mode" --identity web.pem -- "$PROBE" descriptors </dev/null)"
done
check 'what exec left is swept' "$AGENT" run --init --identity web.pem -- true
identity bare.pem
equal 'several servers, the first of them away; --server beats the identity' ok \
	"$("$AGENT" run --identity bare.pem --server "https://127.0.0.1:1,https://127.0.0.1:$port" -- echo ok)"
equal 'TACIT_SERVER' ok "$(TACIT_SERVER="https://127.0.0.1:$port" "$AGENT" run --identity bare.pem -- echo ok 2>/dev/null)"
refuses 'an identity without a server' 125 'no server URL known' "$AGENT" run --identity bare.pem "${start[@]}"
equal '--user: root may read an identity that the user may not' 1001 \
	"$("$AGENT" run --user 1001 --identity web.pem -- sh -c 'cat "$RANDOM_FILE" >/dev/null && id -u')"

printf 'correct-horse-battery-staple' >needle
bundle "$(secret db db needle)"
: >out
"$AGENT" run --init --identity web.pem -- "$PROBE" hold >out 2>stderr &
agent=$!
wait_for 5 grep -q ready out
sleep 0.2
rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$agent/status")
peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$agent/status")
if [[ -z ${AGENT_TEST_SANITIZED:-} ]]; then
	check "peak resident memory is at most 8 MiB ($peak KiB)" test "$peak" -le 8192
	check "resident memory of a waiting parent is at most 4 MiB ($rss KiB)" test "$rss" -le 4096
	equal 'no value is left in the memory of the parent' 0 "$("$PROBE" search "$agent" needle)"
	base64 -w0 needle | head -c 24 >needle64
	equal 'nor its base64' 0 "$("$PROBE" search "$agent" needle64)"
	sed -n 2p web.key | head -c 48 >needle-key
	equal 'nor the private key as text' 0 "$("$PROBE" search "$agent" needle-key)"
fi
kill "$agent"
wait "$agent"

# --- answers that are wrong ------------------------------------------------------------------
bundle "$(secret a/db db needle)" "$(secret b/db db needle)"
refuses 'two secrets with one file name are both named' 125 '^tacit-agent: a/db and b/db: two secrets have the same file name' \
	"$AGENT" run --identity web.pem "${start[@]}"
bundle
refuses 'nothing is granted' 125 '^tacit-agent: web: no secret is granted' "$AGENT" run --identity web.pem "${start[@]}"
echo '{"type":"about:blank","title":"x","status":403,"code":"denied","detail":"nope"}' >body
answer '403 Forbidden' application/problem+json body
refuses 'denied' 125 '^tacit-agent: /v1/bundle: ' "$AGENT" run --identity web.pem "${start[@]}"
for bad in '{"revision":1,"secrets":[{"name":"a","version":1,"file":"../../etc/x","env":"X","mode":"0400","value":"aHVudGVyMg=="}]}' \
	'{"revision":1,"secrets":[{"name":"a","version":1,"file":"a","env":"LD_PRELOAD=","mode":"0400","value":"aHVudGVyMg=="}]}' \
	'{"revision":1,"secrets":[{"name":"a","version":1,"file":"a","env":"A","mode":"4755","value":"aHVudGVyMg=="}]}' \
	'{"revision":1,"secrets":[{"name":"a","version":1,"file":"a","env":"A","mode":"0400","value":"hunter2"}]}' \
	'{"revision":1,"secrets":[{' '[]' 'hunter2'; do
	printf '%s' "$bad" >body
	answer '200 OK' application/json body
	refuses "not a bundle: ${bad:0:60}" 125 "not a bundle" "$AGENT" run --identity web.pem "${start[@]}"
	check 'and no part of it is shown' bash -c '! grep -q "hunter2\|aHVud" stderr'
done
kill "$server"
wait "$server" 2>/dev/null

# --- identities that are wrong ---------------------------------------------------------------
refuses 'no such identity' 125 'absent.pem: no identity file found' "$AGENT" run --identity absent.pem "${start[@]}"
chmod 0644 web.pem
refuses 'an identity that others can read' 125 'web.pem: readable by others' "$AGENT" run --identity web.pem "${start[@]}"
chmod 0400 web.pem
head -c 300 web.pem >cut.pem
chmod 0400 cut.pem
refuses 'a truncated identity' 125 'cut.pem: is cut off' "$AGENT" run --identity cut.pem "${start[@]}"
install -m 0400 ca.crt foreign.pem
refuses 'a foreign file' 125 'foreign.pem: ' "$AGENT" run --identity foreign.pem "${start[@]}"

# --- a server that is away, and one that comes late ------------------------------------------
refuses 'a server that is away' 125 "^tacit-agent: https://localhost:$port: (server unreachable|Connection refused)" \
	timeout 10 "$AGENT" run --timeout 1s --identity web.pem "${start[@]}"
refuses 'a name that nobody knows' 125 'host name not found' \
	timeout 10 "$AGENT" run --timeout 1s --identity web.pem --server https://nosuch.invalid "${start[@]}"
bundle "$(secret db db needle)"
(sleep 1; serve; sleep 8; kill "$server") 2>/dev/null &
equal 'a server that comes late is waited for' 'correct-horse-battery-staple' \
	"$("$AGENT" run --timeout 8s --identity web.pem -- sh -c 'cat "$DB_FILE"' 2>&1)"

# --- servers that misbehave ------------------------------------------------------------------
for mode in $("$EVIL_SERVER"); do
	[[ $mode == good* || $mode == echo ]] && continue
	"$EVIL_SERVER" "$mode" evil.pem >evil.url 2>evil.log &
	evil=$!
	wait_for 5 test -s evil.url
	began=$(date +%s%3N)
	refuses "server: $mode" 125 '^tacit-agent: ' timeout 10 "$AGENT" run --timeout 500ms --identity evil.pem "${start[@]}"
	took=$(($(date +%s%3N) - began))
	((took < 2000)) || fail "server: $mode: --timeout 500ms took $took ms"
	grep -q correct-horse stderr && fail "server: $mode: a value is shown"
	kill "$evil"
	wait "$evil" 2>/dev/null
	rm -f evil.url evil.pem
done
finish
