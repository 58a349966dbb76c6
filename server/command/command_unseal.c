/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

#include "commands.h"
#include "config.h"
#include "control.h"
#include "home.h"
#include "master.h"
#include "tacit/codec.h"
#include "tacit/fd.h"

const struct option_row command_unseal_options[] = {
    {"dir", "DIR", "the store's directory (/var/lib/tacit)"},
    KEY_OPTION_ROWS,
    {0},
};

static int hand_over(int fd, const struct secret *material, struct fault *fault)
{
	cleanup_secret struct secret *message = NULL;
	struct encoder encoder;
	int r = secret_new(256, &message);

	if (r == 0) {
		encoder = (struct encoder){.out = message};
		encode_text(&encoder, "unseal");
		encode_bytes(&encoder, secret_bytes(material), secret_len(material));
		r = encode_end(&encoder);
	}
	if (r == 0)
		r = control_send(fd, message);

	return r < 0 ? fault_set(fault, r, CONTROL_SOCKET) : control_await(fd, NULL, fault);
}

static int unseal(const struct config *config, struct fault *fault)
{
	cleanup_fd int dirfd = home_dir_open(config, fault);
	cleanup_fd int fd = -1;
	cleanup_secret struct secret *material = NULL;
	struct seal seal;
	int r = dirfd < 0 ? dirfd : seal_read(dirfd, &seal, fault);

	if (r < 0)
		return r;
	fd = control_connect(dirfd, fault);
	if (fd == -ECONNREFUSED)
		return fault_set_why(fault, fd, "no server runs on it", "%s", config->dir);
	if (fd < 0)
		return fd;

	r = master_find(dirfd, &config->key_source, &seal, &material, fault);
	return r < 0 ? r : hand_over(fd, material, fault);
}

int command_unseal(const struct command *command, int argc, char *argv[])
{
	struct config config;
	struct fault fault = {0};
	int exit_code = config_parse(command, argc, argv, &config);

	if (exit_code >= 0)
		return exit_code;
	if (unseal(&config, &fault) < 0) {
		fault_report(PROGRAM_NAME, &fault);
		return err_exit_code(fault.err);
	}

	(void)printf("The store in %s is open.\n", config.dir);
	return 0;
}
