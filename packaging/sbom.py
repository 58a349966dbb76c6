#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The bill of materials of a static program, as CycloneDX 1.5.

usage: sbom.py PROGRAM VERSION LINKER-MAP OUTPUT      in the directory where it was linked

What is in the program is read from the map that the linker wrote, not from what was asked for: each
object file and each archive that gave a member, and by dpkg the package it comes from. With
SOURCE_DATE_EPOCH in the environment the same input gives the same bytes.
"""

import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from urllib.parse import quote

# Debian's short names that are not SPDX's.
SPDX = {"Expat": "MIT"}

# Source packages whose copyright file is no table; the licence is that of the run-time parts.
LICENCES = {
    r"glibc": "LGPL-2.1-or-later",
    r"gcc-[0-9.]+": "GPL-3.0-or-later WITH GCC-exception-3.1",
}


def linked_files(linker_map):
    """Archives of which a member was taken, and object files. Ours are thin archives, which the map
    shows as the objects in them: DIR/libX.a.p/y.c.o."""
    members = linker_map.split("\nDiscarded input sections", 1)[0]
    archives = set(re.findall(r"^(\S+\.a)(?:\(|\.p/)", members, re.MULTILINE))
    objects = set(re.findall(r"^LOAD (\S+\.o)$", linker_map, re.MULTILINE))
    return archives, {name for name in objects if ".a.p/" not in name}


def owners(paths):
    """{path: package} for those that a package owns."""
    found = {}
    listing = subprocess.run(["dpkg-query", "--search", *paths], check=False, text=True,
                             capture_output=True, env={**os.environ, "LC_ALL": "C"}).stdout
    for line in listing.splitlines():
        package, _, path = line.partition(": ")
        if path in paths and not line.startswith("diversion by "):
            found[path] = package
    return found


def describe(package):
    fields = ("binary:Package", "Version", "Architecture", "source:Package", "source:Version",
              "Maintainer", "Homepage")
    text = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "".join(f"${{{one}}}\\n" for one in fields), package],
        check=True, text=True, capture_output=True).stdout
    return dict(zip(fields, text.split("\n")))


def licence(name, source):
    for pattern, expression in LICENCES.items():
        if re.fullmatch(pattern, source):
            return expression
    with open(f"/usr/share/doc/{name}/copyright", encoding="utf-8") as file:
        text = file.read()
    found = re.search(r"^Files: \*\n(?:.+\n)*?License: *(\S.*)", text, re.MULTILINE)
    if not found:
        sys.exit(f"sbom.py: {name}: its licence is not known; see LICENCES")
    return SPDX.get(found[1].strip(), found[1].strip())


def system():
    with open("/etc/os-release", encoding="utf-8") as file:
        return dict(line.rstrip("\n").replace('"', "").split("=", 1)
                    for line in file if "=" in line)


def package_url(facts, release):
    source, version = facts["source:Package"], facts["source:Version"]
    upstream = source if version == facts["Version"] else f"{source}@{version}"
    name = facts["binary:Package"].split(":")[0]
    qualifiers = {"arch": facts["Architecture"], "upstream": upstream,
                  "distro": f"{release['ID']}-{release.get('VERSION_ID', 'sid')}"}
    return (f"pkg:deb/{release['ID']}/{quote(name, safe='')}@{quote(facts['Version'], safe='')}?" +
            "&".join(f"{key}={quote(value, safe='')}" for key, value in sorted(qualifiers.items())))


def digest(path):
    with open(path, "rb") as file:
        return {"alg": "SHA-256", "content": hashlib.sha256(file.read()).hexdigest()}


def occurrences(paths):
    return {"occurrences": [{"location": path} for path in sorted(paths)]}


def package_component(package, paths, release):
    facts = describe(package)
    name = facts["binary:Package"].split(":")[0]
    reference = package_url(facts, release)
    component = {
        "type": "library", "bom-ref": reference, "name": name, "version": facts["Version"],
        "supplier": {"name": re.sub(r" *<.*>", "", facts["Maintainer"])},
        "licenses": [{"expression": licence(name, facts["source:Package"])}],
        "purl": reference, "evidence": occurrences(paths),
    }
    if facts["Homepage"]:
        component["externalReferences"] = [{"type": "website", "url": facts["Homepage"]}]
    return component


def stray_component(path):
    """Of a file that no package owns there is only the file itself to tell of."""
    return {"type": "file", "bom-ref": f"file:{path}", "name": os.path.basename(path),
            "hashes": [digest(path)], "evidence": occurrences([path])}


def system_component(release):
    """Scanners look packages up in the advisories of the distribution that this names."""
    return {"type": "operating-system", "bom-ref": "system", "name": release["ID"],
            "version": release.get("VERSION_ID", "sid"),
            "description": "whose packages the static libraries were taken from"}


def components(paths):
    """One for each package and each stray file, of the files that are not our own."""
    release = system()
    real = {os.path.realpath(path): path for path in paths}
    owned = owners(set(real))
    by_package = {}
    for path, package in owned.items():
        by_package.setdefault(package, []).append(path)
    found = [package_component(package, files, release) for package, files in by_package.items()]
    found += [stray_component(path) for path in real if path not in owned]
    return sorted(found, key=lambda one: one["bom-ref"]) + [system_component(release)]


def timestamp(program):
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or os.stat(program).st_mtime)
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%FT%TZ")


def bill(program, version, linker_map):
    archives, objects = linked_files(linker_map)
    ours = {path for path in archives | objects if not os.path.isabs(path)}
    theirs = (archives | objects) - ours
    name = os.path.basename(program)
    main = {
        "type": "application", "bom-ref": name, "name": name, "version": version,
        "supplier": {"name": "Tacit"}, "licenses": [{"expression": "MIT"}],
        "purl": f"pkg:generic/{name}@{version}", "hashes": [digest(program)],
        "evidence": occurrences(ours),
    }
    parts = components(theirs)
    linked = [part["bom-ref"] for part in parts if part["type"] != "operating-system"]
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {
            "timestamp": timestamp(program), "lifecycles": [{"phase": "build"}],
            "tools": {"components": [{"type": "application", "name": "sbom.py",
                                      "version": version}]},
            "component": main,
        },
        "components": parts,
        "dependencies": [{"ref": name, "dependsOn": linked}] + [{"ref": one} for one in linked],
    }


def main():
    program, version, map_file, output = sys.argv[1:]
    with open(map_file, encoding="utf-8", errors="surrogateescape") as file:
        document = bill(program, version, file.read())
    text = json.dumps(document, sort_keys=True)
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text)}"
    with open(output, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
        file.write("\n")


main()
