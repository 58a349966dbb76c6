#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An hour of waiting for changes, which come every fifty seconds at the least, in one go.
script=$(realpath "${BASH_SOURCE[0]}")
# shellcheck source=cli_common.sh
. "$(dirname "${BASH_SOURCE[0]}")/cli_common.sh"
start_server
"${cli_pty%/*}/server_soak" "${url##*:}" store/admin.pem "$server_pid" 72
