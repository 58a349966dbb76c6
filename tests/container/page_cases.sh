# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Pages whose commands are run as they stand there: what each block of sh prints must be the block
# of text that follows it.

# page_script PAGE: the blocks in their order, each with its output in a file of its own, out-N.
page_script() {
	awk '
		/^```sh$/ { in_sh = 1; print "exec >out-" ++block; next }
		/^```$/ { in_sh = 0 }
		in_sh' "$1"
}

# Cuts what PAGE promises into files, wanted-N.
page_promises() {
	awk '
		/^```sh$/ { block++ }
		/^```text$/ { in_text = 1; next }
		/^```$/ { in_text = 0 }
		in_text { print >("wanted-" block) }' "$1"
}

# page_works PAGE BLOCKS LINE...: runs it with each LINE, VARIABLE=VALUE, in place of the one that
# a reader fills in. All else is as printed, and what BLOCKS of it print is as promised.
page_works() {
	local page=$top/docs/$1 blocks=$2 line file compared=0
	shift 2
	page_script "$page" >script
	for line; do
		[[ $(grep -c "^${line%%=*}=" script) == 1 ]] || fail "no line ${line%%=*}="
		sed -i "s|^${line%%=*}=.*|$line|" script
	done
	page_promises "$page"
	# shellcheck source=/dev/null
	(. ./script) <typed.txt 2>errors || fail "exit status $?: $(cat errors)"
	for file in wanted-*; do
		diff -u "$file" "out-${file#*-}" || fail "block ${file#*-}: $(cat errors)"
		compared=$((compared + 1))
	done
	((compared == blocks)) || fail "$compared blocks were compared"
}

# A directory of its own, with what the page takes for granted; what it starts gets the label.
page_prepare() {
	network=$(network)
	mkdir -p "$work/page-$1/bin"
	cd "$work/page-$1" || return
	cat >bin/docker <<-DOCKER
		#!/bin/bash
		[[ \$1 != run ]] || set -- run --label "$engine_label" "\${@:2}"
		exec "$(command -v docker)" "\$@"
	DOCKER
	chmod 0755 bin/docker
	PATH=$PWD/bin:$PATH
	install -m 0755 "$programs/agent/tacit-agent" .
	printf 'correct-horse\n' >typed.txt
	printf correct-horse >password.txt
	printf battery-staple >new-password.txt
}

page_from_e_works() {
	page_prepare from-e
	page_works from-e-to-files.md 5 "image=$(image base-node-alpine)" "start='sleep 1000'"
}

# A container stands in for a task of a swarm: files of root's in /run/secrets, open to all.
page_from_swarm_works() {
	local task image start='sleep 1000'
	page_prepare from-swarm
	image=$(image base-node-alpine)
	mkdir secrets
	install -m 0444 "$work/value/db_password" secrets/
	install -m 0444 "$work/value/blob" secrets/api_key
	task=$(docker run -d --mount "type=bind,src=$PWD/secrets,dst=/run/secrets,readonly" "$image" sleep 1000)
	page_works from-swarm.md 2 "task=$task" client=swarm
	docker rm -f "$task"
}
