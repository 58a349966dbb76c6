#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The container suite: the programs in real, hardened containers, with a real engine.
# usage: suite.sh [BUILD-DIR]
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=../lib/common.sh
. "$top/tests/lib/common.sh"
# shellcheck source=../lib/packages.sh
. "$top/tests/lib/packages.sh"
# shellcheck source=../lib/engine.sh
. "$top/tests/lib/engine.sh"
# shellcheck source=../lib/results.sh
. "$top/tests/lib/results.sh"
# shellcheck source=../lib/server.sh
. "$top/tests/lib/server.sh"
# shellcheck source=images.sh
. "$here/images.sh"
# shellcheck source=postgres_image.sh
. "$here/postgres_image.sh"
# shellcheck source=fixture.sh
. "$here/fixture.sh"
# shellcheck source=checks.sh
. "$here/checks.sh"
# shellcheck source=cases.sh
. "$here/cases.sh"
# shellcheck source=image_cases.sh
. "$here/image_cases.sh"
# shellcheck source=token_cases.sh
. "$here/token_cases.sh"
# shellcheck source=doctor_cases.sh
. "$here/doctor_cases.sh"
# shellcheck source=offline_cases.sh
. "$here/offline_cases.sh"
# shellcheck source=example_cases.sh
. "$here/example_cases.sh"
# shellcheck source=compose_cases.sh
. "$here/compose_cases.sh"
# shellcheck source=init_cases.sh
. "$here/init_cases.sh"
# shellcheck source=kubernetes_cases.sh
. "$here/kubernetes_cases.sh"
# shellcheck source=page_cases.sh
. "$here/page_cases.sh"
shopt -s extglob

programs=$(realpath "${1:-$top/build}")

case_of() { run_case container "$@"; }

# Where no container can run the suite says so; in CI that is a failure.
without_engine() {
	warn '************************************************************************'
	warn "NO CONTAINER WAS RUN: $engine_problem"
	warn '************************************************************************'
	if [[ ${CI:-} == true ]]; then
		record fail container "no container engine: $engine_problem"
	else
		record skip container "no container engine: $engine_problem"
	fi
}

build_images() {
	local kind
	for kind in scratch alpine distroless base_node_alpine base_debian postgres server; do
		"image_$kind"
	done
}

prepare() {
	build_images
	fixture_make
}

run_deliveries() {
	local kind variant start
	for kind in scratch alpine distroless; do
		for variant in 'without tmpfs' 'with tmpfs' 'with own tmpfs'; do
			for start in 1 2 3; do
				case_of "$kind $variant: delivers at start $start" \
					deliver "$kind" "$variant" "$start"
			done
		done
		case_of "$kind: SIGTERM reaches the app within a second" stops_at_once "$kind"
	done
}

run_refusals() {
	case_of 'identity of another store: 125' refuses_foreign_identity
	case_of 'revoked identity: 125' refuses_revoked_identity
	case_of 'identity that another user owns: 125' refuses_unreadable_identity
	case_of 'truncated identity: 125' refuses_truncated_identity
	case_of 'server that does not answer: 125 in time' refuses_when_server_is_away
	case_of 'host name that nobody has: 125' refuses_unknown_host
	case_of 'tmpfs that is full: 125' refuses_full_tmpfs
	case_of 'no tmpfs at all (--ipc=none): 125' refuses_without_tmpfs
	case_of 'glibc program in a musl image: 127' reports_command_that_cannot_run 127 /probe-glibc
	case_of 'command that is missing: 127' reports_command_that_cannot_run 127 /missing
	case_of 'command that is a directory: 126' reports_command_that_cannot_run 126 /etc
}

run_others() {
	case_of "variables that hold a value are scrubbed" scrubs
	case_of '--from-env needs no server' from_environment
	case_of '--template: a file with a value inside, on tmpfs' template_delivers
	case_of '--cache: a restart while the server is away' cache_delivers
	case_of '--cache: where nothing can be stored, a warning' cache_may_fail
	case_of '--private: the engine forbids it, and that is told' private_is_refused
	case_of "the app's status is the container's" ends_with_status_of_app
	case_of 'server killed: comes back whole, no value in log or store' server_survives_kill
}

run_image() {
	case_of "the server's image follows the rules" image_follows_the_rules
	case_of "the server's image holds only the server" image_holds_only_the_server
	case_of "the server's image records its packages" image_records_its_packages
	case_of "the server's image becomes healthy" image_becomes_healthy
	case_of "the server's image serves from a volume" image_serves_from_a_volume
}

run_tokens() {
	case_of 'TACIT_TOKEN alone: enrols, delivers, shows the token nowhere' joins_by_variable
	case_of 'TACIT_TOKEN that was used up: 125' refuses_a_used_token
	case_of '--token-file from a mount, for two starts' joins_by_file
	case_of 'TACIT_TOKEN that is none: 125' refuses_what_is_no_token
	case_of '--watch with a token outlives its certificates' outlives_its_certificates
}

run_doctor() {
	local option
	case_of 'doctor --strict passes under the hardened run' doctor_passes
	for option in "${!doctor_check_of[@]}"; do
		case_of "doctor: $option fails the right line alone" doctor_notices "$option"
	done
	case_of 'doctor: --privileged fails its line' doctor_notices_privileged
	case_of 'doctor: the plain run fails what the hardened run adds' doctor_notices_plain_run
	case_of 'doctor: old packages warn' doctor_notices_old_packages
	case_of 'run --require-hardened starts under the hardened run' required_hardening_starts
	case_of 'run --require-hardened refuses all else: 125' required_hardening_refuses
	case_of 'run --require-hardened judges after --user' required_hardening_follows_user
}

run_examples() {
	local base
	for base in node-alpine distroless; do
		case_of "examples/dockerfile/$base works" dockerfile_works "$base" \
			--build-arg "BASE=$(image "base-$base")"
		case_of "examples/dockerfile/$base wants a base" dockerfile_wants_pinned_base "$base"
	done
	case_of 'examples/dockerfile/scratch works' dockerfile_works scratch
	case_of 'examples/docker-run works' docker_run_works
	case_of 'examples/laptop works' laptop_works
}

run_compose() {
	case_of 'examples/compose: setup.sh and up, web shows a visit' compose_starts
	case_of 'examples/compose: all of it is hardened' compose_is_hardened
	case_of 'examples/compose: the file of the api is 0400, on tmpfs' compose_delivers
	case_of 'examples/compose: no value in inspect, logs, environ or cmdline' compose_hides_values
	case_of 'examples/compose: POSTGRES_PASSWORD_FILE set the password' compose_database_took_password
	case_of 'examples/compose: db cannot reach the store, nor web the db' compose_isolates
	case_of "examples/compose: $compose_turns rotations, no query fails" compose_rotates
	case_of 'examples/compose: no turn is over while one holds the old file' compose_waits_for_who_is_behind
	case_of 'examples/compose: --retire ends the old password' compose_retires
	case_of 'examples/compose: tokens.sh, no identity file' compose_takes_tokens
	case_of 'examples/compose: down leaves nothing' compose_ends
}

run_init_containers() {
	case_of 'examples/init-container: images are built' image_init_pair
	case_of 'examples/init-container/fetch.yml: fetches, and the app reads' pair_fetches
	case_of 'examples/init-container/fetch.yml: a disk is refused' pair_refuses_disk
	case_of 'examples/init-container/copy.yml: an image without the agent' pair_copies
	case_of 'examples/kubernetes: pods are hardened' kubernetes_is_hardened
	case_of 'examples/kubernetes: the network policy fits' kubernetes_is_isolated
	case_of 'examples/kubernetes/fetch.yaml: fetches, and the app reads' pod_fetches
	case_of 'examples/kubernetes/run.yaml: copies, runs, renews' pod_runs_and_renews
}

run_pages() {
	case_of 'docs/from-e-to-files.md: prints what it says' page_from_e_works
	case_of 'docs/from-swarm.md: prints what it says' page_from_swarm_works
}

shared=${SUITE_RESULTS:-} # by run.sh, which closes with a report of its own
results_start
work=
make_temp_dir work
chmod 0755 "$work"
memory= # a directory on a tmpfs of this host
TMPDIR=/dev/shm make_temp_dir memory
chmod 0755 "$memory"
if engine_ensure && ensure_packages "${packages_container[@]}"; then
	case_of 'images are built, and a hardened server is filled' prepare
	if (($(results_count fail container) == 0)); then
		run_deliveries
		run_refusals
		run_others
		run_image
		run_tokens
		run_doctor
		run_examples
		at_exit compose_clean
		run_compose
		run_init_containers
		run_pages
	fi
else
	without_engine
fi
[[ -n $shared ]] || results_report container
(($(results_count fail container) == 0))
