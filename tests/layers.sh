#!/bin/sh
# SPDX-License-Identifier: MIT
# The map of the house, checked: which file may include what. Prints TAP, one line a rule.
# usage: layers.sh [ROOT]
set -eu

cd "${1:-$(dirname "$0")/..}"
count=0
failed=0

# verdict NAME OFFENDERS: passes when there are none.
verdict() {
	count=$((count + 1))
	if [ -z "$2" ]; then
		echo "ok $count - $1"
		return
	fi
	failed=$((failed + 1))
	echo "not ok $count - $1"
	printf '%s\n' "$2" | sed 's/^/# /'
}

# includes FOLDER...: "file header" for each #include, however it is spelled.
includes() {
	find "$@" -name '*.[ch]' -exec grep -HE '^[[:blank:]]*#[[:blank:]]*include' {} + |
		sed -E 's/^([^:]*):[[:blank:]]*#[[:blank:]]*include[[:blank:]]*[<"]?([^>"]*).*/\1 \2/' |
		sort
}

all=$(includes include lib server agent cli)

# only PATTERN FILE...: headers that match are included by these files alone.
only() {
	pattern=$1
	shift
	allowed=" $* "
	verdict "only $* include $pattern" "$(printf '%s\n' "$all" |
		awk -v pattern="^$pattern" -v allowed="$allowed" \
			'$2 ~ pattern && index(allowed, " " $1 " ") == 0')"
	# A rule about a header that nobody includes any more checks nothing.
	verdict "$pattern is included somewhere" "$(printf '%s\n' "$all" |
		awk -v pattern="^$pattern" '$2 ~ pattern {found = 1} END {if (!found) print "nowhere"}')"
}

# never FOLDER OTHER...: no file of a folder includes one of the others, by path or by its name.
never() {
	folder=$1
	shift
	for other in "$@"; do
		verdict "$folder never includes $other" "$(printf '%s\n' "$all" |
			awk -v folder="$folder/" -v other="$other" -v names="$(headers_of "$other" "$folder")" '
				index($1, folder) != 1 { next }
				$2 ~ "(^|/)" other "/" || index(names, " " $2 " ")')"
	done
}

# headers_of OTHER FOLDER: the names of OTHER's headers that FOLDER has none of.
headers_of() {
	find "$1" -name '*.h' | while read -r header; do
		name=${header##*/}
		[ -n "$(find "$2" -name "$name")" ] || printf ' %s ' "$name"
	done
}

# rooms FOLDER ROOM...: the folders of a program, lowest first; none includes a header of a higher
# one. Rooms that are joined by a comma are on one level.
rooms() {
	folder=$1
	shift
	verdict "$folder: no room looks up" "$(printf '%s\n' "$all" |
		awk -v folder="$folder/" -v order="$*" -v headers="$(find "$folder" -name '*.h' | tr '\n' ' ')" '
			BEGIN {
				count = split(order, rows, " ")
				for (i = 1; i <= count; i++) {
					n = split(rows[i], names, ",")
					for (j = 1; j <= n; j++)
						level[names[j]] = i
				}
				n = split(headers, paths, " ")
				for (i = 1; i <= n; i++)
					if (split(paths[i], part, "/") == 3)
						level_of[part[3]] = level[part[2]]
			}
			index($1, folder) == 1 && split($1, part, "/") == 3 {
				if (!(part[2] in level)) {
					print part[2] " is not on the map"
					next
				}
				name = $2
				sub(/^store\//, "", name)
				if (level_of[name] > level[part[2]])
					print $1 " looks up to " $2
			}')"
}

# The library's modules, lowest layer first.
layers='
err wipe_free
fd name progress
secret deadline
json codec url
envelope proto options
bundle join_token sealed_bundle
env_file
resolve identity
tls
http_client
'

# A module may include its own headers and those of lower layers, and is known to the map.
library() {
	printf '%s\n' "$all" | awk -v layers="$(printf '%s' "$layers" | tr '\n' ';')" '
		BEGIN {
			lines = split(layers, line, ";")
			for (l = 1; l <= lines; l++) {
				words = split(line[l], word, " ")
				for (w = 1; w <= words; w++)
					level[word[w]] = l
			}
		}
		function module(path) {
			sub(/.*\//, "", path)
			sub(/(_private)?\.[ch]$/, "", path)
			sub(/^identity_.*/, "identity", path) # one module in several files
			sub(/^tls_.*/, "tls", path)
			sub(/^http_.*/, "http_client", path)
			return path
		}
		$1 !~ /^(lib|include\/tacit)\// { next }
		!(module($1) in level) { print $1 " is not on the map"; next }
		$2 ~ /^tacit\// || (module($2) in level && $2 !~ /\//) {
			if (!(module($2) in level))
				print $1 " includes " $2 ", which is not on the map"
			else if (module($1) != module($2) && level[module($2)] >= level[module($1)])
				print $1 " looks up to " $2
		}'
}

rooms server process store vault access,audit route home listener command
rooms agent process source delivery watch,doctor

never lib server agent cli
never include server agent cli
never server agent cli
never agent server cli
never cli server agent

only 'jansson' lib/json.c
only 'openssl/' lib/tls.c lib/tls_context.c lib/tls_private.h lib/tls_verify.c lib/identity.c lib/identity_key.c lib/identity_make.c \
	lib/identity_private.h lib/identity_read.c lib/identity_verify.c
only 'microhttpd' server/listener/listener.c server/listener/listener_http.c server/listener/listener_http.h \
	server/listener/listener_plain.c server/listener/listener_request.c server/listener/listener_sealed.c
only 'gnutls/' server/access/authority_certificates.c server/access/authority_clients.c \
	server/access/authority_private.h server/access/signing.c server/access/signing_request.c \
	server/access/signing_request.h server/access/x509.c server/access/x509.h \
	server/listener/listener_sealed.c server/listener/listener_tls.c
only 'sqlite3' server/store/sqlite.c server/store/sqlite_open.c server/store/sqlite_private.h \
	server/store/sqlite_sync.c server/store/sqlite_upkeep.c
only 'seccomp' server/process/sandbox_seccomp.c

verdict 'lower layers of the library never include upper ones' "$(library)"
verdict 'the store knows nothing of what is above it' "$(printf '%s\n' "$all" |
	awk '$1 ~ /^server\/store\// && $2 !~ /^(store\/|tacit\/|sqlite3)/ && $2 ~ /\.h$/ &&
		system("test -e server/" $2) == 0')"
verdict 'the listener is known to those who start it alone' "$(printf '%s\n' "$all" |
	awk '$2 == "listener.h" && $1 !~ /^server\/(listener\/.*|command\/(command_serve\.c|service\.h)|main\.c)$/')"
verdict 'the store is reached through the vault alone' "$(printf '%s\n' "$all" |
	awk '$2 ~ /store\/store\.h$/ && $1 !~ /^server\/(vault\/vault(_copy)?\.[ch]|store\/)/')"
verdict 'a private header never leaves its folder' "$(printf '%s\n' "$all" |
	awk '$2 ~ /_private\.h$/ {
		folder = $1
		sub(/[^\/]*$/, "", folder)
		if (system("test -e " folder $2) != 0)
			print $1 " includes " $2
	}')"
verdict 'grants are pure: no store, no socket, no file' "$(printf '%s\n' "$all" |
	awk '$1 ~ /^server\/access\/grants\./ &&
		$2 !~ /^(grants\.h|tacit\/(name|err)\.h|std(bool|def|int)\.h|string\.h)$/')"
verdict 'names are pure' "$(printf '%s\n' "$all" |
	awk '$1 ~ /(lib|tacit)\/name\./ &&
		$2 !~ /^(tacit\/(name|err)\.h|std(bool|def|int)\.h|string\.h|sys\/types\.h)$/')"

echo "1..$count"
[ "$failed" -eq 0 ]
