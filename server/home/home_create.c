/* SPDX-License-Identifier: MIT */
#include "admin.h"
#include "assembly.h"
#include "audit_mark.h"
#include "home.h"
#include "sealed_file.h"

static int vault_begin(
    int dirfd, const struct config *config, struct vault **ret_vault, struct fault *fault)
{
	char path[HOME_PATH_BYTES];
	struct store *store;
	struct keys *keys;
	int r;

	home_path(config, STORE_FILE, path);
	r = keys_create(dirfd, &config->key_source, &keys, fault);
	if (r < 0)
		return r;
	r = store_open(path, STORE_CREATE, &store, fault);
	if (r < 0) {
		keys_free(keys);
		return r;
	}

	r = vault_create(store, keys, ret_vault);
	return r < 0 ? fault_set(fault, r, "%s", path) : 0;
}

/* Where the log stands, as the rows know it. */
static int mark_begin(struct vault *vault, struct audit *audit, struct fault *fault)
{
	int r = audit_mark_store(vault, audit, false);

	return r < 0 ? fault_set(fault, r, AUDIT_FILE) : 0;
}

static int home_fill(const struct config *config, void *context, int dirfd, struct fault *fault)
{
	struct server server = {0};
	struct vault *vault;
	int r = vault_begin(dirfd, config, &vault, fault);

	(void)context;
	if (r < 0)
		return r;

	r = authority_create(
	    vault, config->url, config->san, config->san_count, &server.authority, fault);
	if (r < 0) {
		vault_close(vault);
		return r;
	}
	r = server_assemble(&server, vault, fault);
	if (r == 0)
		r = audit_create(dirfd, vault_keys(vault), &server.audit, fault);
	if (r == 0)
		r = mark_begin(vault, server.audit, fault);
	if (r == 0)
		r = admin_create(dirfd, &server, fault);
	if (r == 0)
		r = sealed_file_write(dirfd, server.authority, fault);
	server_disassemble(&server);
	return r;
}

int home_create(const struct config *config, struct fault *fault)
{
	return home_make(config, home_fill, NULL, fault);
}
