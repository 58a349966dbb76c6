#!/bin/bash
# SPDX-License-Identifier: MIT
# What is different on a terminal: the prompt, the newline behind a value, the width of tables.
# shellcheck source=cli_common.sh
. "${BASH_SOURCE[0]%/*}/cli_common.sh"

script=${BASH_SOURCE[0]}
[[ $script == /* ]] || script=$OLDPWD/$script

start_server

# on_terminal CODE [EXPECT SEND]... -- [ARG]...: tacit on a terminal.
on_terminal() {
	local code=$1
	local -a talk=()
	shift
	while [[ $1 != -- ]]; do
		talk+=("$1")
		shift
	done
	shift
	expect "$code" "$cli_pty" "${talk[@]}" -- "$tacit" "$@"
}

echo_is_on() { grep -qx 'echo is on' err || failed 'the terminal was left without echo'; }

value_is() {
	"$tacit" get "$1" >value
	[[ $(<value) == "$2" ]] || failed "the value of $1 is another"
}

test_put_asks_twice_without_echo() {
	on_terminal 0 'Value of typed/a: ' $'hunter2-value\n' 'Once more typed/a: ' \
		$'hunter2-value\n' -- put typed/a
	says_nowhere hunter2
	echo_is_on
	value_is typed/a hunter2-value
}

test_every_printable_byte_can_be_typed() {
	local value=' !"#$%&'\''()*+,-./09:;<=>?@AZ[\]^_`az{|}~ ä '
	on_terminal 0 'Value of typed/b: ' "$value"$'\n' 'Once more' "$value"$'\n' -- put typed/b
	printf '%s' "$value" >typed
	"$tacit" get typed/b >value
	same typed value
}

test_two_different_values_are_refused() {
	on_terminal 1 'Value of typed/c: ' $'one-value\n' 'Once more' $'two-value\n' -- put typed/c
	out_has 'tacit: typed/c: the two are not the same'
	says_nowhere -value
	echo_is_on
	refuse 4 'not found' get typed/c
}

test_an_empty_line_is_refused() {
	on_terminal 1 'Value of typed/d: ' $'\n' -- put typed/d
	out_has 'tacit: typed/d: nothing was typed'
	on_terminal 1 'Value of typed/d: ' $'\004' -- put typed/d
	out_has 'tacit: typed/d: nothing was typed'
	echo_is_on
	refuse 4 'not found' get typed/d
}

# A terminal hands over 4,095 bytes of a line and drops the rest without a word.
test_a_line_that_the_terminal_would_cut_is_refused() {
	local longest
	longest=$(printf 'x%.0s' {1..4094})
	on_terminal 0 'Value of typed/e: ' "$longest"$'\n' 'Once more' "$longest"$'\n' -- put typed/e
	value_is typed/e "$longest"
	on_terminal 1 'Value of typed/f: ' "${longest}x"$'\n' -- put typed/f
	out_has 'too long to type'
	on_terminal 1 'Value of typed/f: ' "${longest}xyz"$'\n' -- put typed/f
	out_has 'too long to type'
	refuse 4 'not found' get typed/f
}

test_an_interrupt_restores_the_terminal() {
	on_terminal 130 'Value of typed/g: ' $'half\003' -- put typed/g
	echo_is_on
	on_terminal 131 'Value of typed/g: ' $'half\034' -- put typed/g
	echo_is_on
	on_terminal 130 'Value of typed/g: ' $'half\n' 'Once more' $'\003' -- put typed/g
	echo_is_on
	says_nowhere half
	refuse 4 'not found' get typed/g
}

# Stopped and continued, it asks anew, and what the shell sees in between has echo.
test_a_stop_restores_the_terminal_and_asks_again() {
	# shellcheck disable=SC2016 # for the shell inside
	expect 0 "$cli_pty" '$ ' $'"$TACIT" put typed/h\n' 'Value of typed/h: ' $'half\032' \
		'Stopped' $'stty -a | grep -o -- " echo "; fg\n' ' echo ' '' \
		'Value of typed/h: ' $'whole-value\n' 'Once more' $'whole-value\n' \
		'version 1' $'exit\n' -- env TACIT="$tacit" PS1='$ ' bash --norc --noprofile -i
	says_nowhere whole-value
	value_is typed/h whole-value
}

test_what_was_typed_before_the_question_is_no_answer() {
	# shellcheck disable=SC2016 # for the shell inside
	expect 0 "$cli_pty" 'ready' $'too-early\n' 'Value of typed/i: ' $'in-time\n' \
		'Once more' $'in-time\n' -- \
		bash -c 'echo ready; sleep 0.3; exec "$0" put typed/i' "$tacit"
	value_is typed/i in-time
}

test_get_adds_a_newline_on_a_terminal_only() {
	printf 'abc' | "$tacit" put plain >/dev/null
	on_terminal 0 -- get plain
	[[ $(od -An -c out | tr -d ' \n') == 'abc\r\n' ]] || failed 'no newline on a terminal'
	on_terminal 0 -- get plain --raw
	[[ $(od -An -c out | tr -d ' \n') == 'abc' ]] || failed 'a newline in spite of --raw'
	run get plain
	[[ $(od -An -c out | tr -d ' \n') == 'abc' ]] || failed 'a newline in a pipe'
}

long_name=$(printf 'long/%.0s' {1..20})name

test_tables_fit_the_terminal() {
	local width longest
	"$tacit" put "$long_name" --generate 16 >/dev/null
	for width in 60 80 100 132; do
		expect 0 "$cli_pty" -w "$width" -- "$tacit" ls long/
		longest=$(tr -d '\r' <out | sed $'s/\033\\[[01]m//g; s/\xe2\x80\xa6/~/g' |
			wc -L)
		((longest <= width)) || failed "$longest columns on $width"
		out_has $'\xe2\x80\xa6'
	done
}

test_tables_in_a_pipe_are_whole_and_plain() {
	"$tacit" put "$long_name" --generate 16 >/dev/null
	run ls long/
	out_has "$long_name"
	! grep -q $'\033' out || failed 'colour in a pipe'
}

test_titles_are_bold_unless_no_color() {
	on_terminal 0 -- ls
	out_has $'\033\\[1mNAME'
	NO_COLOR=1 on_terminal 0 -- ls
	! grep -q $'\033' out || failed 'bold in spite of NO_COLOR'
	TERM=dumb on_terminal 0 -- ls
	! grep -q $'\033' out || failed 'bold on a dumb terminal'
}

test_client_add_on_a_terminal_writes_a_file() {
	on_terminal 0 -- client add onterm
	out_has 'onterm: identity in onterm.pem, valid until 2'
	! grep -q PRIVATE out || failed 'the key shows'
	[[ $(stat -c %a onterm.pem) == 400 ]] || failed 'mode'
	on_terminal 1 -- client add onterm
	out_has 'tacit: onterm.pem: File exists'
}

run_tests "$script"
