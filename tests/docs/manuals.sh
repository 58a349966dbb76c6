#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each manual page against what its program says with --help, both ways. Prints TAP.
# usage: manuals.sh BUILD-DIR
# How a page has to be written for that is said in manual_facts.awk.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=../lib/common.sh
. "$top/tests/lib/common.sh"
# shellcheck source=../lib/tap.sh
. "$top/tests/lib/tap.sh"
# shellcheck source=help_facts.sh
. "$here/help_facts.sh"

build=$1
work=
make_temp_dir work
programs=(server/tacit-server agent/tacit-agent cli/tacit)

# Options that stand in no entry of the synopsis: every command may have them.
readonly everywhere='--help|--json|--identity|--server|--timeout'

read_help() {
	local program=$1 command
	while read -r command; do
		printf 'command %s\n' "$command"
		help_options "$program" "$command" |
			awk -F '\t' -v command="$command" '{
				print "entry " command " " $1
				print "option " $1 ($2 == "" ? " switch" : " value")
			}'
	done < <(help_commands "$program") | sort -u
}

# facts KIND FILE: the facts of that kind, without the word.
facts() { sed -n "s/^$1 //p" "$2" | sort -u; }

# lacks NAME FACTS OTHER-FACTS: passes when every line of the first is in the second.
lacks() { tap_none "$1" "$(comm -23 <(sort -u <<<"$2") <(sort -u <<<"$3") | sed '/^$/d')"; }

check_commands() {
	local name=$1 help=$work/help page=$work/page
	lacks "$name: every command has an entry in the synopsis" \
		"$(facts command "$help")" "$(facts command "$page")"
	lacks "$name: the synopsis has no other entries" \
		"$(facts command "$page")" "$(facts command "$help")"
	lacks "$name: every command is explained (.It Cm)" \
		"$(facts command "$help")" "$(facts item "$page")"
}

# `.Op Ar option ...` stands for all options of its entry.
check_entries() {
	local name=$1 summed given
	summed=$(facts entry "$work/page" | sed -n 's/ \*$/ /p')
	given=$(facts entry "$work/help" | grep -vE " ($everywhere)\$" || true)
	if [[ -n $summed ]]; then
		given=$(grep -vFf <(printf '%s\n' "$summed") <<<"$given" || true)
	fi
	lacks "$name: each command's options are in its entry" \
		"$given" "$(facts entry "$work/page")"
	lacks "$name: no entry has an option that its command has not" \
		"$(facts entry "$work/page" | grep -v ' \*$')" "$(facts entry "$work/help")"
}

check_options() {
	local name=$1 help page
	help=$(facts option "$work/help" | grep -v '^--help ')
	page=$(facts option "$work/page" | grep -vE '^--(help|version) switch$')
	lacks "$name: every option is explained, with its argument (.Fl)" "$help" "$page"
	# In passing an option may be named without its argument.
	lacks "$name: no option is explained that there is not" \
		"$(cut -d ' ' -f 1 <<<"$page"; grep ' value$' <<<"$page")" \
		"$(cut -d ' ' -f 1 <<<"$help"; grep ' value$' <<<"$help")"
}

check_form() {
	local page=$1 name=${1##*/}
	tap_none "$name: mandoc has nothing to say" "$(mandoc -T lint -W warning "$page" 2>&1)"
	tap_none "$name: man has nothing to say" \
		"$(MANWIDTH=80 man --warnings --local-file "$page" 2>&1 >/dev/null)"
}

# The page of `tacit` lists what include/tacit/err.h gives out.
check_exit_codes() {
	local given
	given=$(awk -F '[(,]' '/^\tX\([A-Z]/ { print $4 + 0 } END { print 0 }' \
		"$top/include/tacit/err.h")
	lacks 'tacit: every exit code is explained' "$given" "$(facts status "$work/page")"
	lacks 'tacit: no other exit code is explained' "$(facts status "$work/page")" "$given"
}

# Variables are looked for in the program's own folder, where it asks for them.
check_variables() {
	local name=$1 folder=$2 page=$top/docs/$1.1 variable missing=
	while read -r variable; do
		grep -qE "^\\.(It )?Ev .*\<$variable\>" "$page" || missing+="$variable"$'\n'
	done < <(grep -rhoE '"TACIT_[A-Z_]+"|getenv\("[A-Z_]+"' "$top/$folder" --include='*.c' |
		grep -oE '[A-Z_]{3,}' | sort -u)
	tap_none "$name: every variable is explained (.Ev)" "${missing%$'\n'}"
}

for program in "${programs[@]}"; do
	name=${program##*/}
	read_help "$build/$program" >"$work/help"
	awk -f "$here/manual_facts.awk" "$top/docs/$name.1" >"$work/page"
	check_commands "$name"
	check_entries "$name"
	check_options "$name"
	check_variables "$name" "${program%%/*}"
	check_form "$top/docs/$name.1"
	[[ $name != tacit ]] || check_exit_codes
done
tap_end
