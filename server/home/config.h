/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_CONFIG_H
#define TACIT_SERVER_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config_file.h"
#include "keys.h"
#include "log.h"
#include "tacit/options.h"

/* What the command lines of all subcommands can say. */

#define SAN_MAX 31

struct config {
	char dir[PATH_MAX];
	bool dir_is_default;
	struct key_source key_source;
	struct key_source new_key_source; /* of rekey */
	const char *config;               /* NULL: no file */
	const char *url;
	const char *listen;               /* NULL: the URL's port on all addresses */
	const char *enroll_listen;        /* NULL: no enrolment listener */
	const char *enroll_url;           /* NULL: the URL's host, and the port of that listener */
	const char *audit_syslog;         /* NULL: no copy of the audit log */
	const char *metrics_listen;       /* NULL: nowhere but on the main listener */
	const char *user;                 /* NULL: the owner of the directory */
	const char *out;                  /* NULL: DIR/admin.pem */
	uint32_t connections_per_address; /* 0: see listener.h */
	int64_t certificate_ttl_ms;       /* 0: see authority.h */
	enum log_format log_format;
	bool no_sandbox;
	const char *san[SAN_MAX + 1];
	size_t san_count;
	bool json;
	bool sealed;
	bool force;
	bool verify;
	bool revoke_old;
	uint32_t keep_versions;   /* 0: the default */
	const char *argument;     /* FILE, of the commands that have one */
	struct config_file *file; /* owns some of the texts above */
};

/*
 * Parses the options of `command`, whose rows are named as the members above; what the command
 * line says wins over a file that `--config` names. Complains itself and returns the exit code to
 * use, or -1 to go on. Without --dir it is /var/lib/tacit for root
 * and $XDG_DATA_HOME/tacit for others.
 */
int config_parse(const struct command *command, int argc, char *argv[], struct config *ret_config);

void config_free(struct config *config);

#endif
