#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs an image as it is, unchanged, with its secrets as files instead of `-e NAME=value`.
# usage: IDENTITY=web.pem run-hardened.sh [DOCKER-OPTION]... IMAGE COMMAND [ARG]...
#
# From the environment:
#   IDENTITY  the client's identity file, which uid 1001 owns with mode 0400
#   AGENT     the agent, one static file that runs in any image; default: the one that was built
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${IDENTITY:?the identity file that 'tacit client add NAME --out FILE' wrote}"
AGENT=${AGENT:-$here/../../build/agent/tacit-agent}

(($# > 0)) || {
	echo "usage: IDENTITY=FILE ${0##*/} [DOCKER-OPTION]... IMAGE COMMAND [ARG]..." >&2
	exit 2
}

# shellcheck disable=SC2054 # the commas belong to Docker's options
options=(
	# Nothing in the image can be changed, and nobody in it is root or can become root.
	--read-only --user 1001:1001 --cap-drop=ALL --security-opt=no-new-privileges
	# A runaway app harms nobody. Memory and swap are one limit: no secret goes to swap.
	--cpus=0.5 --memory=64m --memory-swap=64m --pids-limit=100
	# The secrets live here, in memory. The uid makes it survive `docker restart`.
	--tmpfs /run/secrets:uid=1001,gid=1001,mode=0700,size=1m
	# Who this container is: a key and a certificate, never a value.
	--mount "type=bind,src=$(realpath "$IDENTITY"),dst=/run/tacit/identity.pem,readonly"
	# The agent comes from outside, so that the image need not be built again.
	--mount "type=bind,src=$(realpath "$AGENT"),dst=/usr/local/bin/tacit-agent,readonly"
	--entrypoint /usr/local/bin/tacit-agent
)

# Everything up to the image is an option of Docker's; the agent's `run --` comes right behind it.
docker_options=()
while (($# > 0)) && [[ $1 == -* ]]; do
	docker_options+=("$1")
	shift
done
image=${1:?an image}
shift

exec docker run "${options[@]}" ${docker_options[@]+"${docker_options[@]}"} "$image" run -- "$@"
