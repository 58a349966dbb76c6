/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "session.h"
#include "status_view.h"
#include "tacit/fd.h"

const struct option_row status_options[] = {
    {"watch", NULL, "show how it changes, until all instances have what they may read"},
    {"client", "C", "only this client's instances"},
    {"secret", "S", "only this secret, or what this pattern covers"},
    {"json", NULL, "print JSON; with --watch one object a line"},
    COMMON_OPTIONS,
};

/* ---- what it means ---- */

static uint32_t version_at(const struct json *secret, const char *key)
{
	int64_t version;

	return json_int_at(secret, key, &version) == 0 && version > 0 && version <= UINT32_MAX
	           ? (uint32_t)version
	           : 0;
}

static bool is_current(const struct json *secret)
{
	return version_at(secret, "held") == version_at(secret, "current");
}

/* Whether every secret that was asked for is there as it is now. */
static bool has_all(const struct json *instance)
{
	const struct json *secrets = json_array_at(instance, "secrets");

	for (size_t i = 0; secrets && i < json_count(secrets); i++)
		if (!is_current(json_item(secrets, i)))
			return false;

	return true;
}

/* An instance that has every version may still lack a new file name or mode. */
static const char *row_state(const struct json *instance, const struct json *secret)
{
	if (is_current(secret))
		return has_all(instance) ? view_text(instance, "state") : "current";
	if (version_at(secret, "current") == 0)
		return "withdrawn";

	return view_text(instance, "state");
}

static const struct table_column columns[] = {
    {"CLIENT", false},
    {"INSTANCE", false},
    {"SEEN", true},
    {"SECRET", false},
    {"HOLDS", true},
    {"CURRENT", true},
    {"STATE", false},
    {NULL, false},
};

static void add_age(struct table *table, const struct json *instance)
{
	static const struct {
		int64_t limit_s, unit_s;
		char letter;
	} units[] = {{60, 1, 's'}, {3600, 60, 'm'}, {86400, 3600, 'h'}, {INT64_MAX, 86400, 'd'}};
	int64_t age_s = 0;
	size_t i = 0;

	(void)json_int_at(instance, "age_s", &age_s);
	while (age_s >= units[i].limit_s)
		i++;
	table_add(table, "%" PRId64 "%c", age_s / units[i].unit_s, units[i].letter);
}

static void add_version(struct table *table, const struct json *secret, const char *key)
{
	uint32_t version = version_at(secret, key);

	if (version > 0)
		table_add(table, "%" PRIu32, version);
	else
		table_add(table, "-");
}

static void add_instance(struct table *table, const struct json *instance)
{
	const struct json *secrets = json_array_at(instance, "secrets");

	for (size_t i = 0; secrets && i < json_count(secrets); i++) {
		const struct json *secret = json_item(secrets, i);

		table_add_text(table, instance, "client");
		table_add_text(table, instance, "instance");
		add_age(table, instance);
		table_add_text(table, secret, "name");
		add_version(table, secret, "held");
		add_version(table, secret, "current");
		table_add(table, "%s", row_state(instance, secret));
	}
}

static const char *const about[] = {"since", "pushed_out", NULL};
static const struct listing_shape shape = {"instances", columns, add_instance, about};

/* Nobody is to take those that the server knows for all that there are. */
static void say_pushed_out(const struct view *view)
{
	int64_t pushed_out = 0;

	if (view->count > 0)
		(void)json_int_at(view->pages[0], "pushed_out", &pushed_out);
	if (pushed_out > 0)
		(void)fprintf(stderr, "tacit: status: %" PRId64 " more instances found no room\n",
		    pushed_out);
}

/* What the table does not show; for programs there is --json. */
static int say_limits(struct session *session, const struct view *view)
{
	const char *since = view->count > 0 ? json_text_at(view->pages[0], "since") : NULL;

	say_pushed_out(view);
	if (since && isatty(STDOUT_FILENO)) {
		(void)fputs("As the server has seen it since it was started, ", stdout);
		table_print_cell(stdout, since, SIZE_MAX);
		(void)putchar('\n');
	}
	return session_flush(session);
}

static int view_show(struct session *session, const struct view *view)
{
	cleanup_listing struct listing listing = {0};
	int err = listing_new(&shape, session_wants_json(session), &listing);

	for (size_t i = 0; err == 0 && i < view->count; i++)
		err = listing_add_all(&listing, view->pages[i]);

	if (err < 0)
		return fault_set(&session->fault, err, "status");

	err = session_show(session, &listing);
	return err < 0 || session_wants_json(session) ? err : say_limits(session, view);
}

/* ---- watching ---- */

/* How many have it, how many are about to, and who will not by itself. */
struct tally {
	size_t all, current, behind, left;
	char who[400]; /* of those that are not current, as far as they fit */
};

static void tally_name(struct tally *tally, const struct json *instance)
{
	size_t len = strlen(tally->who);
	int added = snprintf(tally->who + len, sizeof(tally->who) - len, "%s%s/%s (%s)",
	    len ? ", " : "", view_text(instance, "client"), view_text(instance, "instance"),
	    view_text(instance, "state"));

	if (added < 0 || (size_t)added >= sizeof(tally->who) - len)
		(void)snprintf(tally->who + (len < 390 ? len : 390), 8, ", ...");
}

/*
 * A client that was revoked is to get nothing, so it is not waited for; nor is one that has made
 * way for another.
 */
static void tally_add(struct tally *tally, const struct json *instance, bool by_secret)
{
	const char *state = view_text(instance, "state");

	if (!strcmp(state, "revoked") || !strcmp(state, "replaced"))
		return;

	tally->all++;
	if (!strcmp(state, "current") || (by_secret && has_all(instance))) {
		tally->current++;
		return;
	}
	tally->behind += !strcmp(state, "behind");
	tally->left += strcmp(state, "behind") != 0;
	tally_name(tally, instance);
}

static void tally_take(struct session *session, const struct view *view, struct tally *ret_tally)
{
	bool by_secret = arguments_option(&session->arguments, "secret") != NULL;

	*ret_tally = (struct tally){0};
	for (size_t i = 0; i < view->count; i++) {
		const struct json *instances = json_array_at(view->pages[i], "instances");

		for (size_t j = 0; j < json_count(instances); j++)
			tally_add(ret_tally, json_item(instances, j), by_secret);
	}
}

/* A text of the server's: nothing in it is to steer a terminal. */
static int tally_print(struct session *session, const struct tally *tally)
{
	(void)printf("%zu of %zu %s current", tally->current, tally->all,
	    tally->all == 1 ? "instance is" : "instances are");
	if (tally->who[0]) {
		(void)fputs("; not yet: ", stdout);
		table_print_cell(stdout, tally->who, SIZE_MAX);
	}
	(void)putchar('\n');
	return session_flush(session);
}

static bool tally_equals(const struct tally *left, const struct tally *right)
{
	return left->all == right->all && left->current == right->current &&
	       !strcmp(left->who, right->who);
}

static int watch_show(struct session *session, const struct view *view, const struct tally *tally)
{
	return session_wants_json(session) ? view_show(session, view) : tally_print(session, tally);
}

static int watch(struct session *session)
{
	struct tally before = {.all = SIZE_MAX}, now = {0};
	struct view view = {0};
	int err;

	do {
		err = view_get(session, &view);
		if (err < 0)
			break;
		tally_take(session, &view, &now);
		if (!tally_equals(&before, &now))
			err = watch_show(session, &view, &now);
		before = now;
	} while (err == 0 && now.behind > 0);
	if (err == 0)
		say_pushed_out(&view);
	view_free(&view);

	if (err == 0 && now.left > 0)
		return fault_set_why(&session->fault, -EAGAIN,
		    "do not get it by themselves; start them anew", "status: %zu of %zu instances",
		    now.left, now.all);
	return err;
}

static int status(struct session *session)
{
	struct view view = {0};
	int err = session_connect(session);

	if (err < 0)
		return err;
	if (arguments_option(&session->arguments, "watch"))
		return watch(session);

	err = view_get(session, &view);
	if (err == 0)
		err = view_show(session, &view);
	view_free(&view);
	return err;
}

int status_run(const struct command *command, int argc, char *argv[])
{
	return session_run(command, argc, argv, status);
}
