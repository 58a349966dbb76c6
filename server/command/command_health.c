/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "commands.h"
#include "config.h"
#include "control.h"
#include "home.h"
#include "tacit/codec.h"
#include "tacit/fd.h"

const struct option_row command_health_options[] = {
    {"dir", "DIR", "the store's directory (/var/lib/tacit)"},
    {0},
};

static int ask(int fd, struct fault *fault)
{
	static const struct timeval patience = {.tv_sec = CONTROL_PATIENCE_MS / 1000};
	cleanup_secret struct secret *message = NULL;
	struct encoder encoder;
	int r = secret_new(32, &message);

	/* A server that hangs is not well: whoever asks should hear of it. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (r == 0) {
		encoder = (struct encoder){.out = message};
		encode_text(&encoder, "health");
		r = encode_end(&encoder);
	}
	if (r == 0)
		r = control_send(fd, message);

	return r < 0 ? fault_set(fault, r, CONTROL_SOCKET) : control_await(fd, NULL, fault);
}

static int health(const struct config *config, struct fault *fault)
{
	cleanup_fd int dirfd = home_dir_open(config, fault);
	cleanup_fd int fd = -1;

	if (dirfd < 0)
		return dirfd;
	fd = control_connect(dirfd, fault);
	if (fd == -ECONNREFUSED)
		return fault_set_why(fault, fd, "no server runs on it", "%s", config->dir);

	return fd < 0 ? fd : ask(fd, fault);
}

/* 1 is all that a health check of a container may say but 0. */
int command_health(const struct command *command, int argc, char *argv[])
{
	struct config config;
	struct fault fault = {0};
	int exit_code = config_parse(command, argc, argv, &config);

	if (exit_code >= 0)
		return exit_code;
	if (health(&config, &fault) < 0) {
		fault_report(PROGRAM_NAME, &fault);
		return 1;
	}

	(void)printf("ok\n");
	return 0;
}
