# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What every script here shares: messages, cleaning up, waiting. Source it first.

set -euo pipefail
umask 022
export LC_ALL=C
# A plain `su` leaves them out, and that is where dockerd lives.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# shellcheck disable=SC2034 # each script uses the colours that it wants
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
	bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' plain=$'\e[0m'
else
	bold='' red='' green='' yellow='' plain=''
fi

heading() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
say() { printf '%s\n' "$*"; }
warn() { printf '%s%s%s\n' "$yellow" "$*" "$plain" >&2; }

die() {
	printf '%s%s: %s%s\n' "$red" "${0##*/}" "$*" "$plain" >&2
	exit 1
}

# shellcheck source=remove_tree.sh
. "$(dirname "${BASH_SOURCE[0]}")/remove_tree.sh"

# What at_exit is given runs when the script ends, however it ends, the last one first.
exit_actions=()
at_exit() { exit_actions+=("$(printf '%q ' "$@")"); }

run_exit_actions() {
	local index
	for ((index = ${#exit_actions[@]} - 1; index >= 0; index--)); do
		eval "${exit_actions[index]}" || true
	done
	exit_actions=()
}
trap run_exit_actions EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

now_ms() { date +%s%3N; }

# wait_until SECONDS COMMAND [ARG]...: polls until the command succeeds; 1 when the time is up.
wait_until() {
	local deadline_ms=$(($(now_ms) + $1 * 1000))
	shift
	until "$@"; do
		(($(now_ms) < deadline_ms)) || return 1
		sleep 0.05
	done
}

process_gone() { ! kill -0 "$1" 2>/dev/null; }

# stop_process PID [SECONDS]: TERM, then KILL when the time is up.
stop_process() {
	kill -TERM "$1" 2>/dev/null || return 0
	wait_until "${2:-10}" process_gone "$1" || kill -KILL "$1" 2>/dev/null || true
}

mounts_below() { awk -v path="$1/" 'index($5, path) == 1 { print $5 }' /proc/self/mountinfo | tac; }

# Removes a directory, but never what is mounted below it: to --one-file-system a bind mount of the
# same disk is no other file system. What cannot be unmounted first stays, and the directory too.
remove_tree() {
	local path point
	path=$(realpath -- "$1") || return 0
	while read -r point; do
		umount -l -- "$point" || true
	done < <(mounts_below "$path")
	if [[ -n $(mounts_below "$path") ]]; then
		warn "$path is left: something is mounted below it"
		return 1
	fi
	rm -rf --one-file-system -- "$path"
}

# Sets the variable named by $1 to a new directory that goes when the script ends.
make_temp_dir() {
	local -n directory=$1
	directory=$(mktemp -d "${TMPDIR:-/tmp}/tacit-XXXXXXXX")
	at_exit remove_tree "$directory"
}
