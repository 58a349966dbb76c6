# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The image of the server that is shipped; all cases here run against it.

image_says() { docker inspect -f "$1" "$(image server)"; }

image_follows_the_rules() {
	[[ $(image_says '{{.Config.User}}') == 1001:1001 ]] || fail 'USER'
	[[ $(image_says '{{json .Config.ExposedPorts}}') == '{"8443/tcp":{}}' ]] || fail 'EXPOSE'
	[[ $(image_says '{{json .Config.Volumes}}') == '{"/var/lib/tacit":{}}' ]] || fail 'VOLUME'
	[[ $(image_says '{{index .Config.Healthcheck.Test 0}} {{index .Config.Healthcheck.Test 1}}') == \
		'CMD /usr/bin/tacit-server' ]] || fail 'HEALTHCHECK'
	[[ $(image_says '{{json .Config.Entrypoint}}') == '["/usr/bin/tacit-server"]' ]] || fail 'ENTRYPOINT'
}

# No shell, nothing set-uid, nothing to write to but the volume, and each library with its package.
image_holds_only_the_server() {
	local root=$work/unpacked odd
	mkdir "$root"
	docker export "$(container server)" | tar -C "$root" -x
	odd=$(find "$root" -type f ! -path '*/lib*/*.so*' ! -path '*/dpkg/status.d/*' \
		! -path '*/share/doc/*/copyright' -printf '/%P\n' | sort)
	[[ $odd == "$(printf '%s\n' /.dockerenv /dev/console /etc/{group,hostname,hosts,os-release,passwd,resolv.conf} \
		/usr/bin/tacit-server)" ]] || fail "holds $odd"
	odd=$(find "$root" -xdev \( -perm /7000 -o ! -type l -perm /022 \) ! -path "$root/dev*")
	[[ -z $odd ]] || fail "modes of $odd"
	[[ $(find "$root" -uid 1001 ! -path "$root/var/lib/tacit/*" -printf '/%P') == /var/lib/tacit ]] ||
		fail "uid 1001 owns $(find "$root" -uid 1001)"
}

image_records_its_packages() {
	local root=$work/unpacked libraries name records wanted
	mapfile -t libraries < <(cd "$root" && find . -name '*.so*' -type f -printf '/%P\n')
	((${#libraries[@]} > 10)) || fail "${#libraries[@]} libraries"
	wanted=$(packages_of "${libraries[@]}" | xargs dpkg-query -W -f '${Package} ${Version}\n' | sort)
	records=$(sed -n '/^Package: /{ s///; h }; /^Version: /{ s///; H; g; s/\n/ /p }' \
		"$root"/var/lib/dpkg/status.d/* | sort)
	[[ $records == "$wanted" ]] || fail "$(diff <(echo "$wanted") <(echo "$records"))"
	while read -r name _; do
		[[ -s $root/usr/share/doc/$name/copyright ]] || fail "no licence of $name"
	done <<<"$wanted"
}

health_status() { docker inspect -f '{{.State.Health.Status}}' "$1"; }
is_healthy() { [[ $(health_status "$1") == healthy ]]; }

image_becomes_healthy() {
	wait_until 15 is_healthy "$(container server)" ||
		fail "$(docker inspect -f '{{json .State.Health}}' "$(container server)")"
}

in_volume() {
	docker run --label "$engine_label" "${hardened[@]}" \
		--mount "type=volume,src=$(container state),dst=/var/lib/tacit" "$@"
}

# A new volume, filled as the README says; what the health check runs tells sealed from open.
image_serves_from_a_volume() {
	local name
	name=$(container sealed)
	docker volume create --label "$engine_label" "$(container state)"
	in_volume --rm "$(image server)" init --dir /var/lib/tacit --url https://store:8443
	in_volume -d --name "$name" "$(image server)" serve --dir /var/lib/tacit --listen :8443 --sealed
	wait_until 10 sealed_server_waits "$name" || fail "$(docker logs "$name" 2>&1)"
	! probe "$name" || fail 'a sealed server is well'
	grep -q 'the store is sealed' "$work/probe" || fail "$(<"$work/probe")"
	docker exec "$name" /usr/bin/tacit-server unseal --dir /var/lib/tacit
	wait_until 10 probe "$name" || fail "$(<"$work/probe")"
	docker stop -t 10 "$name"
	[[ $(docker inspect -f '{{.State.ExitCode}}' "$name") == 0 ]] || fail 'does not end in order'
	docker rm "$name"
	docker volume rm "$(container state)"
}

sealed_server_waits() { docker logs "$1" 2>&1 | grep -c '^sealed:' >/dev/null; }
probe() {
	docker exec "$1" /usr/bin/tacit-server health --dir /var/lib/tacit >"$work/probe" 2>&1
}
