/* SPDX-License-Identifier: MIT */
#include "listener_sealed.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "peers.h"
#include "tacit/deadline.h"

#define VISITS_MAX         256
#define VISITS_PER_ADDRESS 32
#define HEADERS_MAX_BYTES  4096
#define IDLE_S             10
#define PATIENCE_S         20 /* with one who trickles, if others want in */
#define FAREWELL_MS        300

/* A connection. All but the count is the daemon's one thread's. */
struct visit {
	int fd;
	int64_t since_s;
	struct peer *peer;
	struct visit *previous, *next;
};

struct listener_sealed {
	enum door door;
	struct MHD_Daemon *daemon;
	struct MHD_Response *answer;
	struct peers *peers;
	struct visit *visits;
	atomic_uint visits_count;
};

static int64_t now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

/* A byte now and then keeps libmicrohttpd's timer from running out. */
static void visits_expire(const struct listener_sealed *listener)
{
	int64_t oldest_s = now_s() - PATIENCE_S;

	for (const struct visit *at = listener->visits; at; at = at->next)
		if (at->since_s < oldest_s)
			(void)shutdown(at->fd, SHUT_RDWR);
}

static enum MHD_Result on_accept(
    void *context, const struct sockaddr *address, socklen_t address_len)
{
	struct listener_sealed *listener = context;

	(void)address_len;
	visits_expire(listener);
	return atomic_load(&listener->visits_count) < VISITS_MAX &&
	               !peers_full(listener->peers, address)
	           ? MHD_YES
	           : MHD_NO;
}

/*
 * libmicrohttpd would only request a certificate. What is verified is the chain, the purpose and
 * the dates, so that a stranger does not reach the parser.
 */
static void ask_for_certificate(gnutls_session_t session)
{
	static gnutls_typed_vdata_st purpose = {
	    .type = GNUTLS_DT_KEY_PURPOSE_OID,
	    .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
	};

	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_cert2(session, &purpose, 1, 0);
}

static struct visit *visit_begin(
    struct listener_sealed *listener, struct MHD_Connection *mhd_connection)
{
	const union MHD_ConnectionInfo *fd =
	    MHD_get_connection_info(mhd_connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *session =
	    MHD_get_connection_info(mhd_connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	const union MHD_ConnectionInfo *address =
	    MHD_get_connection_info(mhd_connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct visit *visit = fd && session && address ? calloc(1, sizeof(*visit)) : NULL;

	if (!visit)
		return NULL;

	visit->fd = fd->connect_fd;
	visit->since_s = now_s();
	visit->peer = peers_enter(listener->peers, address->client_addr);
	visit->next = listener->visits;
	if (visit->next)
		visit->next->previous = visit;
	listener->visits = visit;
	if (listener->door == DOOR_MAIN)
		ask_for_certificate(session->tls_session);
	return visit;
}

static void visit_end(struct listener_sealed *listener, struct visit *visit)
{
	if (visit->previous)
		visit->previous->next = visit->next;
	else
		listener->visits = visit->next;
	if (visit->next)
		visit->next->previous = visit->previous;
	peers_leave(listener->peers, visit->peer);
	free(visit);
}

static void on_connection(void *context, struct MHD_Connection *mhd_connection,
    void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	struct listener_sealed *listener = context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		(void)atomic_fetch_add(&listener->visits_count, 1);
		*socket_context = visit_begin(listener, mhd_connection);
		return;
	}

	if (*socket_context)
		visit_end(listener, *socket_context);
	*socket_context = NULL;
	(void)atomic_fetch_sub(&listener->visits_count, 1);
}

/* Whatever is asked. Nobody is answered whose certificate there was no memory to ask for. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd_connection,
    const char *path, const char *method, const char *version, const char *upload,
    size_t *upload_len, void **request_context)
{
	struct listener_sealed *listener = context;
	const union MHD_ConnectionInfo *visit =
	    MHD_get_connection_info(mhd_connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	(void)path;
	(void)method;
	(void)version;
	(void)upload;
	(void)upload_len;
	(void)request_context;
	if (!visit || !visit->socket_context)
		return MHD_NO;

	return MHD_queue_response(mhd_connection, MHD_HTTP_SERVICE_UNAVAILABLE, listener->answer);
}

/* One for all: it says nothing about who asks, or for what. */
static int answer_make(struct MHD_Response **ret_answer)
{
	cleanup_secret struct secret *body = NULL;
	int r = proto_problem_print(-TACIT_E_SEALED, NULL, "", &body);
	struct MHD_Response *answer =
	    r < 0 ? NULL
	          : MHD_create_response_from_buffer(secret_len(body),
	                (void *)(uintptr_t)secret_bytes(body), MHD_RESPMEM_MUST_COPY);

	if (!answer)
		return -ENOMEM;

	(void)MHD_add_response_header(answer, MHD_HTTP_HEADER_CONTENT_TYPE, PROTO_TYPE_PROBLEM);
	(void)MHD_add_response_header(answer, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	(void)MHD_add_response_header(answer, MHD_HTTP_HEADER_RETRY_AFTER, "5");
	(void)MHD_add_response_header(answer, MHD_HTTP_HEADER_CONNECTION, "close");
	*ret_answer = answer;
	return 0;
}

static int daemon_start(struct listener_sealed *listener, const struct sealed_file *file, int fd)
{
	const struct MHD_OptionItem trust[] = {
	    {listener->door == DOOR_MAIN ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0,
	        (void *)(uintptr_t)file->ca},
	    {MHD_OPTION_END, 0, NULL},
	};

	listener->daemon = MHD_start_daemon(
	    MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_TLS | MHD_USE_ITC, 0, on_accept, listener,
	    on_request, listener, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_HTTPS_MEM_KEY, file->key,
	    MHD_OPTION_HTTPS_MEM_CERT, file->chain, MHD_OPTION_HTTPS_PRIORITIES,
	    "NORMAL:-VERS-ALL:+VERS-TLS1.3", MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)VISITS_MAX + 16, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MAX_BYTES,
	    MHD_OPTION_ARRAY, trust, MHD_OPTION_END);
	return listener->daemon ? 0 : -TACIT_E_INTERNAL;
}

static void listener_free(struct listener_sealed *listener)
{
	if (listener->answer)
		MHD_destroy_response(listener->answer);
	peers_free(listener->peers);
	free(listener);
}

int listener_sealed_start(const struct sealed_file *file, enum door door, int fd,
    struct listener_sealed **ret_listener, struct fault *fault)
{
	struct listener_sealed *listener = calloc(1, sizeof(*listener));
	int r;

	if (!listener)
		return fault_set(fault, -ENOMEM, SEALED_FILE);

	listener->door = door;
	listener->peers = peers_new(VISITS_PER_ADDRESS);
	r = listener->peers ? answer_make(&listener->answer) : -ENOMEM;
	if (r == 0)
		r = daemon_start(listener, file, fd);
	if (r < 0) {
		listener_free(listener);
		return fault_set(fault, r, SEALED_FILE);
	}

	*ret_listener = listener;
	return 0;
}

void listener_sealed_stop(struct listener_sealed *listener)
{
	int64_t deadline_ms = deadline_in_ms(FAREWELL_MS);

	if (!listener)
		return;

	/* The daemon forgets the socket, or it would close it. */
	(void)MHD_quiesce_daemon(listener->daemon);
	while (atomic_load(&listener->visits_count) > 0 && deadline_left_ms(deadline_ms) > 0)
		(void)usleep(2000);
	MHD_stop_daemon(listener->daemon);
	listener_free(listener);
}
