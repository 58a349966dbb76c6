# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Images out of files, and a store with its server in a hardened container on a network of its own.
# `work` is a temporary directory, `programs` the build directory, `top` that of the sources.

# shellcheck source=../../packaging/container/root.sh
. "$top/packaging/container/root.sh"

server_host=store # the server's name on the Docker network
readonly user=1001

network() { printf 'tacit-%s' "$engine_run"; }
container() { printf 'tacit-%s-%s' "$1" "$engine_run"; }
image() { printf 'tacit/%s:%s' "$1" "$engine_run"; }

# image_import NAME ROOT [CHANGE]...: ROOT, owned by root throughout, becomes an image.
image_import() {
	local name=$1 root=$2 change changes=(-c "LABEL $engine_label")
	shift 2
	for change; do
		changes+=(-c "$change")
	done
	tar -C "$root" --owner=0 --group=0 --numeric-owner -c . |
		docker import "${changes[@]}" - "$(image "$name")" >/dev/null
}

# The one that is shipped.
image_server() {
	"$top/packaging/build-image.sh" "$(image server)" "$programs/server/tacit-server" \
		--label "$engine_label" >/dev/null
}

server_listens() { docker logs "$(container server)" 2>&1 | grep -c '^listening on https://' >/dev/null; }

# Docker publishes another port at each start.
server_port() { docker port "$(container server)" 8443/tcp | sed -n '1s/.*://p'; }

server_start() {
	docker run -d --label "$engine_label" --name "$(container server)" "${hardened[@]}" \
		--network "$(network)" --network-alias "$server_host" --publish 127.0.0.1::8443 \
		--mount "type=bind,src=$work/store,dst=/var/lib/tacit" "$(image server)" \
		serve --dir /var/lib/tacit --listen 0.0.0.0:8443 --enroll-listen 0.0.0.0:8444 >/dev/null
	wait_until 20 server_listens || fail "$(docker logs "$(container server)" 2>&1)"
}

init_store() {
	"$programs/server/tacit-server" init --dir "$1" --url "https://$server_host:8443" \
		--san localhost --san 127.0.0.1
}

# A network, a new store, and its server; the admin's identity is in $work/admin.pem.
server_make() {
	docker network create --label "$engine_label" "$(network)" >/dev/null
	init_store "$work/store"
	install -m 0400 "$work/store/admin.pem" "$work/admin.pem"
	chown -R "$user:$user" "$work/store"
	server_start
}

# The operator's command line, from the host.
tacit() {
	TACIT_SERVER=https://127.0.0.1:$(server_port) TACIT_IDENTITY=$work/admin.pem \
		"$programs/cli/tacit" "$@"
}
