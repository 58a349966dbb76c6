# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Completion in bash for tacit, tacit-agent and tacit-server. What there is to complete the programs
# say themselves (--help), so this is never behind them.

# "client add NAME", one command a line.
_tacit_commands() {
	"$1" --help 2>/dev/null | sed -n '/^Commands:/,/^$/ { s/^  \([a-z].*\)/\1/; T; s/  .*//; p }'
}

# _tacit_options PROGRAM WORD...: "--from-file FILE", one option a line.
_tacit_options() {
	"$@" --help 2>/dev/null | sed -nE '/^Options:/,$ s/^  (--[a-z-]+( [^ ]+)?).*/\1/p'
}

# _tacit_ask PROGRAM COMMAND... KEY: what the server tells to the identity that is given or at hand.
_tacit_ask() {
	local key=${*: -1} index given=()
	for ((index = 0; index + 1 < ${#words[@]}; index++)); do
		case ${words[index]} in --identity | --server) given+=("${words[@]:index:2}") ;; esac
	done
	"${@:1:$#-1}" --json --timeout 2s "${given[@]}" </dev/null 2>/dev/null |
		grep -o "\"$key\":\"[^\"]*\"" | sed 's/.*:"\(.*\)"/\1/'
}

_tacit_offer() { mapfile -t COMPREPLY < <(compgen "$@" -- "$current"); }

_tacit_offer_files() {
	_tacit_offer "$1"
	compopt -o filenames 2>/dev/null
}

# _tacit_value KIND: KIND is the word that --help has for it.
_tacit_value() {
	case $1 in
	DIR | NEWDIR) _tacit_offer_files -d ;;
	FILE | FILE.env | PATH | SOCKET | SRC=DST) _tacit_offer_files -f ;;
	ROLE) _tacit_offer -W 'client operator auditor admin' ;;
	MODE) _tacit_offer -W '0400 0440' ;;
	SIG) _tacit_offer -W "$(kill -l | grep -oE 'SIG[A-Z0-9]+\b' | sed 's/^SIG//')" ;;
	VAR | 'NAME[,NAME]') _tacit_offer -e ;;
	'USER[:GROUP]') _tacit_offer -u ;;
	*'|'*) _tacit_offer -W "${1//|/ }" ;;
	CLIENT) _tacit_offer -W "$(_tacit_ask "$program" client ls name)" ;;
	ID) _tacit_offer -W "$(_tacit_ask "$program" token ls id)" ;;
	NAME | PATTERN | PREFIX)
		case $command in
		'client add') ;;
		client*) _tacit_value CLIENT ;;
		*) _tacit_offer -W "$(_tacit_ask "$program" ls name)" ;;
		esac
		;;
	esac
}

# What the word at this place is: the N-th argument of the command, from 0.
_tacit_argument() {
	local -a kinds
	read -ra kinds < <(grep -E "^$command( |\$)" <<<"$commands" |
		sed -E "s/^$command ?//; s/--[a-z]+ [^ ]+ ?//g; s/[][]//g")
	_tacit_value "${kinds[$1]}"
}

# The words behind the command: options with their values, and arguments.
_tacit_rest() {
	local options word takes='' count=0
	options=$(_tacit_options "$program" $command)
	for word in "${rest[@]}"; do
		if [[ -n $takes ]]; then
			takes=
		elif [[ $word == -- && $program == *tacit-agent ]]; then
			_tacit_wrapped
			return
		elif [[ $word == --* ]]; then
			takes=$(sed -n "s/^$word //p" <<<"$options")
		else
			count=$((count + 1))
		fi
	done
	if [[ -n $takes ]]; then
		_tacit_value "$takes"
	elif [[ $current == -* ]]; then
		_tacit_offer -W "$(sed 's/ .*//' <<<"$options")"
	else
		_tacit_argument "$count"
	fi
}

# Behind `tacit-agent run ... --` stands a command line of its own.
_tacit_wrapped() {
	local index
	for ((index = 1; index < COMP_CWORD; index++)); do
		[[ ${COMP_WORDS[index]} != -- ]] || break
	done
	if declare -F _command_offset >/dev/null; then
		_command_offset $((index + 1))
	elif ((index + 1 == COMP_CWORD)); then
		_tacit_offer -c
	else
		_tacit_offer_files -f
	fi
}

_tacit() {
	local program=${COMP_WORDS[0]/#\~/$HOME} current=${COMP_WORDS[COMP_CWORD]}
	local commands names command='' word words=() rest=()
	COMPREPLY=()
	# bash takes `--dir=x` for three words.
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ $word == = ]] || words+=("$word")
	done
	[[ $current != = ]] || current=
	commands=$(_tacit_commands "$program")
	names=$(grep -oE '^[a-z][a-z-]*( [a-z][a-z-]*)?' <<<"$commands" | sort -u)
	if ((${#words[@]} == 0)); then
		_tacit_offer -W "$(sed 's/ .*//' <<<"$names" | uniq) --help --version"
	elif grep -qx -- "${words[0]}" <<<"$names"; then
		command=${words[0]} rest=("${words[@]:1}")
		_tacit_rest
	elif ((${#words[@]} == 1)); then
		_tacit_offer -W "$(sed -n "s/^${words[0]} //p" <<<"$names")"
	elif grep -qx -- "${words[0]} ${words[1]}" <<<"$names"; then
		command="${words[0]} ${words[1]}" rest=("${words[@]:2}")
		_tacit_rest
	fi
}

complete -F _tacit tacit tacit-agent tacit-server
