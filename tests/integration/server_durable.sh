#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What was answered is on the disk: with a disk that hangs, one that fails, and without power.
# shellcheck source=server_common.sh
. "$(dirname "${BASH_SOURCE[0]}")/server_common.sh"
slow_disk=${cli_pty%/*}/libslow_disk.so

# serve_on_slow_disk DIR: with the files that make its disk hang or fail in the working directory.
serve_on_slow_disk() {
	HANG_SYNC=$work/hang FAIL_SYNC=$work/fail SYNCED=$work/$1/synced \
		ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0 LD_PRELOAD=$slow_disk \
		serve_dir "$1"
	ca_of "$1/admin.pem" >ca.pem
}

put_value() { # NAME VALUE OUT: the status in OUT
	call "/v1/secrets/$1" -X PUT --data-binary "$2" >"$3"
}

has_ended() { [[ -s $1 ]]; }

test_an_answer_waits_for_a_disk_that_hangs_and_so_does_whoever_sees_the_change() {
	new_store hanging
	serve_on_slow_disk hanging
	called 201 /v1/secrets/a -X PUT --data-binary one
	called 200 /v1/secrets/a
	touch hang
	at_exit rm -f hang
	put_value a two put.status &
	at_exit stop_process $!
	sleep 0.3
	(call /v1/secrets/a >get.status && mv body get.body) &
	at_exit stop_process $!
	sleep 0.7
	[[ ! -s put.status && ! -s get.status ]] || failed 'an answer did not wait for the disk'
	rm hang
	wait_until 5 has_ended put.status || failed 'the change is not answered'
	wait_until 5 has_ended get.status || failed 'the reader is not answered'
	[[ $(<put.status) == 200 && $(<get.status) == 200 ]] || failed "$(<put.status) $(<get.status)"
	stop_server
}

test_stopping_waits_for_the_disk_and_answers() {
	new_store stopping
	serve_on_slow_disk stopping
	touch hang
	at_exit rm -f hang
	put_value a one put.status &
	at_exit stop_process $!
	sleep 0.5
	kill "$server_pid"
	sleep 0.5
	rm hang
	wait_until 5 has_ended put.status || failed 'no answer'
	[[ $(<put.status) == 201 ]] || failed "$(<put.status)"
	wait "$server_pid" || failed "exit code $?"
}

test_a_disk_that_fails_ends_the_server_and_nothing_was_promised() {
	new_store failing
	serve_on_slow_disk failing
	called 201 /v1/secrets/kept -X PUT --data-binary one
	touch fail
	at_exit rm -f fail
	called 503 /v1/secrets/lost -X PUT --data-binary two
	code_is store_unavailable
	server_status=0
	wait "$server_pid" || server_status=$?
	((server_status == 1)) || failed "exit code $server_status"
	grep -q 'store.db: the disk has failed' server.err || failed "$(<server.err)"
	rm fail
	serve_on_slow_disk failing
	called 200 /v1/secrets/kept
	stop_server
	expect 0 "$tacit_server" check --dir failing
}

# write_on NAME: one value after another; as many lines in NAME.done as were acknowledged.
write_on() {
	while [[ $(call "/v1/secrets/$1" -X PUT --data-binary v) == 20[01] ]]; do echo >>"$work/$1.done"; done
}

enough_written() { (($(cat ./*.done 2>/dev/null | wc -l) >= 60)); }

test_what_was_acknowledged_is_there_after_a_power_cut() {
	local name
	new_store whole
	mkdir cut
	cp whole/store.db cut/
	serve_on_slow_disk whole
	for name in a b c d; do
		(mkdir "at.$name" && cp ca.pem "at.$name/" && export TACIT_IDENTITY=$work/whole/admin.pem &&
			cd "at.$name" && write_on "$name") &
		at_exit stop_process $!
	done
	wait_until 20 enough_written || failed 'nothing is written'
	stop_server_by KILL
	cp whole/seal.json whole/*.key whole/audit.log whole/admin.pem cut/ 2>/dev/null ||
		failed "$(ls whole)"
	mv whole/synced cut/store.db-wal
	chmod 700 cut
	serve_dir cut
	for name in a b c d; do
		called 200 "/v1/secrets/$name?version=$(wc -l <"$name.done")"
	done
	stop_server
	expect 0 "$tacit_server" check --dir cut
}

run_tests "$script"
