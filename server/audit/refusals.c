/* SPDX-License-Identifier: MIT */
#include "refusals.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tacit/name.h"

struct group {
	const char *event, *reason; /* NULL: the place is free */
	char client[CLIENT_NAME_MAX_BYTES + 1];
	char address[64];
	int status;
	bool first_is_due; /* the first one is still to be recorded */
	uint64_t more;
	int64_t until_ms;
};

struct refusals {
	pthread_mutex_t mutex;
	struct group groups[REFUSALS_MAX];
	struct group others; /* of all that found no place */
};

struct refusals *refusals_new(void)
{
	struct refusals *refusals = calloc(1, sizeof(*refusals));

	if (refusals)
		(void)pthread_mutex_init(&refusals->mutex, NULL);
	return refusals;
}

void refusals_free(struct refusals *refusals)
{
	if (!refusals)
		return;

	(void)pthread_mutex_destroy(&refusals->mutex);
	free(refusals);
}

/* Ports differ from try to try. */
static void address_of(const char *peer, char ret_address[static 64])
{
	const char *port = strrchr(peer, ':');
	const char *bracket = strrchr(peer, ']');

	(void)snprintf(ret_address, 64, "%.*s",
	    port && port > bracket ? (int)(port - peer) : (int)strlen(peer), peer);
}

static void group_fill(struct group *group, const struct refusal *refusal)
{
	*group = (struct group){
	    .event = refusal->event, .reason = refusal->reason, .status = refusal->status};
	(void)snprintf(
	    group->client, sizeof(group->client), "%s", refusal->client ? refusal->client : "");
	address_of(refusal->peer, group->address);
}

static bool group_is(const struct group *group, const struct group *wanted)
{
	return group->event && !strcmp(group->event, wanted->event) &&
	       !strcmp(group->reason, wanted->reason) && !strcmp(group->client, wanted->client) &&
	       !strcmp(group->address, wanted->address);
}

static struct group *group_find(struct refusals *refusals, const struct group *wanted)
{
	for (size_t i = 0; i < REFUSALS_MAX; i++)
		if (group_is(&refusals->groups[i], wanted))
			return &refusals->groups[i];

	return NULL;
}

static struct group *group_free(struct refusals *refusals)
{
	for (size_t i = 0; i < REFUSALS_MAX; i++)
		if (!refusals->groups[i].event)
			return &refusals->groups[i];

	return NULL;
}

static void others_count(struct refusals *refusals, int64_t now_ms)
{
	struct group *others = &refusals->others;

	if (!others->event)
		*others = (struct group){.event = "tls.refused",
		    .reason = "from many addresses",
		    .until_ms = now_ms + REFUSALS_GROUP_MS};
	others->more++;
}

/* Whether it is the first of its group. */
static bool note(
    struct refusals *refusals, const struct refusal *refusal, bool by_caller, int64_t now_ms)
{
	struct group wanted, *group;

	group_fill(&wanted, refusal);
	group = group_find(refusals, &wanted);
	if (group) {
		group->more++;
		return false;
	}
	group = group_free(refusals);
	if (!group) {
		others_count(refusals, now_ms);
		return false;
	}

	*group = wanted;
	group->first_is_due = !by_caller;
	group->until_ms = now_ms + REFUSALS_GROUP_MS;
	return true;
}

void refusals_add(struct refusals *refusals, const struct refusal *refusal, int64_t now_ms)
{
	(void)pthread_mutex_lock(&refusals->mutex);
	(void)note(refusals, refusal, false, now_ms);
	(void)pthread_mutex_unlock(&refusals->mutex);
}

bool refusals_count(struct refusals *refusals, const struct refusal *refusal, int64_t now_ms)
{
	bool is_first;

	(void)pthread_mutex_lock(&refusals->mutex);
	is_first = note(refusals, refusal, true, now_ms);
	(void)pthread_mutex_unlock(&refusals->mutex);
	return is_first;
}

void refusals_take_back(struct refusals *refusals, const struct refusal *refusal)
{
	struct group wanted, *group;

	group_fill(&wanted, refusal);
	(void)pthread_mutex_lock(&refusals->mutex);
	group = group_find(refusals, &wanted);
	if (group)
		*group = (struct group){0};
	(void)pthread_mutex_unlock(&refusals->mutex);
}

static int group_record(const struct group *group, const char *subject, struct audit *audit)
{
	const struct audit_event event = {
	    .event = group->event,
	    .client = group->client[0] ? group->client : NULL,
	    .peer = group->address[0] ? group->address : NULL,
	    .subject = subject,
	    .status = group->status,
	};

	return audit_write(audit, &event);
}

/* `group` is a copy: the log is not written with the lock held, and may take its time. */
static void group_write(const struct group *group, struct audit *audit, bool *ret_first,
    uint64_t *ret_more, bool is_over)
{
	char subject[128];

	if (group->first_is_due && group_record(group, group->reason, audit) == 0)
		*ret_first = true;
	if (!is_over || group->more == 0)
		return;

	(void)snprintf(subject, sizeof(subject), "%s: %llu more in a minute", group->reason,
	    (unsigned long long)group->more);
	if (group_record(group, subject, audit) == 0)
		*ret_more = group->more;
}

static void group_step(
    struct refusals *refusals, struct group *group, struct audit *audit, int64_t now_ms)
{
	struct group copy = *group;
	bool is_over = copy.event && now_ms >= copy.until_ms, first = false;
	uint64_t more = 0;

	if (!copy.event || !(copy.first_is_due || is_over))
		return;

	(void)pthread_mutex_unlock(&refusals->mutex);
	group_write(&copy, audit, &first, &more, is_over);
	(void)pthread_mutex_lock(&refusals->mutex);
	if (!group_is(group, &copy))
		return; /* taken back, and used for another */

	group->first_is_due = group->first_is_due && !first;
	group->more -= more;
	if (is_over && !group->first_is_due && group->more == 0 && more == 0)
		*group = (struct group){0};
	else if (is_over && more > 0)
		group->until_ms = now_ms + REFUSALS_GROUP_MS;
}

void refusals_write(struct refusals *refusals, struct audit *audit, int64_t now_ms)
{
	(void)pthread_mutex_lock(&refusals->mutex);
	for (size_t i = 0; i < REFUSALS_MAX; i++)
		group_step(refusals, &refusals->groups[i], audit, now_ms);
	group_step(refusals, &refusals->others, audit, now_ms);
	(void)pthread_mutex_unlock(&refusals->mutex);
}
