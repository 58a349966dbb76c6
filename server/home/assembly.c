/* SPDX-License-Identifier: MIT */
#include "assembly.h"

#include <errno.h>
#include <time.h>

/* How often what costs us something may be asked for. */
static int server_limit(struct server *server)
{
	server->refusals = limiter_new(20, 1000);
	server->all_refusals = limiter_new(200, 100);
	server->renewals = limiter_new(60, 200);
	server->readings = limiter_new(1, AUDIT_READING_MS);
	return server->refusals && server->all_refusals && server->renewals && server->readings
	           ? 0
	           : -ENOMEM;
}

int server_assemble(struct server *server, struct vault *vault, struct fault *fault)
{
	int r;

	(void)pthread_mutex_init(&server->mutex, NULL);
	watch_init(&server->watch);
	server->unrecorded = refusals_new();
	server->instances = instances_new(time(NULL));
	server->vault = vault;
	r = server->authority ? 0 : authority_load(vault, &server->authority, fault);
	if (r == 0)
		r = secrets_load(vault, &server->secrets, fault);
	if (r == 0)
		r = clients_load(vault, &server->clients, fault);
	if (r == 0)
		r = tokens_load(vault, &server->tokens, fault);
	if (r == 0 && (server_limit(server) < 0 || !server->instances || !server->unrecorded))
		r = fault_set(fault, -ENOMEM, "limits");
	return r;
}

void server_disassemble(struct server *server)
{
	durability_stop(server->durability);
	audit_close(server->audit);
	instances_free(server->instances);
	refusals_free(server->unrecorded);
	limiter_free(server->renewals);
	limiter_free(server->readings);
	limiter_free(server->all_refusals);
	limiter_free(server->refusals);
	tokens_free(server->tokens);
	clients_free(server->clients);
	secrets_free(server->secrets);
	authority_free(server->authority);
	vault_close(server->vault);
	watch_destroy(&server->watch);
	*server = (struct server){0};
}
