# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The images of the suite, built on the spot from Debian's packages; nothing is pulled.
# `here` is this directory; see also tests/lib/server.sh.

with_agent() { install -D -m 0755 "$programs/agent/tacit-agent" "$1/usr/local/bin/tacit-agent"; }

with_busybox() {
	local root=$1 applet
	install -D -m 0755 /bin/busybox "$root/bin/busybox"
	for applet in $(/bin/busybox --list); do
		[[ $applet == busybox ]] || ln -sf busybox "$root/bin/$applet"
	done
}

# The scripts that Debian's node keeps outside its binary; other builds have none.
node_scripts() {
	# shellcheck disable=SC2016
	node -p 'process.config.target_defaults.defines.map(String)
		.map((text) => /^NODE_SHARED_BUILTIN_\w*_PATH=(.*)$/.exec(text)?.[1])
		.filter(Boolean).join("\n")'
}

# with_node ROOT PATH: node at PATH, with its libraries and scripts.
with_node() {
	local root=$1 script
	install -D -m 0755 "$(readlink -f "$(command -v node)")" "$root$2"
	with_libraries "$root" "$root$2"
	node_scripts | while read -r script; do
		[[ -z $script ]] || install -D -m 0644 "$script" "$root$script"
	done
}

# musl's loader and busybox: a glibc binary finds no loader in there.
alpine_root() {
	local root=$1 loader
	mkdir -p "$root/etc" "$root/tmp"
	printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\n' >"$root/etc/group"
	for loader in /lib/ld-musl-*.so.1; do
		install -D -m 0755 "$loader" "$root$loader"
	done
	with_busybox "$root"
}

image_scratch() {
	local root=$work/image/scratch
	with_agent "$root"
	install -D -m 0755 /bin/busybox "$root/bin/busybox"
	install -D -m 0755 "$here/probe/probe.sh" "$root/probe.sh"
	image_import scratch "$root" 'ENTRYPOINT ["/usr/local/bin/tacit-agent","run","--"]'
}

image_alpine() {
	local root=$work/image/alpine
	alpine_root "$root"
	with_agent "$root"
	musl-gcc -O2 -Wall -Wextra -Werror -o "$root/probe" "$here/probe/probe.c"
	gcc -O2 -Wall -Wextra -Werror -o "$root/probe-glibc" "$here/probe/probe.c"
	image_import alpine "$root" 'ENV PATH=/usr/local/bin:/bin' \
		'ENTRYPOINT ["tacit-agent","run","--"]'
}

image_distroless() {
	local root=$work/image/distroless
	with_node "$root" /nodejs/bin/node
	image_import base-distroless "$root" 'ENV PATH=/usr/local/bin:/nodejs/bin' \
		'ENTRYPOINT ["/nodejs/bin/node"]'
	with_agent "$root"
	install -D -m 0644 "$here/probe/probe.js" "$root/probe.js"
	image_import distroless "$root" 'ENV PATH=/usr/local/bin:/nodejs/bin' \
		'ENTRYPOINT ["/usr/local/bin/tacit-agent","run","--"]'
}

# Stands in for node:18-alpine. Its node is Debian's and started by a loader at a place of its own,
# so that in this image, too, a glibc binary finds none.
image_base_node_alpine() {
	local root=$work/image/base-node-alpine loader
	alpine_root "$root"
	install -D -m 0755 "$here/base/apk" "$root/sbin/apk"
	install -D -m 0755 "$here/base/adduser" "$root/usr/sbin/adduser"
	install -D -m 0755 "$here/base/addgroup" "$root/usr/sbin/addgroup"
	with_node "$work/image/node" /node
	cp -a "$work/image/node" "$root/opt"
	loader=$(cd "$root/opt" && ls -d lib*/ld-linux*)
	mkdir -p "$root/opt/all" "$root/usr/local/bin"
	find "$root/opt" -name '*.so*' -type f -exec mv -t "$root/opt/all" {} +
	printf '#!/bin/sh\nexec /opt/all/%s --library-path /opt/all /opt/node "$@"\n' \
		"${loader##*/}" >"$root/usr/local/bin/node"
	chmod 0755 "$root/usr/local/bin/node"
	[[ ! -d $root/opt/usr/share ]] || cp -a "$root/opt/usr/share" "$root/usr/"
	image_import base-node-alpine "$root" \
		'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' 'CMD ["node"]'
}

# image_example NAME [OPTION]...: builds examples/dockerfile/NAME as its README says.
image_example() {
	local name=$1 context=$work/context-$1
	shift
	cp -a "$top/examples/dockerfile" "$context"
	install -m 0755 "$programs/agent/tacit-agent" "$context/tacit-agent"
	gcc -static -O2 -Wall -Wextra -Werror -o "$context/scratch/server" "$context/scratch/server.c"
	DOCKER_BUILDKIT=0 docker build -q --force-rm --network none --label "$engine_label" \
		"$@" -t "$(image "example-$name")" -f "$context/$name/Dockerfile" "$context"
}
