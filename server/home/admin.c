/* SPDX-License-Identifier: MIT */
#include "admin.h"

#include <errno.h>
#include <stdio.h>
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

void admin_identity_free(struct admin_identity *identity)
{
	secret_free(identity->pem);
	*identity = (struct admin_identity){0};
}

static int audit_admin(
    struct server *server, const char *event, const char *client, int status, struct fault *fault)
{
	const struct audit_event line = {.event = event, .subject = client, .status = status};
	int r = audit_write(server->audit, &line);

	return r < 0 ? fault_set(fault, r, AUDIT_FILE) : 0;
}

/* Whose certificates of until now are void: for one who is added anew, that makes him another. */
static int void_old(struct server *server, const char *name, struct fault *fault)
{
	int r = audit_admin(server, "client.revoke", name, 204, fault);

	if (r < 0)
		return r;

	r = clients_revoke(server->clients, name);
	return r < 0 ? fault_set(fault, r, "%s", name) : 0;
}

/* The name, and whether older certificates must not be good. */
static bool admin_choose(
    const struct server *server, bool revoke_old, char ret_name[static CLIENT_NAME_MAX_BYTES + 1])
{
	const struct client *admin = admin_find(server->clients);
	const struct client *namesake = clients_find(server->clients, admin_name);

	(void)snprintf(ret_name, CLIENT_NAME_MAX_BYTES + 1, "%s", admin ? admin->name : admin_name);
	if (admin)
		return revoke_old;

	/* Who is called so and is no admin is not to become one with what he has. */
	return namesake && !namesake->revoked;
}

int admin_issue(struct server *server, bool revoke_old, struct admin_identity *ret_identity,
    struct fault *fault)
{
	int64_t not_after = time(NULL) + ADMIN_LIFETIME_S;
	struct admin_identity identity = {0};
	int r = 0;

	if (admin_choose(server, revoke_old, identity.client))
		r = void_old(server, identity.client, fault);
	if (r == 0)
		r = audit_admin(server, "admin.issue", identity.client, 201, fault);
	if (r < 0)
		return r;

	r = clients_put(server->clients, identity.client, ROLE_ADMIN, not_after);
	if (r == 0)
		r = authority_new_identity(server->authority, identity.client,
		    clients_find(server->clients, identity.client)->generation, not_after,
		    &identity.pem);
	if (r < 0) /* then there is no file either */
		return fault_set(fault, r, "identity of an admin");

	*ret_identity = identity;
	return 0;
}

int admin_run(struct server *server, int dirfd, const struct admin_request *request,
    struct admin_identity *ret_identity, struct fault *fault)
{
	int r = home_check_key(server, dirfd, request->material, fault);

	(void)pthread_mutex_lock(&server->mutex);
	if (r == 0)
		r = admin_issue(server, request->revoke_old, ret_identity, fault);
	else
		(void)audit_admin(server, "admin.issue", NULL, 403, NULL);
	(void)pthread_mutex_unlock(&server->mutex);
	return r;
}

int admin_identity_encode(const struct admin_identity *identity, struct encoder *encoder)
{
	encode_text(encoder, identity->client);
	encode_bytes(encoder, secret_bytes(identity->pem), secret_len(identity->pem));
	return encode_end(encoder);
}

int admin_identity_decode(struct decoder *decoder, struct admin_identity *ret_identity)
{
	struct admin_identity identity = {0};
	const uint8_t *pem;
	size_t len;

	decode_text(decoder, identity.client, sizeof(identity.client));
	pem = decode_bytes(decoder, &len);
	if (decode_end(decoder) < 0)
		return -TACIT_E_CORRUPT;
	if (secret_new_from(pem, len, &identity.pem) < 0)
		return -ENOMEM;

	*ret_identity = identity;
	return 0;
}

int admin_issue_file(struct home *home, struct fault *fault)
{
	cleanup_admin_identity struct admin_identity identity = {0};
	int r;

	(void)pthread_mutex_lock(&home->server.mutex);
	r = admin_issue(&home->server, false, &identity, fault);
	(void)pthread_mutex_unlock(&home->server.mutex);
	if (r < 0)
		return r;

	r = fd_create_file(
	    home->dirfd, ADMIN_FILE, 0400, secret_bytes(identity.pem), secret_len(identity.pem));
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
