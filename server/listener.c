/* SPDX-License-Identifier: MIT */
#include "listener.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "socket.h"
#include "tacit/deadline.h"
#include "tacit/fd.h"
#include "verdicts.h"

struct listener {
	struct server *server;
	struct MHD_Daemon *daemon;
	gnutls_certificate_credentials_t credentials;
	gnutls_datum_t ticket_key;
	struct verdicts *verdicts;

	pthread_mutex_t mutex; /* guards the list of connections */
	struct connection *connections;
	pthread_t reaper;
	bool reaper_runs;
	atomic_bool stopping;
	atomic_int requests_under_way;
	atomic_uint_fast64_t next_request;
};

struct connection {
	struct listener *listener;
	struct connection *previous, *next;
	int fd;
	gnutls_session_t session;
	char peer[ADDRESS_TEXT_BYTES];
	atomic_llong progress_s; /* when it was made, or completed a request */
	bool identified;         /* whether `identity` has been looked for */
	bool accepted;           /* whether it has been found */
	struct certificate_identity identity;
};

/* One request on its way through. */
struct arrival {
	struct connection *connection;
	struct MHD_Connection *mhd_connection;
	struct secret *body;
	struct waiter waiter; /* until_ms is 0 until the request has been looked at */
	bool corked;          /* the answer is gathered into one TLS record */
};

static int64_t now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

/* Whether the chain leads to our CA and is meant for clients. */
static bool chain_is_good(gnutls_session_t session)
{
	gnutls_typed_vdata_st purpose = {
	    .type = GNUTLS_DT_KEY_PURPOSE_OID,
	    .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	unsigned status = 0;

	return gnutls_certificate_verify_peers(session, &purpose, 1, &status) == 0 && status == 0;
}

/*
 * Finds out who the peer is, once for each connection. What verdicts.h remembers is not verified
 * again; a resumed session comes without a handshake's verification, since it has had one.
 */
static bool connection_identify(struct connection *connection, bool resumed)
{
	struct listener *listener = connection->listener;
	unsigned count = 0;
	const gnutls_datum_t *leaf = gnutls_certificate_get_peers(connection->session, &count);

	if (!leaf || count == 0)
		return false;
	/* What else the peer sends along is no matter: our CA signs clients itself. */
	if (verdicts_find(listener->verdicts, leaf->data, leaf->size, &connection->identity))
		return true;
	if ((!resumed && !chain_is_good(connection->session)) ||
	    authority_read_client(
	        listener->server->authority, leaf->data, leaf->size, &connection->identity) < 0)
		return false;

	if (count == 1)
		verdicts_add(listener->verdicts, leaf->data, leaf->size, &connection->identity);
	return true;
}

static bool identity_is_current(const struct certificate_identity *identity)
{
	int64_t now = time(NULL);

	return now >= identity->not_before && now <= identity->not_after;
}

/*
 * GnuTLS calls it in the middle of the handshake; anything but 0 ends that. The alert is sent here,
 * since libmicrohttpd would just close, and a client could not tell that from a broken network.
 */
static int verify_peer(gnutls_session_t session)
{
	struct connection *connection = gnutls_db_get_ptr(session);
	bool known = connection_identify(connection, false);

	connection->identified = true;
	connection->accepted = known && identity_is_current(&connection->identity);
	if (connection->accepted)
		return 0;

	(void)gnutls_alert_send(session, GNUTLS_AL_FATAL,
	    known ? GNUTLS_A_CERTIFICATE_EXPIRED : GNUTLS_A_BAD_CERTIFICATE);
	return GNUTLS_E_CERTIFICATE_ERROR;
}

/*
 * TLS. libmicrohttpd would only request a certificate; everything here is set on the session
 * before its handshake, so that a peer without one never reaches the HTTP parser.
 */
static int session_require_certificate(struct connection *connection)
{
	gnutls_session_t session = connection->session;

	if (gnutls_credentials_set(
	        session, GNUTLS_CRD_CERTIFICATE, connection->listener->credentials) < 0 ||
	    gnutls_session_ticket_enable_server(session, &connection->listener->ticket_key) < 0)
		return -TACIT_E_INTERNAL;

	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	/* The one pointer of a session that libmicrohttpd leaves alone. */
	gnutls_db_set_ptr(session, connection);
	gnutls_session_set_verify_function(session, verify_peer);
	return 0;
}

static int credentials_make(struct listener *listener)
{
	const struct authority *authority = listener->server->authority;
	const struct secret *key = authority_server_key(authority);
	const char *certificate = authority_server_pem(authority);
	const char *ca = authority_ca_pem(authority);
	const gnutls_datum_t key_text = {
	    (unsigned char *)(uintptr_t)secret_bytes(key), (unsigned)secret_len(key)};
	const gnutls_datum_t certificate_text = {
	    (unsigned char *)(uintptr_t)certificate, (unsigned)strlen(certificate)};
	const gnutls_datum_t ca_text = {(unsigned char *)(uintptr_t)ca, (unsigned)strlen(ca)};

	if (gnutls_certificate_allocate_credentials(&listener->credentials) < 0 ||
	    gnutls_certificate_set_x509_key_mem2(listener->credentials, &certificate_text,
	        &key_text, GNUTLS_X509_FMT_PEM, NULL, 0) < 0 ||
	    gnutls_certificate_set_x509_trust_mem(
	        listener->credentials, &ca_text, GNUTLS_X509_FMT_PEM) < 0 ||
	    gnutls_session_ticket_key_generate(&listener->ticket_key) < 0)
		return -TACIT_E_INTERNAL;

	return 0;
}

/* Who asks; NULL when the certificate is not one of a client of ours. */
static const struct certificate_identity *connection_identity(struct connection *connection)
{
	if (!connection->identified) {
		connection->identified = true;
		connection->accepted = connection_identify(
		    connection, gnutls_session_is_resumed(connection->session) != 0);
	}

	return connection->accepted ? &connection->identity : NULL;
}

static void connection_list(struct connection *connection)
{
	struct listener *listener = connection->listener;

	(void)pthread_mutex_lock(&listener->mutex);
	connection->next = listener->connections;
	if (connection->next)
		connection->next->previous = connection;
	listener->connections = connection;
	(void)pthread_mutex_unlock(&listener->mutex);
}

static void connection_unlist(struct connection *connection)
{
	struct listener *listener = connection->listener;

	(void)pthread_mutex_lock(&listener->mutex);
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		listener->connections = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	(void)pthread_mutex_unlock(&listener->mutex);
}

static struct connection *connection_new(
    struct listener *listener, struct MHD_Connection *mhd_connection)
{
	const union MHD_ConnectionInfo *fd =
	    MHD_get_connection_info(mhd_connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *session =
	    MHD_get_connection_info(mhd_connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	const union MHD_ConnectionInfo *address =
	    MHD_get_connection_info(mhd_connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!fd || !session || !address || !connection) {
		free(connection);
		return NULL;
	}

	connection->listener = listener;
	connection->fd = fd->connect_fd;
	connection->session = session->tls_session;
	connection->progress_s = now_s();
	socket_address_text(address->client_addr,
	    address->client_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
	                                               : sizeof(struct sockaddr_in6),
	    connection->peer, sizeof(connection->peer));
	return connection;
}

/* The hook that libmicrohttpd runs when a connection was accepted, and when it is gone. */
static void on_connection(void *context, struct MHD_Connection *mhd_connection,
    void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	struct listener *listener = context;
	struct connection *connection = *socket_context;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (connection) {
			connection_unlist(connection);
			free(connection);
		}
		*socket_context = NULL;
		return;
	}

	connection = connection_new(listener, mhd_connection);
	if (!connection)
		return; /* on_request closes a connection that has no context */
	if (session_require_certificate(connection) < 0) {
		free(connection);
		return;
	}
	connection_list(connection);
	*socket_context = connection;
}

/*
 * Each byte that trickles in resets libmicrohttpd's timer. What does not get anything done is
 * closed here, by age: shutdown(2) wakes its thread, which then cleans up as for any closed peer.
 */
static void *reap_connections(void *context)
{
	struct listener *listener = context;

	while (!atomic_load(&listener->stopping)) {
		int64_t oldest = now_s() - LISTENER_PATIENCE_S;

		(void)pthread_mutex_lock(&listener->mutex);
		for (struct connection *at = listener->connections; at; at = at->next)
			if (atomic_load(&at->progress_s) < oldest)
				(void)shutdown(at->fd, SHUT_RDWR);
		(void)pthread_mutex_unlock(&listener->mutex);
		watch_expire(&listener->server->watch);
		(void)usleep(250000);
	}

	return NULL;
}

/*
 * What libmicrohttpd lets through but a front end might read differently, which is how requests
 * are smuggled: refused.
 */
struct header_census {
	unsigned content_lengths, hosts, transfer_encodings;
};

static enum MHD_Result count_header(
    void *context, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct header_census *census = context;

	(void)kind;
	(void)value;
	census->content_lengths += !strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH);
	census->hosts += !strcasecmp(key, MHD_HTTP_HEADER_HOST);
	census->transfer_encodings += !strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING);
	return MHD_YES;
}

static int content_length(struct MHD_Connection *mhd_connection, size_t *ret_len)
{
	const char *text = MHD_lookup_connection_value(
	    mhd_connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	char *end;

	*ret_len = 0;
	if (!text)
		return 0;
	if (strlen(text) > 18 || strspn(text, "0123456789") != strlen(text) || !text[0])
		return -TACIT_E_MALFORMED;

	*ret_len = strtoull(text, &end, 10);
	return 0;
}

static int request_judge(struct MHD_Connection *mhd_connection, const char *method,
    const char *path, const char *version)
{
	struct header_census census = {0};
	size_t len;

	(void)MHD_get_connection_values(mhd_connection, MHD_HEADER_KIND, count_header, &census);
	if (strcmp(version, MHD_HTTP_VERSION_1_1) != 0 || census.transfer_encodings > 0 ||
	    census.content_lengths > 1 || census.hosts != 1 ||
	    strlen(path) >= PROTO_PATH_MAX_BYTES || content_length(mhd_connection, &len) < 0)
		return -TACIT_E_MALFORMED;
	if (len > 0 && len > route_body_max(method, path))
		return -TACIT_E_TOO_LARGE;

	return 0;
}

/* Which header or query parameter fills which member of the request. */
static const struct {
	enum MHD_ValueKind kind;
	const char *name;
	size_t offset;
} request_members[] = {
    {MHD_HEADER_KIND, "Accept", offsetof(struct request, accept)},
    {MHD_HEADER_KIND, "If-Match", offsetof(struct request, if_match)},
    {MHD_HEADER_KIND, "If-None-Match", offsetof(struct request, if_none_match)},
    {MHD_HEADER_KIND, "Prefer", offsetof(struct request, prefer)},
    {MHD_GET_ARGUMENT_KIND, "prefix", offsetof(struct request, prefix)},
    {MHD_GET_ARGUMENT_KIND, "after", offsetof(struct request, after)},
    {MHD_GET_ARGUMENT_KIND, "limit", offsetof(struct request, limit)},
    {MHD_GET_ARGUMENT_KIND, "version", offsetof(struct request, version)},
    {MHD_GET_ARGUMENT_KIND, "file", offsetof(struct request, file)},
    {MHD_GET_ARGUMENT_KIND, "env", offsetof(struct request, env)},
    {MHD_GET_ARGUMENT_KIND, "mode", offsetof(struct request, mode)},
    {MHD_GET_ARGUMENT_KIND, "pattern", offsetof(struct request, pattern)},
};

struct member_fill {
	struct request *request;
	int err;
};

/*
 * Query parameters are decoded here, in libmicrohttpd's own buffer. What comes twice is refused,
 * since somebody in between may have judged the other one; only Accept is a list.
 */
static int member_set(
    const char **member, enum MHD_ValueKind kind, const char *name, const char *value)
{
	if (*member && strcmp(name, "Accept") != 0)
		return -TACIT_E_MALFORMED;

	*member = value ? value : "";
	if (kind != MHD_GET_ARGUMENT_KIND || !value)
		return 0;

	return proto_unescape((char *)(uintptr_t)value);
}

static enum MHD_Result fill_member(
    void *context, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct member_fill *fill = context;

	for (size_t i = 0; i < sizeof(request_members) / sizeof(request_members[0]); i++) {
		void *member = (char *)fill->request + request_members[i].offset;

		if (request_members[i].kind == kind && !strcasecmp(request_members[i].name, key) &&
		    fill->err == 0)
			fill->err = member_set(member, kind, request_members[i].name, value);
	}

	return MHD_YES;
}

static int request_fill(
    struct request *request, struct MHD_Connection *mhd_connection, struct connection *connection)
{
	struct member_fill fill = {.request = request};
	struct listener *listener = connection->listener;

	(void)MHD_get_connection_values(mhd_connection, MHD_HEADER_KIND, fill_member, &fill);
	(void)MHD_get_connection_values(mhd_connection, MHD_GET_ARGUMENT_KIND, fill_member, &fill);
	memcpy(request->peer, connection->peer, sizeof(request->peer));
	(void)snprintf(request->id, sizeof(request->id), "%016llx",
	    (unsigned long long)atomic_fetch_add(&listener->next_request, 1));
	request->identity = connection_identity(connection);
	return fill.err;
}

static void free_secret(void *secret)
{
	secret_free(secret);
}

static struct MHD_Response *response_make(struct response *response)
{
	struct secret *body = secret_take(&response->body);
	char retry_after[16];
	/* libmicrohttpd frees the body, and so wipes it, when it has been sent. */
	struct MHD_Response *mhd_response = MHD_create_response_from_buffer_with_free_callback_cls(
	    secret_len(body), (void *)(uintptr_t)secret_bytes(body), free_secret, body);

	if (!mhd_response) {
		secret_free(body);
		return NULL;
	}

	(void)MHD_add_response_header(mhd_response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (response->content_type)
		(void)MHD_add_response_header(
		    mhd_response, MHD_HTTP_HEADER_CONTENT_TYPE, response->content_type);
	if (response->etag[0])
		(void)MHD_add_response_header(mhd_response, MHD_HTTP_HEADER_ETAG, response->etag);
	if (response->allow)
		(void)MHD_add_response_header(mhd_response, MHD_HTTP_HEADER_ALLOW, response->allow);
	if (response->retry_after_s > 0) {
		(void)snprintf(retry_after, sizeof(retry_after), "%d", response->retry_after_s);
		(void)MHD_add_response_header(
		    mhd_response, MHD_HTTP_HEADER_RETRY_AFTER, retry_after);
	}
	return mhd_response;
}

/*
 * libmicrohttpd sends header and body as two TLS records with a system call each, which is a third
 * of what a small answer costs. Corked, GnuTLS gathers them; on_completed() lets them go. A large
 * body is not gathered, since it would be held in memory twice.
 */
#define CORKED_BODY_MAX_BYTES 8192

static void response_cork(struct arrival *arrival, const struct response *response)
{
	if (secret_len(response->body) > CORKED_BODY_MAX_BYTES)
		return;

	gnutls_record_cork(arrival->connection->session);
	arrival->corked = true;
}

/*
 * The socket has room for a small answer, unless the peer sends requests without reading what
 * comes back. Such a peer is cut off: waiting for it would hold up everybody on this thread.
 */
static void response_uncork(struct arrival *arrival)
{
	const int on = 1;
	int fd = arrival->connection->fd;

	if (!arrival->corked)
		return;

	if (gnutls_record_uncork(arrival->connection->session, 0) < 0)
		(void)shutdown(fd, SHUT_RDWR);
	/* libmicrohttpd has corked the socket too, and pushed when there was nothing yet to push.
	 */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	arrival->corked = false;
}

static enum MHD_Result response_send(
    struct MHD_Connection *mhd_connection, struct arrival *arrival, struct response *response)
{
	struct MHD_Response *mhd_response;
	enum MHD_Result result;

	response_cork(arrival, response);
	mhd_response = response_make(response);
	if (!mhd_response)
		return MHD_NO;

	result = MHD_queue_response(mhd_connection, (unsigned)response->status, mhd_response);
	MHD_destroy_response(mhd_response);
	return result;
}

static enum MHD_Result refuse(
    struct MHD_Connection *mhd_connection, struct arrival *arrival, int err)
{
	struct response response = {
	    .status = err_http_status(err), .content_type = PROTO_TYPE_PROBLEM};

	if (proto_problem_print(err, NULL, "", &response.body) < 0)
		return MHD_NO;

	return response_send(mhd_connection, arrival, &response);
}

static struct arrival *arrival_of(struct waiter *waiter)
{
	return (struct arrival *)(void *)((char *)waiter - offsetof(struct arrival, waiter));
}

static void arrival_suspend(struct waiter *waiter)
{
	MHD_suspend_connection(arrival_of(waiter)->mhd_connection);
}

/* libmicrohttpd then calls on_request() again, from the connection's own thread. */
static void arrival_wake(struct waiter *waiter)
{
	MHD_resume_connection(arrival_of(waiter)->mhd_connection);
}

/* Offers to wait if that was asked for, time is left, and we are not about to stop. */
static void request_offer_wait(struct request *request, struct arrival *arrival)
{
	struct waiter *waiter = &arrival->waiter;
	int wait_s = watch_parse_prefer(request->prefer);

	if (wait_s == 0 || atomic_load(&arrival->connection->listener->stopping))
		return;
	if (waiter->until_ms == 0)
		waiter->until_ms = deadline_in_ms((int64_t)wait_s * 1000);
	if (deadline_left_ms(waiter->until_ms) == 0)
		return;

	waiter->wake = arrival_wake;
	request->waiter = waiter;
	request->suspend = arrival_suspend;
}

static enum MHD_Result answer(struct MHD_Connection *mhd_connection, struct arrival *arrival,
    const char *method, const char *path)
{
	char path_copy[PROTO_PATH_MAX_BYTES];
	struct request request = {.method = method, .path = path_copy, .body = arrival->body};
	struct response response;

	(void)snprintf(path_copy, sizeof(path_copy), "%s", path);
	if (request_fill(&request, mhd_connection, arrival->connection) < 0)
		return refuse(mhd_connection, arrival, -TACIT_E_MALFORMED);
	request_offer_wait(&request, arrival);
	if (route_handle(arrival->connection->listener->server, &request, &response) < 0)
		return MHD_NO;
	if (response.waits) {
		/* The wait may be longer than what is left of the connection's time. */
		atomic_store(&arrival->connection->progress_s, now_s());
		secret_free(response.body);
		return MHD_YES;
	}

	return response_send(mhd_connection, arrival, &response);
}

static struct connection *connection_of(struct MHD_Connection *mhd_connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd_connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static enum MHD_Result arrival_begin(struct MHD_Connection *mhd_connection, const char *method,
    const char *path, const char *version, void **ret_arrival)
{
	struct connection *connection = connection_of(mhd_connection);
	struct arrival *arrival = connection ? calloc(1, sizeof(*arrival)) : NULL;
	int r;

	if (!arrival)
		return MHD_NO;

	arrival->connection = connection;
	arrival->mhd_connection = mhd_connection;
	(void)atomic_fetch_add(&connection->listener->requests_under_way, 1);
	*ret_arrival = arrival; /* from here on on_completed frees it */
	if (secret_new(0, &arrival->body) < 0)
		return MHD_NO;

	r = request_judge(mhd_connection, method, path, version);
	return r < 0 ? refuse(mhd_connection, arrival, r) : MHD_YES;
}

/* Called first with the headers, then with each piece of the body, then once more at its end. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd_connection,
    const char *path, const char *method, const char *version, const char *upload,
    size_t *upload_len, void **request_context)
{
	struct arrival *arrival = *request_context;

	(void)context;
	if (!arrival)
		return arrival_begin(mhd_connection, method, path, version, request_context);
	if (*upload_len > 0) {
		if (secret_append(arrival->body, upload, *upload_len) < 0)
			return MHD_NO;
		*upload_len = 0;
		return MHD_YES;
	}

	return answer(mhd_connection, arrival, method, path);
}

static void on_completed(void *context, struct MHD_Connection *mhd_connection,
    void **request_context, enum MHD_RequestTerminationCode code)
{
	struct arrival *arrival = *request_context;

	(void)context;
	(void)mhd_connection;
	if (!arrival)
		return;

	watch_remove(&arrival->connection->listener->server->watch, &arrival->waiter);
	response_uncork(arrival);
	if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		atomic_store(&arrival->connection->progress_s, now_s());
	(void)atomic_fetch_sub(&arrival->connection->listener->requests_under_way, 1);
	secret_free(arrival->body);
	free(arrival);
	*request_context = NULL;
}

/* The path goes to the routes as it came: they decode it, after they have split it. */
static size_t leave_escaped(void *context, struct MHD_Connection *mhd_connection, char *text)
{
	(void)context;
	(void)mhd_connection;
	return strlen(text);
}

static unsigned processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;

	return (unsigned)CPU_COUNT(&set);
}

static unsigned connections_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 256;

	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < 128 || limit.rlim_cur >= LISTENER_CONNECTIONS_MAX + 64)
		return LISTENER_CONNECTIONS_MAX;

	return (unsigned)limit.rlim_cur - 64;
}

/*
 * poll, never epoll: with TLS, libmicrohttpd 0.9.75 spins on a half-sent ClientHello under epoll.
 * A pool of threads only where there is more than one processor to run them.
 */
static int daemon_start(struct listener *listener, int fd)
{
	const struct authority *authority = listener->server->authority;
	const struct secret *key = authority_server_key(authority);
	cleanup_secret struct secret *key_text = NULL;
	unsigned threads = processors();

	if (secret_new_from(secret_bytes(key), secret_len(key), &key_text) < 0 ||
	    secret_append(key_text, "", 1) < 0)
		return -ENOMEM;

	listener->daemon = MHD_start_daemon(
	    MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
	    on_request, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE,
	    threads > 1 ? threads : 0, MHD_OPTION_HTTPS_MEM_KEY,
	    (const char *)secret_bytes(key_text), MHD_OPTION_HTTPS_MEM_CERT,
	    authority_server_pem(authority), MHD_OPTION_HTTPS_PRIORITIES,
	    "NORMAL:-VERS-ALL:+VERS-TLS1.3", MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_UNESCAPE_CALLBACK,
	    leave_escaped, NULL, MHD_OPTION_CONNECTION_LIMIT, connections_max(),
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)LISTENER_IDLE_S,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LISTENER_HEADERS_MAX_BYTES, MHD_OPTION_END);
	return listener->daemon ? 0 : -TACIT_E_INTERNAL;
}

static void listener_free(struct listener *listener)
{
	if (listener->reaper_runs)
		(void)pthread_join(listener->reaper, NULL);
	if (listener->credentials)
		gnutls_certificate_free_credentials(listener->credentials);
	if (listener->ticket_key.data) {
		gnutls_memset(listener->ticket_key.data, 0, listener->ticket_key.size);
		gnutls_free(listener->ticket_key.data);
	}
	verdicts_free(listener->verdicts);
	(void)pthread_mutex_destroy(&listener->mutex);
	free(listener);
}

static int listener_run(struct listener *listener, int *fd)
{
	int r = credentials_make(listener);

	listener->verdicts = verdicts_new();
	if (!listener->verdicts)
		r = -ENOMEM;
	if (r == 0)
		r = daemon_start(listener, *fd);
	if (r < 0)
		return r;

	(void)fd_take(fd); /* the daemon closes it */
	listener->reaper_runs =
	    pthread_create(&listener->reaper, NULL, reap_connections, listener) == 0;
	return listener->reaper_runs ? 0 : -EAGAIN;
}

static void url_of(int fd, char ret_url[static 320])
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char text[256] = "?";

	if (getsockname(fd, (struct sockaddr *)&address, &len) == 0)
		socket_address_text((struct sockaddr *)&address, len, text, sizeof(text));
	(void)snprintf(ret_url, 320, "https://%s", text);
}

int listener_start(struct server *server, const char *address, struct listener **ret_listener,
    char ret_url[static 320], struct fault *fault)
{
	cleanup_fd int fd = socket_listen(address, fault);
	struct listener *listener;
	uint64_t first_request;
	int r;

	if (fd < 0)
		return fd;
	listener = calloc(1, sizeof(*listener));
	if (!listener)
		return fault_set(fault, -ENOMEM, "listener");

	listener->server = server;
	(void)pthread_mutex_init(&listener->mutex, NULL);
	/* Unlikely to repeat over restarts, and in order within one. */
	randombytes_buf(&first_request, sizeof(first_request));
	listener->next_request = first_request;
	url_of(fd, ret_url);
	r = listener_run(listener, &fd);
	if (r < 0) {
		listener_stop(listener, 0);
		return fault_set(fault, r, "listener on %s", address);
	}

	*ret_listener = listener;
	return 0;
}

void listener_stop(struct listener *listener, int drain_ms)
{
	int64_t deadline_ms = deadline_in_ms(drain_ms);

	atomic_store(&listener->stopping, true);
	watch_close(&listener->server->watch);
	if (listener->daemon) {
		int fd = MHD_quiesce_daemon(listener->daemon);

		if (fd >= 0)
			(void)close(fd);
		while (atomic_load(&listener->requests_under_way) > 0 &&
		       deadline_left_ms(deadline_ms) > 0)
			(void)usleep(5000);
		MHD_stop_daemon(listener->daemon);
	}
	listener_free(listener);
}
