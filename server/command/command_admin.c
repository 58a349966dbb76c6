/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin.h"
#include "commands.h"
#include "config.h"
#include "control.h"
#include "home.h"
#include "output.h"
#include "owner.h"
#include "tacit/codec.h"
#include "tacit/fd.h"
#include "user.h"

const struct option_row command_admin_options[] = {
    {"dir", "DIR", "the store's directory (/var/lib/tacit)"},
    {"out", "FILE", "where the identity goes (DIR/admin.pem)"},
    {"force", NULL, "take the place of a file that is there"},
    {"revoke-old", NULL, "from now on no older identity of this admin is good"},
    KEY_OPTION_ROWS,
    {0},
};

static int material_find(
    const struct config *config, int dirfd, struct secret **ret_material, struct fault *fault)
{
	struct seal seal;
	int r = seal_read(dirfd, &seal, fault);

	return r < 0 ? r : master_find(dirfd, &config->key_source, &seal, ret_material, fault);
}

static int answer_put(void *context, const uint8_t *bytes, size_t len)
{
	return secret_append(context, bytes, len);
}

static int request_send(int fd, const struct admin_request *request)
{
	cleanup_secret struct secret *message = NULL;
	struct encoder encoder;
	int r = secret_new(256, &message);

	if (r < 0)
		return r;

	encoder = (struct encoder){.out = message};
	encode_text(&encoder, "admin");
	encode_bytes(&encoder, secret_bytes(request->material), secret_len(request->material));
	encode_u8(&encoder, request->revoke_old);
	r = encode_end(&encoder);
	return r < 0 ? r : control_send(fd, message);
}

static int issue_by_server(int fd, const struct admin_request *request,
    struct admin_identity *ret_identity, struct fault *fault)
{
	cleanup_secret struct secret *answer = NULL;
	struct control_sink sink = {.data = answer_put};
	struct decoder decoder;
	int r = secret_new(4096, &answer);

	sink.context = answer;
	if (r == 0)
		r = request_send(fd, request);
	if (r < 0)
		return fault_set(fault, r, CONTROL_SOCKET);
	r = control_await(fd, &sink, fault);
	if (r < 0)
		return r;

	decoder = (struct decoder){.at = secret_bytes(answer), .left = secret_len(answer)};
	r = admin_identity_decode(&decoder, ret_identity);
	return r < 0 ? fault_set(fault, r, CONTROL_SOCKET) : 0;
}

static int issue_as_owner(const struct config *config, const struct admin_request *request,
    struct admin_identity *ret_identity, struct fault *fault)
{
	struct home home;
	int r = home_open_with(config, HOME_SERVE, request->material, &home, fault);

	if (r < 0)
		return r;

	r = admin_run(&home.server, home.dirfd, request, ret_identity, fault);
	home_close(&home);
	return r;
}

static int issue_ourselves(const struct config *config, int dirfd,
    const struct admin_request *request, struct admin_identity *ret_identity, struct fault *fault)
{
	int r = owner_assume(config, dirfd, fault);

	if (r < 0)
		return r;

	r = issue_as_owner(config, request, ret_identity, fault);
	user_resume();
	return r;
}

static int issue(const struct config *config, int dirfd, struct admin_identity *ret_identity,
    struct fault *fault)
{
	cleanup_fd int fd = control_connect(dirfd, fault);
	cleanup_secret struct secret *material = NULL;
	struct admin_request request = {.revoke_old = config->revoke_old};
	int r = fd < 0 && fd != -ECONNREFUSED ? fd : 0;

	if (r == 0)
		r = material_find(config, dirfd, &material, fault);
	if (r < 0)
		return r;

	request.material = material;
	return fd >= 0 ? issue_by_server(fd, &request, ret_identity, fault)
	               : issue_ourselves(config, dirfd, &request, ret_identity, fault);
}

/* What lies in the directory is its owner's; a file elsewhere belongs to who has it made. */
static int output_prepare(
    const struct config *config, int dirfd, struct output *output, struct fault *fault)
{
	int r = config->out ? 0 : owner_assume(config, dirfd, fault);

	if (r < 0)
		return r;

	r = output_begin(output, "an identity", fault);
	if (!config->out)
		user_resume();
	return r;
}

/* The file comes first: what could not be kept should void nothing. */
static int admin(const struct config *config, struct output *output,
    struct admin_identity *ret_identity, struct fault *fault)
{
	cleanup_fd int dirfd = home_dir_open(config, fault);
	int r = dirfd < 0 ? dirfd : output_prepare(config, dirfd, output, fault);

	if (r == 0)
		r = issue(config, dirfd, ret_identity, fault);
	if (r < 0)
		return r;

	r = fd_write_all(
	    output->fd, secret_bytes(ret_identity->pem), secret_len(ret_identity->pem));
	return r < 0 ? fault_set(fault, r, "%s", output->path) : output_end(output, fault);
}

static void explain(const struct config *config, const struct output *output, const char *client)
{
	FILE *out = output->fd == STDOUT_FILENO ? stderr : stdout;

	if (output->fd != STDOUT_FILENO)
		(void)fprintf(
		    out, "A new identity of %s, an admin, is %s.\n", client, output->path);
	if (config->revoke_old)
		(void)fprintf(out, "No older one of %s is good any more.\n", client);
	else
		(void)fprintf(out,
		    "Older ones of %s stay good: where one may be in other hands, use "
		    "--revoke-old.\n",
		    client);
}

int command_admin(const struct command *command, int argc, char *argv[])
{
	cleanup_admin_identity struct admin_identity identity = {0};
	struct output output = OUTPUT_NONE;
	char path[HOME_PATH_BYTES];
	struct config config;
	struct fault fault = {0};
	int r, exit_code = config_parse(command, argc, argv, &config);

	if (exit_code >= 0)
		return exit_code;

	home_path(&config, ADMIN_FILE, path);
	output.path = config.out ? config.out : path;
	output.mode = 0400;
	output.force = config.force;
	r = admin(&config, &output, &identity, &fault);
	if (r == 0)
		explain(&config, &output, identity.client);
	else
		fault_report(PROGRAM_NAME, &fault);
	output_close(&output);
	return r < 0 ? err_exit_code(fault.err) : 0;
}
