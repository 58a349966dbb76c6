/* SPDX-License-Identifier: MIT */
#include "listener_http.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "listener_tls.h"
#include "tacit/deadline.h"

/* One request on its way through. */
struct arrival {
	struct connection *connection;
	struct MHD_Connection *mhd_connection;
	struct secret *body;
	struct waiter waiter; /* until_ms is 0 until the request has been looked at */
	bool corked;          /* the answer is gathered into one TLS record */

	/* An answer that waits, and what it becomes if what it waits for fails. */
	bool holds;
	atomic_int awaits; /* how many things; the answer itself is one of them */
	atomic_int held_err;
	struct audit_ticket ticket; /* for its audit line */
	struct held held;           /* for the disk */
	char request_id[REQUEST_ID_BYTES];
	struct response held_response;
};

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
 * of what a small answer costs. Corked, GnuTLS gathers them; listener_on_completed() lets them go.
 * A large body is not gathered, since it would be held in memory twice.
 */
#define CORKED_BODY_MAX_BYTES 8192

static void response_cork(struct arrival *arrival, const struct response *response)
{
	if (secret_len(response->body) > CORKED_BODY_MAX_BYTES)
		return;

	connection_cork(arrival->connection);
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

	if (connection_uncork(arrival->connection) < 0)
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
	struct response response = {0};

	if (response_fail(&response, arrival->request_id, err, NULL) < 0)
		return MHD_NO;

	return response_send(mhd_connection, arrival, &response);
}

static void arrival_hold(struct arrival *arrival)
{
	arrival->holds = true;
	atomic_store(&arrival->awaits, 1);
	MHD_suspend_connection(arrival->mhd_connection);
}

/* libmicrohttpd then calls listener_on_request() again, from the connection's own thread. */
static void arrival_got_one(struct arrival *arrival, int err)
{
	if (err < 0)
		atomic_store(&arrival->held_err, err);
	if (atomic_fetch_sub(&arrival->awaits, 1) == 1)
		MHD_resume_connection(arrival->mhd_connection);
}

static void disk_is_done(struct held *held, int err)
{
	arrival_got_one(
	    (struct arrival *)(void *)((char *)held - offsetof(struct arrival, held)), err);
}

static struct arrival *arrival_of_ticket(struct audit_ticket *ticket)
{
	return (struct arrival *)(void *)((char *)ticket - offsetof(struct arrival, ticket));
}

static void line_is_done(struct audit_ticket *ticket, int err)
{
	struct arrival *arrival = arrival_of_ticket(ticket);

	metrics_count_audit(&arrival->connection->listener->server->metrics, err);
	arrival_got_one(arrival, err);
}

static void arrival_defer(struct audit_ticket *ticket)
{
	struct arrival *arrival = arrival_of_ticket(ticket);

	arrival_hold(arrival);
	(void)atomic_fetch_add(&arrival->awaits, 1);
}

/* While we are about to stop nobody is suspended: libmicrohttpd would not survive that. */
static void request_offer_defer(struct request *request, struct arrival *arrival)
{
	if (atomic_load(&arrival->connection->listener->stopping))
		return;

	arrival->ticket = (struct audit_ticket){.release = line_is_done};
	request->ticket = &arrival->ticket;
	request->defer = arrival_defer;
}

static enum MHD_Result response_send_or_refuse(struct MHD_Connection *mhd_connection,
    struct arrival *arrival, struct response *response, int err)
{
	if (err == 0)
		return response_send(mhd_connection, arrival, response);

	secret_free(response->body);
	return refuse(mhd_connection, arrival, err);
}

static enum MHD_Result arrival_send_held(
    struct MHD_Connection *mhd_connection, struct arrival *arrival)
{
	struct response response = arrival->held_response;

	arrival->holds = false;
	if (!response.body)
		return MHD_NO;

	return response_send_or_refuse(mhd_connection, arrival, &response, arrival->held_err);
}

/* The answer is there; it leaves when all that it waits for is. */
static void arrival_keep(struct arrival *arrival, const struct response *response, bool is_on_disk)
{
	if (!arrival->holds)
		arrival_hold(arrival);
	arrival->held_response = *response;
	if (!is_on_disk) {
		arrival->held =
		    (struct held){.revision = response->revision, .release = disk_is_done};
		(void)atomic_fetch_add(&arrival->awaits, 1);
		durability_hold(arrival->connection->listener->server->durability, &arrival->held);
	}
	arrival_got_one(arrival, 0);
}

static enum MHD_Result response_send_in_time(
    struct MHD_Connection *mhd_connection, struct arrival *arrival, struct response *response)
{
	struct listener *listener = arrival->connection->listener;
	struct server *server = listener->server;
	bool is_on_disk = durability_reached(server->durability, response->revision);

	if (is_on_disk && !arrival->holds)
		return response_send(mhd_connection, arrival, response);
	if (!arrival->holds && atomic_load(&listener->stopping))
		return response_send_or_refuse(
		    mhd_connection, arrival, response, vault_sync(server->vault));

	arrival_keep(arrival, response, is_on_disk);
	return MHD_YES;
}

static struct arrival *arrival_of(struct waiter *waiter)
{
	return (struct arrival *)(void *)((char *)waiter - offsetof(struct arrival, waiter));
}

static void arrival_suspend(struct waiter *waiter)
{
	MHD_suspend_connection(arrival_of(waiter)->mhd_connection);
}

/* libmicrohttpd then calls listener_on_request() again, from the connection's own thread. */
static void arrival_wake(struct waiter *waiter)
{
	MHD_resume_connection(arrival_of(waiter)->mhd_connection);
}

/* Offers to wait if that was asked for, time is left, and we are not about to stop. */
static void request_offer_wait(struct request *request, struct arrival *arrival)
{
	struct waiter *waiter = &arrival->waiter;
	int wait_s = watch_parse_prefer(request->prefer);

	request->has_waited = waiter->until_ms != 0;
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
	struct server *server = arrival->connection->listener->server;
	char path_copy[PROTO_PATH_MAX_BYTES];
	struct request request = {.method = method, .path = path_copy, .body = arrival->body};
	struct response response = {0};
	int r;

	(void)snprintf(path_copy, sizeof(path_copy), "%s", path);
	r = request_fill(&request, mhd_connection, arrival->connection);
	memcpy(arrival->request_id, request.id, sizeof(request.id));
	if (r < 0)
		return refuse(mhd_connection, arrival, -TACIT_E_MALFORMED);
	request_offer_wait(&request, arrival);
	request_offer_defer(&request, arrival);
	if (route_handle(server, &request, &response) < 0 && !arrival->holds)
		return MHD_NO;
	if (response.waits) {
		/* The wait may be longer than what is left of the connection's time. */
		atomic_store(&arrival->connection->progress_s, listener_now_s());
		secret_free(response.body);
		return MHD_YES;
	}

	return response_send_in_time(mhd_connection, arrival, &response);
}

struct connection *connection_of(struct MHD_Connection *mhd_connection)
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

	r = request_judge(mhd_connection, connection->listener->door, method, path, version);
	return r < 0 ? refuse(mhd_connection, arrival, r) : MHD_YES;
}

/* Called first with the headers, then with each piece of the body, then once more at its end. */
enum MHD_Result listener_on_request(void *context, struct MHD_Connection *mhd_connection,
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
	if (arrival->holds)
		return arrival_send_held(mhd_connection, arrival);

	return answer(mhd_connection, arrival, method, path);
}

void listener_on_completed(void *context, struct MHD_Connection *mhd_connection,
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
		atomic_store(&arrival->connection->progress_s, listener_now_s());
	(void)atomic_fetch_sub(&arrival->connection->listener->requests_under_way, 1);
	if (arrival->holds)
		secret_free(arrival->held_response.body);
	secret_free(arrival->body);
	free(arrival);
	*request_context = NULL;
}

size_t listener_leave_escaped(void *context, struct MHD_Connection *mhd_connection, char *text)
{
	(void)context;
	(void)mhd_connection;
	return strlen(text);
}
