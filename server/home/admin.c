/* SPDX-License-Identifier: MIT */
#include "admin.h"

#include <string.h>
#include <time.h>

#include "tacit/fd.h"

#define ADMIN_LIFETIME_S (3650LL * 86400)

static const char admin_name[] = "admin";

static const struct client *admin_find(const struct clients *clients)
{
	const struct client *found = clients_find(clients, admin_name);

	if (found && found->role == ROLE_ADMIN && !found->revoked)
		return found;
	for (size_t i = 0; i < clients_count(clients); i++) {
		const struct client *client = clients_at(clients, i);

		if (client->role == ROLE_ADMIN && !client->revoked)
			return client;
	}

	return NULL;
}

int admin_issue(struct server *server, struct secret **ret_pem, struct fault *fault)
{
	const struct client *admin = admin_find(server->clients);
	const struct audit_event event = {
	    .event = "admin.issue", .subject = admin ? admin->name : admin_name, .status = 201};
	int64_t not_after = time(NULL) + ADMIN_LIFETIME_S;
	int r = audit_write(server->audit, &event);

	if (r < 0)
		return fault_set(fault, r, AUDIT_FILE);
	if (!admin) {
		r = clients_put(server->clients, admin_name, ROLE_ADMIN, not_after);
		admin = clients_find(server->clients, admin_name);
	}
	if (r == 0)
		r = authority_new_identity(
		    server->authority, admin->name, admin->generation, not_after, ret_pem);

	return r < 0 ? fault_set(fault, r, "identity of an admin") : 0;
}

int admin_issue_file(struct home *home, struct fault *fault)
{
	cleanup_secret struct secret *pem = NULL;
	int r;

	(void)pthread_mutex_lock(&home->server.mutex);
	r = admin_issue(&home->server, &pem, fault);
	(void)pthread_mutex_unlock(&home->server.mutex);
	if (r < 0)
		return r;

	r = fd_create_file(home->dirfd, ADMIN_FILE, 0400, secret_bytes(pem), secret_len(pem));
	return r < 0 ? fault_set(fault, r, ADMIN_FILE) : 0;
}

int admin_create(int dirfd, struct server *server, struct fault *fault)
{
	int64_t not_after = time(NULL) + ADMIN_LIFETIME_S;
	cleanup_secret struct secret *pem = NULL;
	int r = clients_put(server->clients, admin_name, ROLE_ADMIN, not_after);

	if (r == 0)
		r = authority_new_identity(server->authority, admin_name,
		    clients_find(server->clients, admin_name)->generation, not_after, &pem);
	if (r == 0)
		r = fd_create_file(dirfd, ADMIN_FILE, 0400, secret_bytes(pem), secret_len(pem));

	return r < 0 ? fault_set(fault, r, ADMIN_FILE) : 0;
}
