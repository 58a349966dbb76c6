#!/bin/bash
# SPDX-License-Identifier: MIT
# docs/http-api.md, run as it stands there against a real server: each command in a ```console block
# has to print what is printed below it, where `...` stands for anything. Every answer that curl got
# is held against docs/openapi.yaml, and every route of the server has to have an example.
# usage: http_api.sh SOURCE-DIR ROUTES-PROGRAM
# shellcheck source=../lib/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/tap.sh"
# shellcheck source=cli_common.sh
. "${BASH_SOURCE[0]%/*}/cli_common.sh"

source=$1 routes=$2
document=$source/docs/http-api.md
openapi=$source/docs/openapi.yaml

# As in the document, whose names are made to lead to where the server really is.
start_documented_server() {
	"$tacit_server" init --dir "$work/store" --url https://tacit:8443 >init.log
	serve 0 --enroll-listen 127.0.0.1:0 --enroll-url https://tacit:8444
	port=$(sed -n 's/^listening on .*://p' server.log)
	enroll_port=$(sed -n 's/^enrolment on .*://p' server.log)
	cp store/admin.pem admin.pem
}

# curl as the document uses it; what went over the wire is kept in the file `wire`.
curl() {
	command curl -v --connect-to "tacit:8443:127.0.0.1:$port" \
		--connect-to "tacit:8444:127.0.0.1:$enroll_port" --max-time 20 "$@" 2>wire
}

# How many steps there are; step N is in the files step-N and expected-N.
read_steps() {
	awk '
		/^```/ { inside = /^```console$/; if (inside) more = 0; next }
		!inside { next }
		/^\$ / && !more {
			steps++
			file = "step-" steps
			print substr($0, 3) > file
			printf "" > ("expected-" steps)
			more = /\\$/
			next
		}
		more { print > file; more = /\\$/; next }
		{ print > ("expected-" steps) }
		END { print steps }' "$document"
}

# The text, with `...` for anything, as a pattern for [[ ]].
pattern_of() { sed -E 's/[][*?\\]/\\&/g; s/\.\.\./*/g' "$1"; }

# Keeps the answer for later: its bytes are what was printed, less the status that the document has
# curl print behind it.
keep_answer() {
	local number=$1 method path status type
	[[ -s wire ]] || return 0
	read -r method path < <(sed -nE 's/^> ([A-Z]+) (.*) HTTP\/1.1\r$/\1 \2/p' wire)
	status=$(sed -nE 's/^< HTTP\/1.1 ([0-9]+).*/\1/p' wire)
	type=$(sed -nE 's/^< content-type: ([^;]*).*\r$/\1/Ip' wire)
	if [[ $command =~ \ -o\ ([a-z]+\.json)\  ]]; then
		cp "${BASH_REMATCH[1]}" "body-$number"
	else
		head -c -$((${#status} + 5)) out >"body-$number"
	fi
	printf '%s %s\n' "$method" "${path%%\?*}" >>requested
	printf '%s %s %s %s %s\n' "body-$number" "$method" "$path" "$status" "$type" >>answers
}

run_step() {
	local number=$1 command wrong=
	command=$(<"step-$number")
	rm -f wire
	# In this shell: later steps use what earlier ones have set.
	eval "$command" >out 2>err || wrong="exit code $?"$'\n'
	# shellcheck disable=SC2053 # a pattern is wanted
	[[ $(<out) == $(pattern_of "expected-$number") ]] || wrong+="printed: $(<out)"$'\n'
	[[ ! -s err ]] || wrong+="stderr: $(<err)"
	keep_answer "$number"
	tap_none "$command" "${wrong%$'\n'}"
}

# A request is for the route whose method it has and whose path fits.
routes_without_example() {
	local method path
	while read -r method path; do
		grep -qxE "$method ${path//\{name\}/[^/]+}" requested || printf '%s %s\n' "$method" "$path"
	done < <("$routes")
}

start_documented_server
steps=$(read_steps)
for ((number = 1; number <= steps; number++)); do
	run_step "$number"
done
tap_none 'every answer is as openapi.yaml describes it' \
	"$("$source/tests/docs/openapi.py" validate "$openapi" <answers 2>&1)"
tap_none 'every route has an example' "$(routes_without_example)"
tap_end
