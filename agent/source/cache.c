/* SPDX-License-Identifier: MIT */
#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "tacit/fd.h"
#include "tacit/proto.h"

#define KEY_PURPOSE "tacit-agent cache key 1"

int cache_new(const char *path, int64_t max_age_ms, struct cache **ret_cache)
{
	struct cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;

	cache->path = path;
	cache->max_age_s = (max_age_ms ? max_age_ms : CACHE_MAX_AGE_MS_DEFAULT) / 1000;
	*ret_cache = cache;
	return 0;
}

void cache_free(struct cache *cache)
{
	if (!cache)
		return;

	secret_free(cache->seed);
	free(cache);
}

int cache_set_identity(struct cache *cache, const struct identity *identity)
{
	uint8_t seed[IDENTITY_DERIVED_BYTES];
	uint8_t recipient[SEALED_BUNDLE_KEY_BYTES];
	struct secret *kept;
	int r = identity_derive(identity, KEY_PURPOSE, seed);

	if (r == 0)
		r = secret_new_from(seed, sizeof(seed), &kept);
	if (r == 0) {
		sealed_bundle_recipient(seed, recipient);
		sealed_bundle_print_key(recipient, cache->recipient);
		secret_free(cache->seed);
		cache->seed = kept;
	}
	sodium_memzero(seed, sizeof(seed));
	return r;
}

static struct cache_rules rules_of(const struct cache *cache, const struct identity *identity)
{
	return (struct cache_rules){.identity = identity, .seed = secret_bytes(cache->seed)};
}

/* Opens the directory that the file is in; *ret_name is its name there. */
static int directory_open(const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX];
	int fd;

	*ret_name = slash ? slash + 1 : path;
	if (!slash)
		(void)snprintf(directory, sizeof(directory), ".");
	else if (slash - path >= PATH_MAX - 1)
		return -ENAMETOOLONG;
	else
		(void)snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path) + 1, path);

	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int file_store(const char *path, const void *bytes, size_t len)
{
	const char *name;
	cleanup_fd int fd = directory_open(path, &name);

	return fd < 0 ? fd : fd_replace_file(fd, name, 0400, bytes, len);
}

/* One line when it goes wrong, or wrong in another way, not one for each renewal. */
static void tell_store(struct cache *cache, int r, const char *why)
{
	if (r < 0 && r != cache->failure)
		(void)fprintf(
		    stderr, "%s: --cache %s: not stored: %s\n", AGENT_NAME, cache->path, why);
	cache->failure = r;
}

int cache_take(struct cache *cache, const struct identity *identity, const void *bytes, size_t len,
    struct bundle *ret_bundle)
{
	const struct cache_rules rules = rules_of(cache, identity);
	const char *why = NULL;
	int64_t issued_s;
	int r = cache_open(&rules, bytes, len, ret_bundle, &issued_s, &why);

	if (r < 0)
		return r;

	/* After a failure too: it is tried again when the next answer is due. */
	cache->taken_s = time(NULL);
	/* What comes over the connection is fresh, whatever the clocks say; later they will count.
	 */
	why = cache_judge_age(issued_s, time(NULL), cache->max_age_s);
	if (why) {
		tell_store(cache, -TACIT_E_CORRUPT, why);
		return 0;
	}

	r = file_store(cache->path, bytes, len);
	tell_store(cache, r, err_text(r));
	return 0;
}

int64_t cache_left_s(const struct cache *cache)
{
	int64_t age_s = time(NULL) - cache->taken_s;
	int64_t left_s = cache->max_age_s / 4 - age_s;

	/* A clock that was set back must not keep us from it. */
	return age_s < 0 || left_s < 0 ? 0 : left_s;
}

void cache_tell_used(const struct cache *cache, int64_t issued_s, const struct fault *away)
{
	time_t when = (time_t)issued_s;
	char date[32];
	char age[32];
	struct tm utc;

	cache_print_age(time(NULL) - issued_s, age);
	(void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&when, &utc));
	(void)fprintf(stderr,
	    "%s: SERVER AWAY: DELIVERING FROM THE CACHE %s, made %s ago, %s: %s: %s\n", AGENT_NAME,
	    cache->path, age, date, away->what, away->why[0] ? away->why : err_text(away->err));
}

void cache_tell_refused(struct fault *away, const struct fault *refused)
{
	char why[sizeof(away->why)];

	(void)snprintf(why, sizeof(why), "%.100s; --cache %.80s: %s",
	    away->why[0] ? away->why : err_text(away->err), refused->what,
	    refused->why[0] ? refused->why : err_text(refused->err));
	memcpy(away->why, why, sizeof(why));
}

void cache_tell_unsealed(struct cache *cache)
{
	cache->taken_s = time(NULL);
	tell_store(cache, -TACIT_E_PROTOCOL, "this server does not seal what it answers");
}

/* A regular file of a bounded size; without waiting for a writer, should it be a FIFO. */
static int file_load(const char *path, char **ret_bytes, size_t *ret_len)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	cleanup_free char *bytes = NULL;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > (off_t)PROTO_ANSWER_MAX_BYTES)
		return -TACIT_E_TOO_LARGE;

	bytes = malloc((size_t)st.st_size + 1);
	if (!bytes)
		return -ENOMEM;

	r = fd_read_full(fd, bytes, (size_t)st.st_size, ret_len);
	if (r < 0)
		return r;

	*ret_bytes = bytes;
	bytes = NULL;
	return 0;
}

int cache_load(const struct cache *cache, const struct identity *identity,
    struct bundle *ret_bundle, int64_t *ret_issued_s, struct fault *fault)
{
	const struct cache_rules rules = rules_of(cache, identity);
	cleanup_bundle struct bundle bundle = {0};
	cleanup_free char *bytes = NULL;
	const char *why = NULL;
	size_t len = 0;
	int r = file_load(cache->path, &bytes, &len);

	if (r < 0)
		return fault_set(fault, r, "%s", cache->path);

	r = cache_open(&rules, bytes, len, &bundle, ret_issued_s, &why);
	if (r == 0)
		why = cache_judge_age(*ret_issued_s, time(NULL), cache->max_age_s);
	if (why)
		return fault_set_why(fault, -TACIT_E_CORRUPT, why, "%s", cache->path);
	if (r < 0)
		return fault_set(fault, r, "%s", cache->path);

	*ret_bundle = bundle;
	bundle = (struct bundle){0};
	return 0;
}

void cache_remove(const struct cache *cache, struct fault *refusal)
{
	char why[sizeof(refusal->why)];

	if (unlink(cache->path) < 0)
		return;

	(void)snprintf(why, sizeof(why), "%.180s; the cache is removed",
	    refusal->why[0] ? refusal->why : err_text(refusal->err));
	memcpy(refusal->why, why, sizeof(why));
}
