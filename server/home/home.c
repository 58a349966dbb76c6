/* SPDX-License-Identifier: MIT */
#include "home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit_mark.h"
#include "audit_verify.h"
#include "owner.h"
#include "tacit/fd.h"
#include "user.h"

#define ADMIN_LIFETIME_S (3650LL * 86400)

static const char admin_name[] = "admin";

static void path_of(
    const struct config *config, const char *file, char ret_path[static PATH_MAX + 32])
{
	(void)snprintf(ret_path, PATH_MAX + 32, "%s/%s", config->dir, file);
}

int home_dir_open(const struct config *config, struct fault *fault)
{
	int fd = open(config->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? fault_set(fault, -errno, "%s", config->dir) : fd;
}

/* Keys lie in here: nobody else may so much as look in. */
static int dir_check(int dirfd, const struct config *config, struct fault *fault)
{
	struct stat status;

	if (fstat(dirfd, &status) < 0)
		return fault_set(fault, -errno, "%s", config->dir);
	if ((status.st_uid != geteuid() && geteuid() != 0) || (status.st_mode & 077) != 0)
		return fault_set_why(fault, -TACIT_E_INSECURE_DIR,
		    "other users can reach into it; chmod 0700 it", "%s", config->dir);

	return 0;
}

static bool dir_is_empty(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool empty = dir != NULL;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			empty = false;
	if (dir)
		(void)closedir(dir);
	return empty;
}

static int lock_take(int dirfd, const struct config *config, struct fault *fault)
{
	cleanup_fd int fd =
	    openat(dirfd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = 0;

	if (fd < 0)
		r = errno == EROFS ? -TACIT_E_STORE_READ_ONLY : -errno;
	else if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		r = errno == EWOULDBLOCK ? -TACIT_E_STORE_LOCKED : -errno;
	if (r < 0)
		return fault_set(fault, r, "%s/" LOCK_FILE, config->dir);

	return fd_take(&fd);
}

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

/* Takes `vault` over in any case; the other parts hold on to it. */
static int server_assemble(struct server *server, struct vault *vault, struct fault *fault)
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

static void server_disassemble(struct server *server)
{
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

static int vault_begin(
    int dirfd, const struct config *config, struct vault **ret_vault, struct fault *fault)
{
	char path[PATH_MAX + 32];
	struct store *store;
	struct keys *keys;
	int r;

	path_of(config, STORE_FILE, path);
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

static int admin_create(int dirfd, struct server *server, struct fault *fault)
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
	if (r == 0) {
		r = audit_mark_store(vault, server.audit);
		if (r < 0)
			(void)fault_set(fault, r, AUDIT_FILE);
	}
	if (r == 0)
		r = admin_create(dirfd, &server, fault);
	server_disassemble(&server);
	return r;
}

/* The directory was empty: everything in it is what we have made. */
static void home_remove(int dirfd, const struct config *config, bool dir_is_ours)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		(void)unlinkat(dirfd, entry->d_name, 0);
	if (dir)
		(void)closedir(dir);
	if (dir_is_ours)
		(void)rmdir(config->dir);
}

static int not_empty(const struct config *config, struct fault *fault)
{
	return fault_set_why(
	    fault, -ENOTEMPTY, "not empty; a new store needs a new directory", "%s", config->dir);
}

int home_check_new(const struct config *config, struct fault *fault)
{
	cleanup_fd int dirfd = open(config->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0)
		return errno == ENOENT ? 0 : fault_set(fault, -errno, "%s", config->dir);

	return dir_is_empty(dirfd) ? 0 : not_empty(config, fault);
}

/* So that every file in it is its owner's. */
static int fill_as_owner(
    const struct config *config, home_filler *fill, void *context, int dirfd, struct fault *fault)
{
	int r = owner_assume(config, dirfd, fault);

	if (r < 0)
		return r;

	r = fill(config, context, dirfd, fault);
	user_resume();
	return r;
}

int home_make(const struct config *config, home_filler *fill, void *context, struct fault *fault)
{
	mode_t saved_umask = umask(0077);
	bool dir_is_ours = mkdir(config->dir, 0700) == 0;
	cleanup_fd int dirfd = -1;
	int r = dir_is_ours || errno == EEXIST ? 0 : fault_set(fault, -errno, "%s", config->dir);

	if (r == 0) {
		dirfd = home_dir_open(config, fault);
		r = dirfd < 0 ? dirfd : 0;
	}
	if (r == 0 && !dir_is_empty(dirfd))
		r = not_empty(config, fault);
	if (r == 0) {
		r = dir_check(dirfd, config, fault);
		if (r == 0)
			r = fill_as_owner(config, fill, context, dirfd, fault);
		if (r < 0)
			home_remove(dirfd, config, dir_is_ours);
	}
	(void)umask(saved_umask);
	return r;
}

int home_create(const struct config *config, struct fault *fault)
{
	return home_make(config, home_fill, NULL, fault);
}

/* Takes `keys` over in any case. */
static int vault_reopen(const struct config *config, enum home_use use, struct keys *keys,
    struct vault **ret_vault, struct fault *fault)
{
	char path[PATH_MAX + 32];
	struct store *store;
	int r;

	path_of(config, STORE_FILE, path);
	r = store_open(path, use == HOME_SERVE ? STORE_WRITE : STORE_READ_ONLY, &store, fault);
	if (r < 0) {
		keys_free(keys);
		return r;
	}

	return vault_open(store, keys, ret_vault, fault);
}

/* A full disk is no reason not to serve what can be read. */
static int mark_store(struct server *server)
{
	int r = audit_mark_store(server->vault, server->audit);

	return r == -TACIT_E_STORE_FULL ? 0 : r;
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

	r = mark_store(server);
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

	return r;
}

int home_begin(
    const struct config *config, enum home_use use, struct home *ret_home, struct fault *fault)
{
	struct home home = {.dirfd = home_dir_open(config, fault), .lock_fd = -1};
	int r = home.dirfd < 0 ? home.dirfd : dir_check(home.dirfd, config, fault);

	if (r == 0 && use == HOME_SERVE) {
		home.lock_fd = lock_take(home.dirfd, config, fault);
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
		(void)mark_store(&home->server);
	}
	server_disassemble(&home->server);
	fd_cleanup(&home->lock_fd);
	fd_cleanup(&home->dirfd);
}
