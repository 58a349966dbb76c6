/* SPDX-License-Identifier: MIT */
#include "listener_plain.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tacit/fd.h"

#define CONNECTIONS_MAX   32
#define IDLE_S            10
#define HEADERS_MAX_BYTES 4096

struct listener_plain {
	_Atomic(struct server *) server; /* NULL while sealed */
	struct MHD_Daemon *daemon;
};

static enum MHD_Result answer_send(
    struct MHD_Connection *connection, int status, const char *type, const struct secret *body)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
	    secret_len(body), (void *)(uintptr_t)secret_bytes(body), MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;

	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "5");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET");
	result = MHD_queue_response(connection, (unsigned)status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, int err)
{
	cleanup_secret struct secret *body = NULL;

	if (proto_problem_print(err, NULL, "", &body) < 0)
		return MHD_NO;

	return answer_send(connection, err_http_status(err), PROTO_TYPE_PROBLEM, body);
}

/* The routes know the caller as somebody without a certificate, who may ask how we are. */
static enum MHD_Result answer_health(struct MHD_Connection *connection, struct server *server)
{
	char path[] = "/v1/health";
	cleanup_secret struct secret *nothing = NULL;
	struct request request = {.method = "GET", .path = path, .id = "-", .peer = "-"};
	struct response response;
	enum MHD_Result result;

	if (secret_new(0, &nothing) < 0)
		return MHD_NO;
	request.body = nothing;
	if (route_handle(server, &request, &response) < 0)
		return MHD_NO;

	result = answer_send(connection, response.status, response.content_type, response.body);
	secret_free(response.body);
	return result;
}

static enum MHD_Result answer_metrics(struct MHD_Connection *connection, struct server *server)
{
	cleanup_secret struct secret *body = NULL;

	if (route_print_metrics(server, &body) < 0)
		return MHD_NO;

	return answer_send(connection, MHD_HTTP_OK, METRICS_CONTENT_TYPE, body);
}

/* A body is not waited for: whoever sends one has come to the wrong place. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
    const char *path, const char *method, const char *version, const char *upload,
    size_t *upload_len, void **request_context)
{
	struct listener_plain *listener = context;
	struct server *server = atomic_load(&listener->server);
	bool metrics = !strcmp(path, "/metrics");

	(void)version;
	(void)upload;
	(void)upload_len;
	(void)request_context;
	if (!metrics && strcmp(path, "/v1/health") != 0)
		return refuse(connection, -TACIT_E_NOT_FOUND);
	if (strcmp(method, "GET") != 0)
		return refuse(connection, -TACIT_E_METHOD);
	if (!server)
		return refuse(connection, -TACIT_E_SEALED);

	return metrics ? answer_metrics(connection, server) : answer_health(connection, server);
}

int listener_plain_start(int *fd, struct listener_plain **ret_listener, struct fault *fault)
{
	struct listener_plain *listener = calloc(1, sizeof(*listener));

	if (!listener)
		return fault_set(fault, -ENOMEM, "listener of the metrics");

	listener->daemon = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD, 0, NULL, NULL, on_request,
	    listener, MHD_OPTION_LISTEN_SOCKET, *fd, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MAX_BYTES, MHD_OPTION_END);
	if (!listener->daemon) {
		free(listener);
		return fault_set(fault, -TACIT_E_INTERNAL, "listener of the metrics");
	}

	(void)fd_take(fd); /* the daemon closes it */
	*ret_listener = listener;
	return 0;
}

void listener_plain_open(struct listener_plain *listener, struct server *server)
{
	if (listener)
		atomic_store(&listener->server, server);
}

void listener_plain_stop(struct listener_plain *listener)
{
	if (!listener)
		return;

	MHD_stop_daemon(listener->daemon);
	free(listener);
}
