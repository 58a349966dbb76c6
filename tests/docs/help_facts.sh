# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What `--help` says, read once for all who hold documents against it. Source it.

# help_commands PROGRAM: the commands, one a line: one word or two, in small letters.
help_commands() {
	"$1" --help | sed -nE '/^Commands:/,/^$/ s/^  ([a-z][a-z-]*( [a-z][a-z-]*)?)( .*)?$/\1/p'
}

# help_options PROGRAM COMMAND: --NAME<TAB>ARGUMENT<TAB>HELP for each option; ARGUMENT may be empty.
help_options() {
	local -a words
	read -ra words <<<"$2"
	"$1" "${words[@]}" --help | awk '
		function tell() {
			if (name != "")
				printf "%s\t%s\t%s\n", name, argument, help
			name = ""
		}
		/^Options:/ { inside = 1; next }
		!inside { next }
		/^  --/ {
			tell()
			name = $1
			help = ""
			argument = $2
			if (substr($0, 3 + length(name), 2) ~ /^ [^ ]/) {
				sub(/^  [^ ]+ [^ ]+ */, "")
			} else {
				argument = ""
				sub(/^  [^ ]+ */, "")
			}
			help = $0
			next
		}
		/^ / { sub(/^ +/, ""); help = help (help == "" ? "" : " ") $0 }
		END { tell() }'
}
