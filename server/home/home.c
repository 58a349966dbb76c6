/* SPDX-License-Identifier: MIT */
#include "home.h"

#include <sodium.h>
#include <stdio.h>

#include "assembly.h"
#include "audit_mark.h"
#include "audit_verify.h"
#include "tacit/fd.h"

/* Takes `keys` over in any case. */
static int vault_reopen(const struct config *config, enum home_use use, struct keys *keys,
    struct vault **ret_vault, struct fault *fault)
{
	char path[HOME_PATH_BYTES];
	struct store *store;
	int r;

	home_path(config, STORE_FILE, path);
	r = store_open(path, use == HOME_CHECK ? STORE_READ_ONLY : STORE_WRITE, &store, fault);
	if (r < 0) {
		keys_free(keys);
		return r;
	}

	return vault_open(store, keys, ret_vault, fault);
}

/* A full disk is no reason not to serve what can be read. */
static int mark_store(struct server *server, bool is_end)
{
	int r = audit_mark_store(server->vault, server->audit, is_end);

	return r == -TACIT_E_STORE_FULL ? 0 : r;
}

/* The log has lines that this database has not been there for. */
static int rollback_say(struct server *server, const struct audit_state *audit, struct fault *fault)
{
	char subject[96];
	const struct audit_event event = {.event = "store.rolled_back", .subject = subject};
	int r;

	if (audit->behind_from == 0)
		return 0;

	(void)snprintf(subject, sizeof(subject), "lines %llu to %llu are of a later store",
	    (unsigned long long)audit->behind_from, (unsigned long long)audit->behind_to);
	r = audit_write(server->audit, &event);
	return r < 0 ? fault_set(fault, r, AUDIT_FILE) : 0;
}

static int audit_begin(struct home *home, struct audit_state *ret_audit, struct fault *fault)
{
	struct server *server = &home->server;
	struct audit_mark mark;
	int r = audit_mark_load(server->vault, &mark);

	if (r < 0)
		return fault_set(fault, r, "mark of " AUDIT_FILE);
	r = audit_open(
	    home->dirfd, vault_keys(server->vault), &mark, &server->audit, ret_audit, fault);
	if (r < 0)
		return r;

	r = rollback_say(server, ret_audit, fault);
	if (r < 0)
		return r;

	r = mark_store(server, false);
	return r < 0 ? fault_set(fault, r, "mark of " AUDIT_FILE) : 0;
}

/*
 * Only a writer acts on what the rows say, so only a writer must not start on rows that somebody
 * has removed or rolled back: a client's record from before it was revoked would be good again.
 */
static int home_begin_writing(struct home *home, struct audit_state *ret_audit, struct fault *fault)
{
	uint64_t rows;
	int r = vault_check_set(home->server.vault, VAULT_INDEX, &rows, fault);

	if (r == 0)
		r = authority_renew(home->server.authority, fault);

	return r < 0 ? r : audit_begin(home, ret_audit, fault);
}

int home_load(const struct config *config, enum home_use use, struct keys *keys, struct home *home,
    struct audit_state *ret_audit, struct fault *fault)
{
	struct vault *vault;
	int r = vault_reopen(config, use, keys, &vault, fault);

	*ret_audit = (struct audit_state){0};
	if (r == 0)
		r = server_assemble(&home->server, vault, fault);
	if (r == 0 && config->keep_versions > 0)
		secrets_set_kept(home->server.secrets, config->keep_versions);
	if (r == 0 && config->certificate_ttl_ms > 0)
		authority_set_lifetime(home->server.authority, config->certificate_ttl_ms / 1000);
	if (r == 0 && use == HOME_SERVE)
		r = home_begin_writing(home, ret_audit, fault);
	if (r == 0 && use == HOME_RECORD)
		r = audit_begin(home, ret_audit, fault);

	return r;
}

int home_begin(
    const struct config *config, enum home_use use, struct home *ret_home, struct fault *fault)
{
	struct home home = {.dirfd = home_dir_open(config, fault), .lock_fd = -1};
	int r = home.dirfd < 0 ? home.dirfd : home_dir_check(home.dirfd, config, fault);

	if (r == 0 && use != HOME_CHECK) {
		home.lock_fd = home_dir_lock(home.dirfd, config, fault);
		r = home.lock_fd < 0 ? home.lock_fd : keys_settle(home.dirfd, fault);
	}
	if (r < 0) {
		home_close(&home);
		return r;
	}

	*ret_home = home;
	return 0;
}

int home_open(const struct config *config, enum home_use use, struct home *ret_home,
    struct audit_state *ret_audit, struct fault *fault)
{
	struct home home;
	struct keys *keys;
	int r = home_begin(config, use, &home, fault);

	if (r < 0)
		return r;

	r = keys_open(home.dirfd, &config->key_source, &keys, fault);
	if (r == 0)
		r = home_load(config, use, keys, &home, ret_audit, fault);
	if (r < 0) {
		home_close(&home);
		return r;
	}

	*ret_home = home;
	return 0;
}

int home_open_with(const struct config *config, enum home_use use, const struct secret *material,
    struct home *ret_home, struct fault *fault)
{
	struct home home;
	struct audit_state audit;
	struct keys *keys;
	struct seal seal;
	int r = home_begin(config, use, &home, fault);

	if (r < 0)
		return r;

	r = seal_read(home.dirfd, &seal, fault);
	if (r == 0) {
		r = keys_unseal(&seal, material, &keys);
		r = r < 0 ? fault_set(fault, r, SEAL_FILE)
		          : home_load(config, use, keys, &home, &audit, fault);
	}
	if (r < 0) {
		home_close(&home);
		return r;
	}

	*ret_home = home;
	return 0;
}

int home_check_key(
    const struct server *server, int dirfd, const struct secret *material, struct fault *fault)
{
	struct keys *keys = NULL;
	struct seal seal;
	int r = seal_read(dirfd, &seal, fault);

	if (r < 0)
		return r;

	r = keys_unseal(&seal, material, &keys);
	/* Somebody may have put another store's seal into the directory. */
	if (r == 0 &&
	    sodium_memcmp(keys->root, vault_keys(server->vault)->root, ENVELOPE_KEY_BYTES) != 0)
		r = -TACIT_E_WRONG_KEY;
	keys_free(keys);
	return r < 0 ? fault_set(fault, r, SEAL_FILE) : 0;
}

int home_verify(struct home *home, struct fault *fault)
{
	struct vault *vault = home->server.vault;
	struct audit_findings findings;
	struct audit_mark mark;
	uint64_t rows;
	int r = vault_check_set(vault, VAULT_WHOLE, &rows, fault);

	if (r < 0)
		return r;
	r = audit_mark_load(vault, &mark);
	if (r < 0)
		return fault_set(fault, r, "mark of " AUDIT_FILE);

	return audit_verify(home->dirfd, vault_keys(vault), &mark, &findings, fault);
}

void home_close(struct home *home)
{
	if (home->server.audit) {
		refusals_write(home->server.unrecorded, home->server.audit, REFUSALS_END);
		(void)mark_store(&home->server, true);
	}
	server_disassemble(&home->server);
	fd_cleanup(&home->lock_fd);
	fd_cleanup(&home->dirfd);
}
