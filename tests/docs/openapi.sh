#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# docs/openapi.yaml against the routes that the server has, both ways, and against itself.
# usage: openapi.sh ROUTES-PROGRAM
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=../lib/common.sh
. "$top/tests/lib/common.sh"
# shellcheck source=../lib/tap.sh
. "$top/tests/lib/tap.sh"

routes=$("$1" | sort)
document=$top/docs/openapi.yaml
described=$("$here/openapi.py" routes "$document" | sort)
version=$(sed -n "s/^ *version: '\(.*\)',\$/\1/p" "$top/meson.build")

# The examples are run by tests/integration/http_api.sh, which counts the methods too.
paths_without_example() {
	local path
	while read -r path; do
		grep -qE "${path//\{name\}/[^/ ?\"]+}([ ?\"]|\$)" "$top/docs/http-api.md" || printf '%s\n' "$path"
	done < <(sed 's/^[A-Z]* //' <<<"$routes" | sort -u)
}

tap_none 'the document is sound' "$("$here/openapi.py" check "$document" 2>&1)"
tap_none 'every route of the server is described' "$(comm -23 <(echo "$routes") <(echo "$described"))"
tap_none 'no other route is described' "$(comm -13 <(echo "$routes") <(echo "$described"))"
tap_none 'no route is there twice' "$(uniq -d <<<"$routes")"
tap_none 'every path has an example in docs/http-api.md' "$(paths_without_example)"
tap_none "its version is the project's" \
	"$(grep -qx "  version: $version" "$document" || echo "not $version")"
tap_end
