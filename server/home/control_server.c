/* SPDX-License-Identifier: MIT */
#include "control_server.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "admin.h"
#include "backup.h"
#include "control.h"
#include "health.h"
#include "rekey.h"
#include "tacit/codec.h"
#include "tacit/fd.h"

#define DATA_PIECE_BYTES ((size_t)1 << 16)

/*
 * As many as there are from the start: later on the sandbox may forbid new ones. One for the
 * request that has its turn, one for those that look, and some in which others wait for their turn.
 */
#define THREADS 4

struct control_server {
	struct control_host host;
	pthread_mutex_t mutex; /* guards the host */
	pthread_mutex_t turn;  /* of the requests that change something */
	int listen_fd;
	pthread_t threads[THREADS];
	size_t thread_count;
	atomic_bool stops;
};

static int secret_decode(struct decoder *decoder, struct secret **ret_secret)
{
	size_t len;
	const uint8_t *bytes = decode_bytes(decoder, &len);

	return decoder->failed ? -TACIT_E_PROTOCOL : secret_new_from(bytes, len, ret_secret);
}

static int request_malformed(struct fault *fault)
{
	return fault_set(fault, -TACIT_E_PROTOCOL, CONTROL_SOCKET);
}

static int do_unseal(
    const struct control_host *host, int fd, struct decoder *request, struct fault *fault)
{
	cleanup_secret struct secret *material = NULL;

	(void)fd;
	if (secret_decode(request, &material) < 0 || decode_end(request) < 0)
		return request_malformed(fault);
	if (!host->unsealing)
		return fault_set_why(fault, -TACIT_E_CONFLICT, "it is not sealed", "%s", host->dir);

	return unsealing_try(host->unsealing, host->dirfd, material, fault);
}

/* The data keys are brought over by the upkeep; who asked is told how far that is. */
static int await_rewrap(const struct control_host *host, int fd, struct fault *fault)
{
	struct upkeep_state state;
	uint64_t total = rekey_rows(host->server);

	upkeep_hurry(host->upkeep);
	for (;;) {
		upkeep_look(host->upkeep, &state);
		if (!state.rewraps)
			return 0;
		if (state.fault.err < 0) {
			*fault = state.fault;
			return fault->err;
		}
		if (control_send_progress(fd, state.rows, total) < 0)
			return 0; /* nobody listens any more; it goes on all the same */
		(void)usleep(100000);
	}
}

static int do_rekey(
    const struct control_host *host, int fd, struct decoder *request, struct fault *fault)
{
	struct rekey_request rekey = {0};
	int r;

	r = rekey_decode(request, &rekey);
	if (r < 0)
		return r == -TACIT_E_CORRUPT ? request_malformed(fault)
		                             : fault_set(fault, r, CONTROL_SOCKET);

	r = rekey_run(host->server, host->dirfd, &rekey, fault);
	rekey_request_free(&rekey);
	return r < 0 ? r : await_rewrap(host, fd, fault);
}

static int put_data(void *context, const void *bytes, size_t len)
{
	const int *fd = context;
	const uint8_t *at = bytes;
	int r = 0;

	while (r == 0 && len > 0) {
		size_t piece = len < DATA_PIECE_BYTES ? len : DATA_PIECE_BYTES;

		r = control_send_data(*fd, at, piece);
		at += piece;
		len -= piece;
	}

	return r;
}

static int do_backup(
    const struct control_host *host, int fd, struct decoder *request, struct fault *fault)
{
	const struct backup_output output = {.put = put_data, .context = &fd};
	int r;

	if (decode_end(request) < 0)
		return request_malformed(fault);

	(void)pthread_mutex_lock(&host->server->mutex);
	r = backup_record(host->server, fault);
	(void)pthread_mutex_unlock(&host->server->mutex);
	return r < 0 ? r
	             : backup_write(
	                   host->dirfd, host->dir, vault_keys(host->server->vault), &output, fault);
}

static int answer_identity(int fd, const struct admin_identity *identity)
{
	cleanup_secret struct secret *answer = NULL;
	struct encoder encoder;
	int r = secret_new(4096, &answer);

	if (r < 0)
		return r;

	encoder = (struct encoder){.out = answer};
	r = admin_identity_encode(identity, &encoder);
	return r < 0 ? r : control_send_data(fd, secret_bytes(answer), secret_len(answer));
}

static int do_admin(
    const struct control_host *host, int fd, struct decoder *request, struct fault *fault)
{
	cleanup_secret struct secret *material = NULL;
	cleanup_admin_identity struct admin_identity identity = {0};
	struct admin_request admin = {0};
	int r = secret_decode(request, &material);

	admin.material = material;
	admin.revoke_old = decode_u8(request) != 0;
	if (r < 0 || decode_end(request) < 0)
		return request_malformed(fault);

	r = admin_run(host->server, host->dirfd, &admin, &identity, fault);
	if (r < 0)
		return r;

	r = answer_identity(fd, &identity);
	return r < 0 ? fault_set(fault, r, CONTROL_SOCKET) : 0;
}

static int do_health(
    const struct control_host *host, int fd, struct decoder *request, struct fault *fault)
{
	(void)fd;
	return decode_end(request) < 0 ? request_malformed(fault)
	                               : health_check(host->server, host->dir, fault);
}

struct control_request {
	const char *word;
	bool while_sealed;
	bool at_once; /* beside one that takes its time */
	int (*run)(
	    const struct control_host *host, int fd, struct decoder *request, struct fault *fault);
};

static const struct control_request requests[] = {
    {"unseal", true, false, do_unseal},
    {"rekey", false, false, do_rekey},
    {"backup", false, false, do_backup},
    {"admin", false, false, do_admin},
    {"health", false, true, do_health},
};

/* NULL: there is no such request. */
static const struct control_request *request_find(struct decoder *message)
{
	char word[16];

	decode_text(message, word, sizeof(word));
	for (size_t i = 0; !message->failed && i < sizeof(requests) / sizeof(requests[0]); i++)
		if (!strcmp(requests[i].word, word))
			return &requests[i];

	return NULL;
}

static struct control_host host_now(struct control_server *control)
{
	struct control_host host;

	(void)pthread_mutex_lock(&control->mutex);
	host = control->host;
	(void)pthread_mutex_unlock(&control->mutex);
	return host;
}

static int request_run(
    struct control_server *control, int fd, const struct secret *message, struct fault *fault)
{
	struct decoder arguments = {.at = secret_bytes(message), .left = secret_len(message)};
	const struct control_request *request = request_find(&arguments);
	struct control_host host;
	int r;

	if (!request)
		return request_malformed(fault);
	if (!request->at_once)
		(void)pthread_mutex_lock(&control->turn);
	host = host_now(control);
	if (!host.server && !request->while_sealed)
		r = fault_set(fault, -TACIT_E_SEALED, "%s", host.dir);
	else
		r = request->run(&host, fd, &arguments, fault);
	if (!request->at_once)
		(void)pthread_mutex_unlock(&control->turn);

	return r;
}

/* The socket's mode keeps others out already; this holds even where a file's mode says nothing. */
static bool peer_is_welcome(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

static void answer(struct control_server *control, int fd)
{
	static const struct timeval patience = {.tv_sec = CONTROL_PATIENCE_MS / 1000};
	cleanup_secret struct secret *message = NULL;
	struct fault fault = {0};

	if (!peer_is_welcome(fd))
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (control_receive(fd, &message) < 0)
		return;

	(void)request_run(control, fd, message, &fault);
	(void)control_send_verdict(fd, &fault);
}

static void *control_run(void *context)
{
	struct control_server *control = context;
	struct pollfd ready = {.fd = control->listen_fd, .events = POLLIN};

	while (!atomic_load(&control->stops)) {
		cleanup_fd int fd = -1;

		if (poll(&ready, 1, 500) <= 0)
			continue;
		/* Several threads are told of one peer. */
		fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			answer(control, fd);
	}

	return NULL;
}

static void control_end(struct control_server *control)
{
	atomic_store(&control->stops, true);
	(void)shutdown(control->listen_fd, SHUT_RDWR);
	for (size_t i = 0; i < control->thread_count; i++)
		(void)pthread_join(control->threads[i], NULL);
	(void)pthread_mutex_destroy(&control->turn);
	(void)pthread_mutex_destroy(&control->mutex);
	free(control);
}

int control_server_start(const struct control_host *host, int *listen_fd,
    struct control_server **ret_control, struct fault *fault)
{
	struct control_server *control = calloc(1, sizeof(*control));
	int r = 0;

	if (!control)
		return fault_set(fault, -ENOMEM, CONTROL_SOCKET);

	control->host = *host;
	control->listen_fd = *listen_fd;
	(void)pthread_mutex_init(&control->mutex, NULL);
	(void)pthread_mutex_init(&control->turn, NULL);
	while (r == 0 && control->thread_count < THREADS) {
		r = pthread_create(
		    &control->threads[control->thread_count], NULL, control_run, control);
		control->thread_count += r == 0;
	}
	if (r != 0) {
		control_end(control);
		return fault_set(fault, -r, CONTROL_SOCKET);
	}

	(void)fd_take(listen_fd);
	*ret_control = control;
	return 0;
}

void control_server_set_host(struct control_server *control, const struct control_host *host)
{
	(void)pthread_mutex_lock(&control->mutex);
	control->host = *host;
	(void)pthread_mutex_unlock(&control->mutex);
}

void control_server_stop(struct control_server *control)
{
	int listen_fd;

	if (!control)
		return;

	listen_fd = control->listen_fd;
	(void)unlinkat(control->host.dirfd, CONTROL_SOCKET, 0);
	control_end(control);
	(void)close(listen_fd);
}
