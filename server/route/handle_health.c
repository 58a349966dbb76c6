/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "audit_mark.h"
#include "handlers.h"
#include "route_table.h"

/* How the server is: for load balancers and service managers, and in numbers for Prometheus. */

/* Reads a record and authenticates it: the file is there, and the keys open it. */
static bool store_works(struct exchange *exchange)
{
	struct audit_mark mark;

	return audit_mark_load(exchange->server->vault, &mark) == 0;
}

int handle_health(struct exchange *exchange)
{
	cleanup_json struct json *json = json_new_object();
	const char *status = !store_works(exchange)                         ? "store_broken"
	                     : !audit_is_available(exchange->server->audit) ? "audit_unavailable"
	                                                                    : "ok";
	bool ok = !strcmp(status, "ok");

	if (!json || json_set_text(json, "status", status) < 0 ||
	    json_set_text(json, "version", TACIT_VERSION) < 0)
		return -ENOMEM;

	exchange->response->retry_after_s = ok ? 0 : 5;
	return exchange_answer_json(exchange, ok ? 200 : 503, json);
}

/* The lock of the routes is held. */
static int metrics_gather(struct server *server, struct secret **ret_text)
{
	const struct metrics_gauges gauges = {
	    .secrets = secrets_count(server->secrets),
	    .clients = clients_count(server->clients),
	    .tokens = tokens_count(server->tokens),
	    .waiters = watch_count(&server->watch),
	    .revision = vault_revision(server->vault),
	    .server_certificate_expiry = authority_server_expiry(server->authority),
	    .ca_certificate_expiry = authority_ca_expiry(server->authority),
	    .audit_available = audit_is_available(server->audit),
	    .memory_locked = secret_memory_locked(),
	    .counters = &server->counters,
	};

	return metrics_print(&server->metrics, &gauges, route_describe, ret_text);
}

int route_print_metrics(struct server *server, struct secret **ret_text)
{
	int r;

	(void)pthread_mutex_lock(&server->mutex);
	r = metrics_gather(server, ret_text);
	(void)pthread_mutex_unlock(&server->mutex);
	return r;
}

int handle_metrics(struct exchange *exchange)
{
	exchange->response->status = 200;
	exchange->response->content_type = METRICS_CONTENT_TYPE;
	return metrics_gather(exchange->server, &exchange->response->body);
}
