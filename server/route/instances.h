/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_INSTANCES_H
#define TACIT_SERVER_INSTANCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "offer.h"
#include "tacit/name.h"
#include "tacit/proto.h"

/*
 * Who has fetched what: for each client its instances (several containers may share one
 * identity, and a name: each has an id then), with what each was served last and what it holds.
 * Nothing is taken on trust that can be shown: an instance that watches holds a bundle when it asks
 * for another one than that, by its entity tag, which it does once its files are in place. One that
 * fetches once holds what it was served.
 *
 * An instance that is started anew has another id. Whether the one of before is still there too
 * cannot be known; when nothing is heard of it any more, and the newer one has its name, its
 * address and its mode, it is told to be replaced.
 *
 * It is kept in memory alone. After a start of the server watchers show within a minute what they
 * hold; what was fetched once, before that, is not known.
 *
 * Not thread-safe: all this happens under the lock of the routes.
 */
#define INSTANCES_MAX            10000
#define INSTANCES_PER_CLIENT_MAX 1000
#define INSTANCES_BYTES_MAX      ((size_t)32 * 1024 * 1024) /* of what they were served */
#define INSTANCE_SILENT_S        90    /* a watcher asks at least once in WATCH_MAX_S */
#define INSTANCE_FORGET_S        3600  /* a watcher that is silent, or who is replaced */
#define INSTANCE_FORGET_ONCE_S   86400 /* who does not watch, after it was served */

/* What a client was offered under one entity tag; shared by all who were. */
struct snapshot_item {
	const char *name;
	uint32_t version;
};

struct snapshot {
	unsigned references;
	char etag[PROTO_ETAG_MAX_BYTES];
	size_t bytes; /* of all of it */
	size_t count;
	struct snapshot_item items[]; /* sorted by name */
};

/* 0 when there is no such secret in it; `snapshot` may be NULL. */
uint32_t snapshot_version(const struct snapshot *snapshot, const char *name);

struct instance {
	struct instance *next;
	char client[CLIENT_NAME_MAX_BYTES + 1];
	char name[CLIENT_NAME_MAX_BYTES + 1];
	char id[PROTO_INSTANCE_ID_MAX_BYTES + 1]; /* "" for none */
	char address[64];                         /* without the port */
	bool watches;
	bool is_replaced; /* its like came after it was seen last */
	int64_t seen_s;
	struct snapshot *served; /* NULL: nothing that we know */
	struct snapshot *held;   /* NULL: not known */
};

struct instances;

/* NULL when there is no memory. */
struct instances *instances_new(int64_t now_s);
void instances_free(struct instances *instances);

/* An instance as it shows itself with a request. */
struct sighting {
	const char *client, *name, *id, *address;
	bool watches;
	int64_t now_s;
	const char *known; /* the entity tag of what it has; NULL */
	bool has_waited;   /* it asked a while ago, and may have left since */
};

/*
 * Takes note of a request for a bundle, which is answered with `offer` if `is_served`. What does
 * not fit pushes out who was seen least; without memory nothing is noted, and nobody is refused.
 * Who is not known and has waited is not taken for somebody new: the connection of one that has
 * left is found to be gone only when something is sent on it.
 */
void instances_see(struct instances *instances, const struct sighting *sighting,
    const struct offer *offer, bool is_served);

/* It is there no more, and says so itself. */
void instances_leave(
    struct instances *instances, const char *client, const char *name, const char *id);

/* Goes up whenever somebody comes or goes, or is served or holds something else. */
uint64_t instances_changes(const struct instances *instances);

/* Since when all this is known, and how many were pushed out since, so that nobody is misled. */
int64_t instances_since(const struct instances *instances);
uint64_t instances_pushed_out(const struct instances *instances);

/*
 * Where an instance stands in the list, to go on behind it: below 0, 0 or above, as by its client,
 * then its name, then its id.
 */
int instance_compare(
    const struct instance *instance, const char *client, const char *name, const char *id);

/*
 * All of them, sorted by client, name and id, but for those that are to be forgotten by `now_s`.
 * The array is the caller's to free; what it points to holds until the next sighting. -ENOMEM.
 */
int instances_list(struct instances *instances, int64_t now_s, const struct instance ***ret_list,
    size_t *ret_count);

#endif
