#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `tacit-server health`: what a container's health check runs.
here=${BASH_SOURCE[0]%/*}
# shellcheck source=server_common.sh
. "$here/server_common.sh"

test_a_server_that_serves_is_well() {
	new_store well
	serve_dir well
	expect 0 "$tacit_server" health --dir well
	out_is ok
	stop_server
}

test_without_a_server_it_is_not() {
	new_store idle
	server_refuses 1 'idle: no server runs on it' health --dir idle
	server_refuses 1 'nowhere: No such file or directory' health --dir nowhere
	server_refuses 2 'no such option' health --dir idle --url x
}

# Guessing a key takes longer each time; others are answered meanwhile.
test_a_sealed_server_says_so_at_once() {
	local begun_ms
	new_store sealed
	head -c 32 /dev/urandom >wrong
	chmod 0400 wrong
	: >server.log
	"$tacit_server" serve --dir sealed --listen 127.0.0.1:0 --sealed >server.log 2>server.err &
	server_pid=$!
	at_exit stop_process "$server_pid"
	wait_until 20 grep -q '^sealed:' server.log || failed "it does not start: $(<server.err)"
	server_refuses 1 'does not open' unseal --dir sealed --key-file "$work/wrong"
	"$tacit_server" unseal --dir sealed --key-file "$work/wrong" >unseal.log 2>&1 &
	sleep 0.2
	begun_ms=$(now_ms)
	server_refuses 1 'sealed: the store is sealed' health --dir sealed
	(($(now_ms) - begun_ms < 700)) || failed "after $(($(now_ms) - begun_ms)) ms"
	kill -0 "$!" || failed 'the other request was over already'
	wait "$!" && failed 'the wrong key opens it'
	expect 0 "$tacit_server" unseal --dir sealed
	wait_until 20 server_listens || failed "it does not listen: $(<server.err)"
	expect 0 "$tacit_server" health --dir sealed
	stop_server
	((server_status == 0)) || failed "ends with $server_status"
}

run_tests "$0"
