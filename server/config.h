/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_CONFIG_H
#define TACIT_SERVER_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "keys.h"
#include "tacit/options.h"

/* What the command lines of all subcommands can say. */

#define SAN_MAX 31

struct config {
	char dir[PATH_MAX];
	struct key_source key_source;
	struct key_source new_key_source; /* of rekey */
	const char *url;
	const char *listen;        /* NULL: the URL's port on all addresses */
	const char *enroll_listen; /* NULL: no enrolment listener */
	const char *enroll_url;    /* NULL: the URL's host, and the port of that listener */
	const char *audit_syslog;  /* NULL: no copy of the audit log */
	const char *san[SAN_MAX + 1];
	size_t san_count;
	bool json;
	bool sealed;
	bool force;
	bool verify;
	uint32_t keep_versions; /* 0: the default */
	const char *argument;   /* FILE, of the commands that have one */
};

/*
 * Parses the options of `command`, whose rows are named as the members above. Complains itself
 * and returns the exit code to use, or -1 to go on. Without --dir it is /var/lib/tacit for root
 * and $XDG_DATA_HOME/tacit for others.
 */
int config_parse(const struct command *command, int argc, char *argv[], struct config *ret_config);

#endif
