# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The bill of materials, held against CycloneDX 1.5 and against what the linker really did.

sbom=      # the document
sbom_of=   # the program that it is about
linked_in= # the directory where that was linked

sbom_holds() { jq -e "$1" "$sbom" >/dev/null || fail "does not hold: $1"; }

# What CycloneDX 1.5 requires, and what a reader needs over it.
sbom_is_whole() {
	sbom_holds '.bomFormat == "CycloneDX" and .specVersion == "1.5" and .version == 1'
	sbom_holds '.serialNumber | test("^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")'
	sbom_holds '.metadata.component | .type == "application" and .name == "tacit-agent"'
	sbom_holds '[.components[] | select(.type == "library")] | length >= 5'
	sbom_holds '[.components[] | select(.type == "library") |
		.name, .version, .purl, .supplier.name, .licenses[0].expression] |
		all(type == "string" and length > 0)'
	sbom_holds '[.components[].type] | all(IN("library", "operating-system"))'
	sbom_holds '[.components[] | select(.type == "library") | .purl] |
		all(test("^pkg:deb/[a-z]+/[a-z0-9.%+-]+@[A-Za-z0-9.%~-]+[?]arch=[a-z0-9]+&distro=[a-z0-9.-]+&upstream=[a-z0-9.%+-]+$"))'
}

sbom_references_resolve() {
	sbom_holds '[.metadata.component["bom-ref"], .components[]["bom-ref"]] | length == (unique | length)'
	sbom_holds '([.metadata.component["bom-ref"], .components[]["bom-ref"]]) as $known |
		[.dependencies[] | .ref, .dependsOn[]?] - $known == []'
	sbom_holds '.metadata.component["bom-ref"] as $main |
		([.components[] | select(.type != "operating-system")["bom-ref"]] | sort) ==
		([.dependencies[] | select(.ref == $main).dependsOn[]] | sort)'
}

sbom_has_hash_of_program() {
	[[ $(jq -r '.metadata.component.hashes[] | select(.alg == "SHA-256").content' "$sbom") == \
		"$(sha256sum <"$sbom_of" | cut -d ' ' -f 1)" ]] || fail 'it is about another file'
	sbom_holds ".metadata.component.version == \"$version\""
}

# Where the linker put bytes from: an archive, ours being thin, or an object file by itself.
files_in_map() {
	local file
	sed -n '/^Linker script and memory map/,$ { /^LOAD/d; p }' "$linked_in/agent/tacit-agent.map" |
		sed -nE 's/^.* 0x[0-9a-f]+ +0x[0-9a-f]+ ([^ ]+)$/\1/p' |
		sed -E 's/\.a(\(.*|\.p\/.*)/.a/' | sort -u | while read -r file; do
		[[ $file == /* ]] && realpath "$file" || printf '%s\n' "$file"
	done | sort -u
}

sbom_covers_linker_map() {
	local listed mapped
	listed=$(jq -r '.metadata.component, .components[] | .evidence.occurrences[]?.location' "$sbom" | sort)
	mapped=$(files_in_map)
	(($(grep -c '\.a$' <<<"$mapped") >= 9)) || fail "the map is read wrongly: $mapped"
	[[ $listed == "$mapped" ]] || fail "$(diff <(printf '%s\n' "$listed") <(printf '%s\n' "$mapped"))"
}

# The package of each file, and its version, as dpkg has them now.
sbom_names_packages() {
	local name wanted file
	while read -r name wanted file; do
		[[ $(dpkg-query -S "$file") == "$name":* ]] || fail "$file is not of $name"
		[[ $(dpkg-query -W -f '${Version}' "$name") == "$wanted" ]] || fail "version of $name"
		[[ -f /usr/share/doc/$name/copyright ]] || fail "no licence of $name"
	done < <(jq -r '.components[] | select(.type == "library") |
		. as $one | .evidence.occurrences[] | "\($one.name) \($one.version) \(.location)"' "$sbom")
}

# The same program, the same bytes, wherever and whenever; the time is that of the release.
sbom_is_reproducible() {
	local epoch
	epoch=$(dpkg-parsechangelog -l "$top/packaging/debian/changelog" -S Timestamp)
	(
		umask 077
		cd "$linked_in"
		LC_ALL=C TZ=Asia/Tokyo SOURCE_DATE_EPOCH=$epoch "$top/packaging/sbom.py" \
			agent/tacit-agent "$version" agent/tacit-agent.map "$work/again"
	)
	diff "$sbom" "$work/again" || fail 'differs'
}

# run_sbom_cases DOCUMENT PROGRAM LINKED-IN
run_sbom_cases() {
	sbom=$1 sbom_of=$2 linked_in=$3
	case_of 'bill of materials: has what CycloneDX 1.5 requires' sbom_is_whole
	case_of 'bill of materials: all references resolve' sbom_references_resolve
	case_of 'bill of materials: is that of the program beside it' sbom_has_hash_of_program
	case_of 'bill of materials: lists every archive of the linker map, and no other' \
		sbom_covers_linker_map
	case_of 'bill of materials: names packages, versions and licences' sbom_names_packages
	case_of 'bill of materials: is reproducible' sbom_is_reproducible
}
