/* SPDX-License-Identifier: MIT */
#include "instances.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024

/* All instances of a client are in one bucket, so that its snapshots are found there too. */
struct instances {
	struct instance *buckets[BUCKETS];
	uint8_t hash_key[crypto_shorthash_KEYBYTES];
	size_t count;
	size_t bytes;
	uint64_t changes;
	uint64_t pushed_out;
	int64_t since_s;
};

struct instances *instances_new(int64_t now_s)
{
	struct instances *instances = calloc(1, sizeof(*instances));

	if (!instances)
		return NULL;

	crypto_shorthash_keygen(instances->hash_key);
	instances->since_s = now_s;
	return instances;
}

/* Snapshots. */

static int item_order(const void *name, const void *item)
{
	return strcmp(name, ((const struct snapshot_item *)item)->name);
}

uint32_t snapshot_version(const struct snapshot *snapshot, const char *name)
{
	const struct snapshot_item *item =
	    snapshot && snapshot->count > 0
	        ? bsearch(name, snapshot->items, snapshot->count, sizeof(*item), item_order)
	        : NULL;

	return item ? item->version : 0;
}

/* One block, the names behind the items. */
static struct snapshot *snapshot_new(const struct offer *offer)
{
	size_t bytes = sizeof(struct snapshot) + offer->count * sizeof(struct snapshot_item);
	size_t names = bytes;
	struct snapshot *snapshot;

	for (size_t i = 0; i < offer->count; i++)
		bytes += strlen(offer->entries[i]->name) + 1;
	snapshot = malloc(bytes);
	if (!snapshot)
		return NULL;

	*snapshot = (struct snapshot){.bytes = bytes, .count = offer->count};
	memcpy(snapshot->etag, offer->etag, sizeof(snapshot->etag));
	for (size_t i = 0; i < offer->count; i++) {
		const struct secret_entry *entry = offer->entries[i];
		char *name = (char *)snapshot + names;
		size_t len = strlen(entry->name) + 1;

		memcpy(name, entry->name, len);
		snapshot->items[i] =
		    (struct snapshot_item){.name = name, .version = entry->current};
		names += len;
	}
	return snapshot;
}

static void snapshot_release(struct instances *instances, struct snapshot *snapshot)
{
	if (!snapshot || --snapshot->references > 0)
		return;

	instances->bytes -= snapshot->bytes;
	free(snapshot);
}

/* Whether it is another one than before. */
static bool snapshot_set(
    struct instances *instances, struct snapshot **member, struct snapshot *snapshot)
{
	if (*member == snapshot)
		return false;

	if (snapshot)
		snapshot->references++;
	snapshot_release(instances, *member);
	*member = snapshot;
	instances->changes++;
	return true;
}

/* Instances. */

int instance_compare(
    const struct instance *instance, const char *client, const char *name, const char *id)
{
	int order = strcmp(instance->client, client);

	if (order == 0)
		order = strcmp(instance->name, name);
	return order ? order : strcmp(instance->id, id);
}

static struct instance **bucket_of(struct instances *instances, const char *client)
{
	uint8_t bytes[crypto_shorthash_BYTES];
	uint64_t hash;

	(void)crypto_shorthash(bytes, (const uint8_t *)client, strlen(client), instances->hash_key);
	memcpy(&hash, bytes, sizeof(hash));
	return &instances->buckets[hash % BUCKETS];
}

/* Takes the instance that *link points to off its list, and frees it. */
static void instance_remove(struct instances *instances, struct instance **link)
{
	struct instance *instance = *link;

	*link = instance->next;
	(void)snapshot_set(instances, &instance->served, NULL);
	(void)snapshot_set(instances, &instance->held, NULL);
	free(instance);
	instances->count--;
	instances->changes++;
}

void instances_free(struct instances *instances)
{
	if (!instances)
		return;

	for (size_t i = 0; i < BUCKETS; i++)
		while (instances->buckets[i])
			instance_remove(instances, &instances->buckets[i]);
	free(instances);
}

/* Who was seen least, of one client or (NULL) of all. */
static struct instance **least_seen(struct instances *instances, const char *client)
{
	struct instance **least = NULL;

	for (size_t i = 0; i < BUCKETS; i++) {
		struct instance **link =
		    client ? bucket_of(instances, client) : &instances->buckets[i];

		for (; *link; link = &(*link)->next)
			if ((!client || !strcmp((*link)->client, client)) &&
			    (!least || (*link)->seen_s < (*least)->seen_s))
				least = link;
		if (client)
			break;
	}

	return least;
}

static void push_out(struct instances *instances, const char *client)
{
	instance_remove(instances, least_seen(instances, client));
	instances->pushed_out++;
}

static size_t count_of(struct instances *instances, const char *client)
{
	size_t count = 0;

	for (const struct instance *at = *bucket_of(instances, client); at; at = at->next)
		count += !strcmp(at->client, client);
	return count;
}

/* What points to it: to NULL when there is none. */
static struct instance **instance_find(
    struct instances *instances, const char *client, const char *name, const char *id)
{
	struct instance **link = bucket_of(instances, client);

	while (*link && instance_compare(*link, client, name, id) != 0)
		link = &(*link)->next;
	return link;
}

static void forget(struct instances *instances, int64_t now_s)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct instance **link = &instances->buckets[i];

		while (*link) {
			bool is_short = (*link)->watches || (*link)->is_replaced;

			if (now_s - (*link)->seen_s >
			    (is_short ? INSTANCE_FORGET_S : INSTANCE_FORGET_ONCE_S))
				instance_remove(instances, link);
			else
				link = &(*link)->next;
		}
	}
}

/* Whom nobody would miss goes first. */
static void room_for_one(struct instances *instances, const struct sighting *sighting)
{
	const char *client = sighting->client;

	if (count_of(instances, client) < INSTANCES_PER_CLIENT_MAX &&
	    instances->count < INSTANCES_MAX)
		return;

	forget(instances, sighting->now_s);
	if (count_of(instances, client) >= INSTANCES_PER_CLIENT_MAX)
		push_out(instances, client);
	else if (instances->count >= INSTANCES_MAX)
		push_out(instances, NULL);
}

/* One that is there all the same will show itself. */
static void replace_its_like(struct instances *instances, const struct sighting *sighting)
{
	for (struct instance *at = *bucket_of(instances, sighting->client); at; at = at->next)
		if (!strcmp(at->client, sighting->client) && !strcmp(at->name, sighting->name) &&
		    !strcmp(at->address, sighting->address) && at->watches == sighting->watches)
			at->is_replaced = true;
}

static struct instance *instance_add(struct instances *instances, const struct sighting *sighting)
{
	struct instance **bucket = bucket_of(instances, sighting->client);
	struct instance *instance = calloc(1, sizeof(*instance));

	if (!instance)
		return NULL;

	room_for_one(instances, sighting);
	replace_its_like(instances, sighting);
	(void)snprintf(instance->client, sizeof(instance->client), "%s", sighting->client);
	(void)snprintf(instance->name, sizeof(instance->name), "%s", sighting->name);
	(void)snprintf(instance->id, sizeof(instance->id), "%s", sighting->id);
	instance->next = *bucket;
	*bucket = instance;
	instances->count++;
	instances->changes++;
	return instance;
}

/* What this client was offered under that tag, as far as one of its instances still has it. */
static struct snapshot *snapshot_find(
    struct instances *instances, const char *client, const char *etag)
{
	for (const struct instance *at = *bucket_of(instances, client); at; at = at->next) {
		if (strcmp(at->client, client) != 0)
			continue;
		if (at->served && !strcmp(at->served->etag, etag))
			return at->served;
		if (at->held && !strcmp(at->held->etag, etag))
			return at->held;
	}

	return NULL;
}

/* For a reference that the caller takes at once. */
static struct snapshot *snapshot_of_offer(
    struct instances *instances, const char *client, const struct offer *offer)
{
	struct snapshot *snapshot = snapshot_find(instances, client, offer->etag);

	if (snapshot)
		return snapshot;

	snapshot = snapshot_new(offer);
	if (snapshot)
		instances->bytes += snapshot->bytes;
	return snapshot;
}

/* Names without number are no reason to run out of memory. */
static void make_room(struct instances *instances, const struct instance *except)
{
	while (instances->bytes > INSTANCES_BYTES_MAX) {
		struct instance **least = least_seen(instances, NULL);

		if (!least || *least == except)
			return;
		push_out(instances, NULL);
	}
}

void instances_see(struct instances *instances, const struct sighting *sighting,
    const struct offer *offer, bool is_served)
{
	const char *client = sighting->client, *known = sighting->known;
	struct instance *instance = *instance_find(instances, client, sighting->name, sighting->id);

	if (!instance && !sighting->has_waited)
		instance = instance_add(instances, sighting);
	if (!instance)
		return;

	instance->seen_s = sighting->now_s;
	instance->watches = sighting->watches;
	instance->is_replaced = false;
	(void)snprintf(instance->address, sizeof(instance->address), "%s", sighting->address);
	if (known && !strcmp(known, offer->etag))
		(void)snapshot_set(
		    instances, &instance->held, snapshot_of_offer(instances, client, offer));
	else if (known)
		(void)snapshot_set(
		    instances, &instance->held, snapshot_find(instances, client, known));
	if (is_served)
		(void)snapshot_set(
		    instances, &instance->served, snapshot_of_offer(instances, client, offer));
	if (is_served && !instance->watches)
		(void)snapshot_set(instances, &instance->held, instance->served);

	make_room(instances, instance);
}

void instances_leave(
    struct instances *instances, const char *client, const char *name, const char *id)
{
	struct instance **link = instance_find(instances, client, name, id);

	if (*link)
		instance_remove(instances, link);
}

uint64_t instances_changes(const struct instances *instances)
{
	return instances->changes;
}

int64_t instances_since(const struct instances *instances)
{
	return instances->since_s;
}

uint64_t instances_pushed_out(const struct instances *instances)
{
	return instances->pushed_out;
}

static int instance_order(const void *left, const void *right)
{
	const struct instance *const *a = left, *const *b = right;

	return instance_compare(*a, (*b)->client, (*b)->name, (*b)->id);
}

int instances_list(struct instances *instances, int64_t now_s, const struct instance ***ret_list,
    size_t *ret_count)
{
	const struct instance **list;
	size_t count = 0;

	forget(instances, now_s);
	list = calloc(instances->count + 1, sizeof(const struct instance *));
	if (!list)
		return -ENOMEM;

	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct instance *at = instances->buckets[i]; at; at = at->next)
			list[count++] = at;
	qsort(list, count, sizeof(list[0]), instance_order);
	*ret_list = list;
	*ret_count = count;
	return 0;
}
