#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Completion in bash and zsh, held against --help, and with names that a server tells.
here=${BASH_SOURCE[0]%/*}
# shellcheck source=cli_common.sh
. "$here/cli_common.sh"
# shellcheck source=../docs/help_facts.sh
. "$here/../docs/help_facts.sh"
top=$(realpath "$here/../..")
# shellcheck source=../../packaging/completions/tacit.bash
. "$top/packaging/completions/tacit.bash"

script=$(realpath "$0")
build=${tacit%/cli/tacit}
PATH=$build/cli:$build/agent:$build/server:$PATH
programs=(tacit tacit-agent tacit-server)
lines=() expected=()

# offers LINE WORDS: at the end of LINE exactly these are to be offered, in any order.
offers() {
	lines+=("$1")
	expected+=("$(tr -s ' \n' '\n' <<<"$2" | sed '/^$/d' | sort -u)")
}

in_bash() {
	read -ra COMP_WORDS <<<"$1"
	[[ $1 != *' ' ]] || COMP_WORDS+=('')
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_tacit
	printf '%s\n' "${COMPREPLY[@]}" | sed '/^$/d' | sort -u
}

check_bash() {
	local index found
	for index in "${!lines[@]}"; do
		found=$(in_bash "${lines[index]}")
		[[ $found == "${expected[index]}" ]] || failed "bash: ${lines[index]}: $(tr '\n' ' ' <<<"$found")"
	done
}

check_zsh() {
	local index found
	timeout 100 "$top/tests/integration/completion.zsh" "$top/packaging/completions" "${lines[@]}" >offered
	for index in "${!lines[@]}"; do
		found=$(awk -v wanted="$index" '$0 == "--" { n++; next } n == wanted' offered | sort -u)
		[[ $found == "${expected[index]}" ]] || failed "zsh: ${lines[index]}: $(tr '\n' ' ' <<<"$found")"
	done
}

check_both() {
	((${#lines[@]} > 0)) || failed 'nothing to check'
	check_bash 2>err
	[[ ! -s err ]] || failed 'talks on stderr'
	check_zsh
}

test_every_command() {
	local program
	for program in "${programs[@]}"; do
		offers "$program " "$(help_commands "$program" | sed 's/ .*//') --help --version"
	done
	offers 'tacit client ' 'add ls revoke'
	offers 'tacit rol' rollback
	offers 'tacit nonsense ' ''
	check_both
}

test_every_option_of_every_command() {
	local program command
	for program in "${programs[@]}"; do
		while read -r command; do
			offers "$program $command --" "$(help_options "$program" "$command" | cut -f 1)"
		done < <(help_commands "$program")
	done
	((${#lines[@]} > 20)) || failed "${#lines[@]} commands"
	check_both
}

test_values_of_options_and_arguments() {
	mkdir -p files/some_directory
	touch files/some_file.env
	cd files
	export COMPLETION_PROBE=1
	offers 'tacit client add --role ' 'client operator auditor admin'
	offers 'tacit put --mode ' '0400 0440'
	offers 'tacit put x --from-file some' 'some_directory some_file.env'
	offers 'tacit import some_f' some_file.env
	offers 'tacit-server serve --dir some' some_directory
	offers 'tacit-server backup --dir x some_f' some_file.env
	offers 'tacit-agent run --env ' 'file value none'
	offers 'tacit-agent run --on-failure s' start
	offers 'tacit-agent run --signal US' 'USR1 USR2'
	offers 'tacit-agent run --from-env COMPLETION_PR' COMPLETION_PROBE
	offers 'tacit-agent run --watch -- ls some_f' some_file.env
	offers 'tacit-agent copy some_f' some_file.env
	offers 'tacit put --generate ' ''
	check_both
}

# bash hands `--dir=x` over as three words, zsh as one.
test_values_behind_an_equals_sign() {
	COMP_WORDS=(tacit client add --role "=" o) COMP_CWORD=5
	_tacit
	[[ ${COMPREPLY[*]} == operator ]] || failed "bash: ${COMPREPLY[*]}"
	lines=('tacit client add --role=o') expected=(operator)
	check_zsh
}

test_names_that_the_server_tells() {
	start_server
	run put web/db_password <<<value
	run put web/api_key <<<value
	run put other <<<value
	run client add web --out web.pem
	run grant web web/api_key
	offers 'tacit get ' 'web/db_password web/api_key other'
	offers 'tacit rollback web/d' web/db_password
	offers 'tacit ls w' 'web/db_password web/api_key'
	offers 'tacit get --raw --version 1 o' other
	offers 'tacit get --identity web.pem ' web/api_key
	offers 'tacit grant w' web
	offers 'tacit grant web o' other
	offers 'tacit client revoke ' 'admin web'
	offers 'tacit client add ' ''
	check_both
}

test_no_names_and_no_complaint_without_an_identity() {
	unset TACIT_IDENTITY
	offers 'tacit get ' ''
	offers 'tacit grant ' ''
	check_both
}

run_tests "$script"
