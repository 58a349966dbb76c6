# SPDX-License-Identifier: MIT
# Reads meson's testlog.txt and prints VERDICT<TAB>part<TAB>name for each test: one a line of
# cmocka's ([       OK ] name) or of TAP (ok 1 - name), and one for any other program.
# -v part=NAME; what the first failing program printed goes to the file -v failing=FILE.

function verdict(word, case_name) {
	printf "%s\t%s\t%s%s\n", word, part, program, case_name == "" ? "" : ": " case_name
	counted[word]++
}

# The program as a whole counts when it printed no verdict, crashed, or ended before its plan did.
function finish() {
	if (program == "")
		return
	total = counted["pass"] + counted["fail"] + counted["skip"]
	if (result ~ /exit status 77$/)
		verdict("skip", "")
	else if (result !~ /exit status 0$/ && !counted["fail"])
		verdict("fail", "(" result ")")
	else if (planned != "" && planned != total)
		verdict("fail", "(ran " total " of " planned " tests)")
	else if (total == 0)
		verdict("pass", "")
	if (counted["fail"] && !shown++)
		printf "%s", text > failing
	program = ""
}

/^=+ [0-9]+\/[0-9]+ =+$/ {
	finish()
	delete counted
	text = ""
	result = ""
	planned = ""
}
{ text = text $0 "\n" }
/^test: / && program == "" { program = $NF }
/^result: / { sub(/^result: */, ""); result = $0 }
/^\[ +OK +\] / { verdict("pass", $NF) }
/^\[ +FAILED +\] / && !/test\(s\)/ { failed[program, $NF]++ || verdict("fail", $NF) }
/^\[ +SKIPPED +\] / && !/test\(s\)/ { skipped[program, $NF]++ || verdict("skip", $NF) }
/^1\.\.[0-9]+$/ { planned = substr($0, 4) }
/^(not )?ok [0-9]+ / {
	word = /# SKIP/ ? "skip" : /^not/ ? "fail" : "pass"
	sub(/^(not )?ok [0-9]+ (- |# SKIP )?/, "")
	verdict(word, $0)
}
END { finish() }
