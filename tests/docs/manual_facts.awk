# SPDX-License-Identifier: MIT
# What a manual page (mdoc) says about commands, options and exit codes, one fact a line:
#   command NAME                its entry in the synopsis
#   entry NAME OPTION           the entry names the option; `*` for `.Op Ar option ...`
#   item NAME                   `.It Cm NAME`: where it is explained
#   option OPTION value|switch  named outside the synopsis, with an argument or without
#   status NUMBER               an item under EXIT STATUS

# Commands are one or two words in small letters.
function command_at(first) {
	return $first (words > first && $(first + 1) ~ /^[a-z][a-z-]*$/ ? " " $(first + 1) : "")
}

# `Fl -ttl Ar D` and `Fl -env Cm value` have an argument, also with a `Ns =` in between.
function has_argument(behind) {
	while (behind <= words && $behind ~ /^(Ns|=)$/)
		behind++
	return behind < words && $behind ~ /^(Ar|Cm|Pa|Ev|Sy)$/
}

function tell_options(    i, name) {
	for (i = 1; i < words; i++) {
		if ($i !~ /^\.?Fl$/ || $(i + 1) !~ /^-[a-z]/)
			continue
		name = "--" substr($(i + 1), 2)
		if (section != "SYNOPSIS")
			print "option " name (has_argument(i + 2) ? " value" : " switch")
		else if (entry != "")
			print "entry " entry " " name
	}
}

{ words = NF }
/^\.Sh / { section = substr($0, 5) }
section == "SYNOPSIS" && /^\.Nm/ { entry = "" }
section == "SYNOPSIS" && /^\.Cm / {
	entry = command_at(2)
	print "command " entry
}
section == "SYNOPSIS" && /^\.Op Ar option/ { print "entry " entry " *" }
section != "SYNOPSIS" && /^\.It Cm [a-z]/ { print "item " command_at(3) }
section == "EXIT STATUS" && /^\.It [0-9]+$/ { print "status " $2 }
/^\./ { tell_options() }
