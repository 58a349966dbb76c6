#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# docker-compose up -d with join tokens: the containers hold no identity file.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

DB_TOKEN=$(tacit token create db)
API_TOKEN=$(tacit token create api --uses 3 --ttl 1h)
export DB_TOKEN API_TOKEN COMPOSE_FILE=${COMPOSE_FILE:-docker-compose.yml}:tokens.yml
compose up -d
