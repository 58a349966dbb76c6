# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Removing what a test has made, and nothing else.

mounts_below() { awk -v below="$1/" 'index($5 "/", below) == 1 { print $5 }' /proc/self/mountinfo; }

# Removes a directory, but never what is mounted in it: a bind mount of the same file system is no
# border to `rm --one-file-system`.
remove_tree() {
	local directory mount
	directory=$(realpath -- "$1") || return 0
	while read -r mount; do umount -l -- "$mount"; done < <(mounts_below "$directory" | tac)
	if [[ -n $(mounts_below "$directory") ]]; then
		echo "left alone, since something is mounted there: $directory" >&2
		return 1
	fi
	rm -rf --one-file-system -- "$directory"
}
