/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "config.h"
#include "control.h"
#include "home.h"
#include "owner.h"
#include "rekey.h"
#include "rewrap.h"
#include "tacit/fd.h"
#include "tacit/progress.h"

const struct option_row command_rekey_options[] = {
    {"dir", "DIR", "the store's directory (/var/lib/tacit)"},
    KEY_OPTION_ROWS,
    {"new-passphrase-file", "FILE", "the new master key comes from a passphrase (Argon2id)"},
    {"new-key-file", "FILE", "the new master key is FILE, 32 bytes; made if it is not there"},
    {"new-passphrase-fd", "N", "read the new passphrase from the open descriptor N"},
    {"new-key-fd", "N", "read the new master key from the open descriptor N"},
    {0},
};

static bool source_is_empty(const struct key_source *source)
{
	return !source->key_file && !source->passphrase_file && !source->key_fd &&
	       !source->passphrase_fd;
}

/* A key that was moved away, as into a credential, is not to come back beside what it opens. */
static bool lies_in_dir(int dirfd, const struct seal *seal)
{
	return !strcmp(seal->key_file, MASTER_KEY_FILE) &&
	       faccessat(dirfd, MASTER_KEY_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Without an option the new master key is of the kind that the old one was. */
static int new_like_old(
    int dirfd, const struct seal *old, struct rekey_request *request, struct fault *fault)
{
	request->by_passphrase = old->by_passphrase;
	if (old->by_passphrase)
		return master_ask_new(&request->material, fault);
	if (lies_in_dir(dirfd, old))
		return 0; /* made by whoever has the lock */

	return fault_set_why(fault, -TACIT_E_USAGE,
	    "say where: --new-key-file, --new-key-fd or --new-passphrase-file", "new master key");
}

static int new_from_source(
    const struct key_source *source, struct rekey_request *request, struct fault *fault)
{
	struct seal seal = {0};
	int r = master_make(AT_FDCWD, source, &seal, &request->material, fault);

	request->by_passphrase = seal.by_passphrase;
	(void)snprintf(request->key_file, sizeof(request->key_file), "%s", seal.key_file);
	return r;
}

static int request_gather(
    const struct config *config, int dirfd, struct rekey_request *ret_request, struct fault *fault)
{
	struct rekey_request request = {0};
	struct seal seal;
	int r = seal_read(dirfd, &seal, fault);

	if (r == 0)
		r = master_find(dirfd, &config->key_source, &seal, &request.current, fault);
	if (r == 0)
		r = source_is_empty(&config->new_key_source)
		        ? new_like_old(dirfd, &seal, &request, fault)
		        : new_from_source(&config->new_key_source, &request, fault);
	if (r < 0) {
		rekey_request_free(&request);
		return r;
	}

	*ret_request = request;
	return 0;
}

static void show_progress(void *context, uint64_t done, uint64_t total)
{
	progress_show(context, done, total);
}

static int rekey_by_server(int fd, const struct rekey_request *request, struct fault *fault)
{
	struct progress progress = {.program = PROGRAM_NAME, .what = "data keys"};
	const struct control_sink sink = {.progress = show_progress, .context = &progress};
	cleanup_secret struct secret *message = NULL;
	struct encoder encoder;
	int r = secret_new(512, &message);

	if (r == 0) {
		encoder = (struct encoder){.out = message};
		encode_text(&encoder, "rekey");
		r = rekey_encode(request, &encoder);
	}
	if (r == 0)
		r = control_send(fd, message);
	if (r < 0)
		return fault_set(fault, r, CONTROL_SOCKET);

	r = control_await(fd, &sink, fault);
	progress_end(&progress);
	return r;
}

static int rewrap_all(struct server *server, struct fault *fault)
{
	struct progress progress = {.program = PROGRAM_NAME, .what = "data keys"};
	uint64_t total = rekey_rows(server);
	struct rewrap rewrap = {0};
	int r;

	do {
		r = rewrap_step(&rewrap, server->vault, server->secrets, fault);
		progress_show(&progress, rewrap.rows, total);
	} while (r > 0);
	progress_end(&progress);
	return r;
}

static int rekey_ourselves(
    const struct config *config, const struct rekey_request *request, struct fault *fault)
{
	struct home home = {.dirfd = -1, .lock_fd = -1};
	int r = owner_become(config, fault);

	if (r == 0)
		r = home_open_with(config, HOME_SERVE, request->current, &home, fault);
	if (r < 0)
		return r;

	r = rekey_run(&home.server, home.dirfd, request, fault);
	if (r == 0)
		r = rewrap_all(&home.server, fault);
	home_close(&home);
	return r;
}

static void report(const struct config *config, const struct rekey_request *request)
{
	(void)printf("The store in %s has a new master key, and all data keys are sealed anew.\n",
	    config->dir);
	if (!request->material)
		(void)printf("It is in %s/" MASTER_KEY_FILE ".\n", config->dir);
	else if (request->key_file[0])
		(void)printf("It is in %s.\n", request->key_file);
	(void)printf("The old master key opens only copies from before, such as backups: keep it "
	             "apart for as long as you keep those.\n");
}

static int rekey(const struct config *config, struct fault *fault)
{
	cleanup_fd int dirfd = home_dir_open(config, fault);
	cleanup_fd int fd = dirfd < 0 ? -1 : control_connect(dirfd, fault);
	struct rekey_request request;
	int r = dirfd < 0 ? dirfd : request_gather(config, dirfd, &request, fault);

	if (r < 0)
		return r;

	if (fd >= 0)
		r = rekey_by_server(fd, &request, fault);
	else
		r = fd == -ECONNREFUSED ? rekey_ourselves(config, &request, fault) : fd;
	if (r == 0)
		report(config, &request);
	rekey_request_free(&request);
	return r;
}

int command_rekey(const struct command *command, int argc, char *argv[])
{
	struct config config;
	struct fault fault = {0};
	int exit_code = config_parse(command, argc, argv, &config);

	if (exit_code >= 0)
		return exit_code;
	if (rekey(&config, &fault) < 0) {
		fault_report(PROGRAM_NAME, &fault);
		return err_exit_code(fault.err);
	}

	return 0;
}
