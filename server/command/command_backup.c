/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backup.h"
#include "commands.h"
#include "config.h"
#include "control.h"
#include "home.h"
#include "output.h"
#include "tacit/codec.h"
#include "tacit/deadline.h"
#include "tacit/fd.h"
#include "tacit/progress.h"

#define STARTING_MS 3000

const struct option_row command_backup_options[] = {
    {"dir", "DIR", "the store's directory (/var/lib/tacit)"},
    {"force", NULL, "take the place of a file that is there"},
    KEY_OPTION_ROWS,
    {0},
};

/* Where it goes, and how far it has come. */
struct target {
	struct output output;
	uint64_t bytes;
	int err; /* of writing */
	struct progress progress;
};

static int target_put(void *context, const void *bytes, size_t len)
{
	struct target *target = context;

	target->bytes += len;
	progress_show(&target->progress, target->bytes / 1024, 0);
	target->err = fd_write_all(target->output.fd, bytes, len);
	return target->err;
}

static int sink_put(void *context, const uint8_t *bytes, size_t len)
{
	return target_put(context, bytes, len);
}

static int backup_by_server(int fd, struct target *target, struct fault *fault)
{
	const struct control_sink sink = {.data = sink_put, .context = target};
	cleanup_secret struct secret *message = NULL;
	struct encoder encoder;
	int r = secret_new(32, &message);

	if (r == 0) {
		encoder = (struct encoder){.out = message};
		encode_text(&encoder, "backup");
		r = encode_end(&encoder);
	}
	if (r == 0)
		r = control_send(fd, message);
	if (r < 0)
		return fault_set(fault, r, CONTROL_SOCKET);

	return control_await(fd, &sink, fault);
}

static int material_find(
    const struct config *config, int dirfd, struct secret **ret_material, struct fault *fault)
{
	struct seal seal;
	int r = seal_read(dirfd, &seal, fault);

	return r < 0 ? r : master_find(dirfd, &config->key_source, &seal, ret_material, fault);
}

static int backup_ourselves(const struct config *config, const struct secret *material,
    struct target *target, struct fault *fault)
{
	const struct backup_output output = {.put = target_put, .context = target};
	struct home home;
	int r = home_open_with(config, HOME_CHECK, material, &home, fault);

	if (r < 0)
		return r;

	r = backup_write(home.dirfd, config->dir, vault_keys(home.server.vault), &output, fault);
	home_close(&home);
	return r;
}

/* The key is looked for once, however often it takes. */
static int record_alone(
    const struct config *config, int dirfd, struct secret **material, struct fault *fault)
{
	int r = *material ? 0 : material_find(config, dirfd, material, fault);

	return r < 0 ? r : backup_record_alone(config, *material, fault);
}

/*
 * By the server, or else by ourselves. A server that is just starting has the lock already, and
 * will soon be there to be asked.
 */
static int backup_make(
    const struct config *config, int dirfd, struct target *target, struct fault *fault)
{
	cleanup_secret struct secret *material = NULL;
	int64_t deadline_ms = deadline_in_ms(STARTING_MS);

	for (;;) {
		cleanup_fd int fd = control_connect(dirfd, fault);
		int r = fd == -ECONNREFUSED ? record_alone(config, dirfd, &material, fault) : fd;

		if (fd >= 0)
			return backup_by_server(fd, target, fault);
		if (r == 0)
			return backup_ourselves(config, material, target, fault);
		if (r != -TACIT_E_STORE_LOCKED || deadline_left_ms(deadline_ms) == 0)
			return r;
		(void)usleep(100000);
	}
}

static int backup_to(const struct config *config, struct target *target, struct fault *fault)
{
	cleanup_fd int dirfd = home_dir_open(config, fault);
	int r = dirfd < 0 ? dirfd : output_begin(&target->output, "a backup", fault);

	if (r < 0)
		return r;

	r = backup_make(config, dirfd, target, fault);
	progress_end(&target->progress);
	if (target->err < 0)
		return fault_set(fault, target->err, "%s", target->output.path);

	return r < 0 ? r : output_end(&target->output, fault);
}

/* Where it is, as long as that is known: it may have been moved into a credential. */
static void explain_key(FILE *out, const struct config *config, int dirfd, const struct seal *seal)
{
	bool in_dir = !strchr(seal->key_file, '/');
	bool is_there = seal->key_file[0] && faccessat(dirfd, seal->key_file, F_OK, 0) == 0;

	(void)fprintf(out,
	    "The master key is NOT in it, and without it nobody opens it: keep a copy of "
	    "%s%s%s, and in another place.\n",
	    is_there && in_dir ? config->dir : "", is_there && in_dir ? "/" : "",
	    is_there ? seal->key_file : "the key");
}

static void explain(const struct config *config, const struct target *target)
{
	cleanup_fd int dirfd = home_dir_open(config, NULL);
	FILE *out = target->output.fd == STDOUT_FILENO ? stderr : stdout;
	struct seal seal;

	(void)fprintf(out, "Backed up %s: %llu bytes, still sealed.\n", config->dir,
	    (unsigned long long)target->bytes);
	if (dirfd < 0 || seal_read(dirfd, &seal, NULL) < 0)
		return;
	if (seal.by_passphrase)
		(void)fprintf(out, "It opens with the passphrase of the store.\n");
	else
		explain_key(out, config, dirfd, &seal);
}

int command_backup(const struct command *command, int argc, char *argv[])
{
	struct config config;
	struct fault fault = {0};
	struct target target = {
	    .output = OUTPUT_NONE, .progress = {.program = PROGRAM_NAME, .what = "KiB"}};
	int r, exit_code = config_parse(command, argc, argv, &config);

	if (exit_code >= 0)
		return exit_code;

	target.output.path = config.argument;
	target.output.mode = 0600;
	target.output.force = config.force;
	r = backup_to(&config, &target, &fault);
	if (r == 0)
		explain(&config, &target);
	else
		fault_report(PROGRAM_NAME, &fault);
	output_close(&target.output);
	return r < 0 ? err_exit_code(fault.err) : 0;
}
