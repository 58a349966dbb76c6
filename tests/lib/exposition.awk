# SPDX-License-Identifier: MIT
# Prometheus's text format, version 0.0.4, strictly: prints what is wrong with a document, one line
# each, and nothing for a good one. No timestamps, no empty lines, no comments but HELP and TYPE.

function complain(what) { print "line " NR ": " what }

# The family that a sample belongs to: a histogram's samples have names of their own.
function family_of(name,    base) {
	base = name
	if (type[current] == "histogram" && sub(/_(bucket|sum|count)$/, "", base) && base == current)
		return base
	return name
}

function check_labels(text,    rest, label) {
	rest = text
	while (match(rest, /^[a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\["\\n])*"/)) {
		label = substr(rest, 1, index(rest, "=") - 1)
		if (label in seen_label)
			complain("label " label " twice")
		seen_label[label] = 1
		rest = substr(rest, RLENGTH + 1)
		if (rest == "")
			break
		if (substr(rest, 1, 1) != "," || rest == ",")
			break
		rest = substr(rest, 2)
	}
	delete seen_label
	if (rest != "")
		complain("labels: " rest)
}

function check_bucket(labels, value,    bound) {
	bound = labels
	sub(/^le="/, "", bound)
	sub(/"$/, "", bound)
	if (bound != "+Inf" && bound + 0 <= last_bound + 0 && last_bound != "")
		complain("buckets out of order")
	if (value + 0 < last_count + 0)
		complain("buckets do not add up")
	last_bound = bound
	last_count = value
}

function finish_family() {
	if (current == "")
		return
	if (!(current in type))
		complain(current " has no type")
	if (samples == 0 && type[current] != "counter")
		complain(current " has no sample")
	if (type[current] == "histogram" &&
	    (last_bound != "+Inf" || last_count != counted || !has_sum))
		complain(current " is no whole histogram")
}

/^# HELP / {
	finish_family()
	current = $3
	if (current in help)
		complain(current " twice")
	if (NF < 4 || $0 !~ /\.$/)
		complain(current " is not explained")
	help[current] = 1
	samples = 0
	last_bound = last_count = counted = has_sum = ""
	next
}

/^# TYPE / {
	if ($3 != current || current in type || NF != 4)
		complain("TYPE out of place")
	if ($4 !~ /^(counter|gauge|histogram)$/)
		complain("type " $4)
	if (($4 == "counter") != ($3 ~ /_total$/))
		complain($3 " is no name for a " $4)
	type[$3] = $4
	next
}

{
	if (!match($0, /^[a-zA-Z_:][a-zA-Z0-9_:]*/)) {
		complain("no sample: " $0)
		next
	}
	name = substr($0, 1, RLENGTH)
	rest = substr($0, RLENGTH + 1)
	labels = ""
	if (match(rest, /^\{.*\} /)) {
		labels = substr(rest, 2, RLENGTH - 3)
		rest = substr(rest, RLENGTH)
		check_labels(labels)
	}
	if (rest !~ /^ (-?[0-9]+(\.[0-9]+)?|\+Inf|NaN)$/)
		complain("value:" rest)
	if (family_of(name) != current)
		complain(name " outside of its family")
	if ((name, labels) in series)
		complain(name "{" labels "} twice")
	series[name, labels] = 1
	samples++
	if (type[current] == "histogram" && name ~ /_bucket$/)
		check_bucket(labels, substr(rest, 2))
	if (type[current] == "histogram" && name ~ /_count$/)
		counted = substr(rest, 2)
	if (type[current] == "histogram" && name ~ /_sum$/)
		has_sum = 1
}

END {
	finish_family()
	if (NR == 0)
		print "empty"
}
