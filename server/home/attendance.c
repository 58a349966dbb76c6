/* SPDX-License-Identifier: MIT */
#include "attendance.h"

#include <signal.h>
#include <stdio.h>

#include "control.h"
#include "notify.h"
#include "signals.h"
#include "tacit/fd.h"

static const char sealed_status[] = "Sealed, waiting for tacit-server unseal";

int attendance_listen(struct attendance *attendance, const struct home *home, struct fault *fault)
{
	attendance->control_fd = control_listen(home->dirfd, fault);
	return attendance->control_fd < 0 ? attendance->control_fd : 0;
}

static int control_begin(
    struct attendance *attendance, const struct control_host *host, struct fault *fault)
{
	return control_server_start(host, &attendance->control_fd, &attendance->control, fault);
}

/* Says afterwards what could not be written to the log while it was sealed. */
static int audit_unsealed(struct server *server, unsigned wrong, struct fault *fault)
{
	char subject[64];
	const struct audit_event event = {
	    .event = "store.unsealed", .subject = wrong > 0 ? subject : NULL};
	int r;

	(void)snprintf(subject, sizeof(subject), "after %u attempts with another key", wrong);
	r = audit_write(server->audit, &event);
	return r < 0 ? fault_set(fault, r, AUDIT_FILE) : 0;
}

static int open_with(struct unsealing *unsealing, const struct config *config, struct keys *keys,
    struct home *home, struct audit_state *ret_audit, struct fault *fault)
{
	int r = home_load(config, HOME_SERVE, keys, home, ret_audit, fault);

	return r < 0 ? r : audit_unsealed(&home->server, unsealing->wrong, fault);
}

/* There is nothing to reload yet, but who asked for it waits for the end of it. */
static void reload_nothing(void)
{
	notify_reloading();
	notify_ready(sealed_status);
}

/* 1 for a signal that ends the server. */
static int await_key(struct unsealing *unsealing, struct keys **ret_keys)
{
	for (;;) {
		int number = signals_wait(notify_patience_ms());

		notify_alive();
		if (number == UNSEALING_SIGNAL && (*ret_keys = unsealing_take(unsealing)))
			return 0;
		if (number == SIGTERM || number == SIGINT)
			return 1;
		if (number == SIGHUP)
			reload_nothing();
	}
}

int attendance_await_key(struct attendance *attendance, const struct config *config,
    struct home *home, struct audit_state *ret_audit, struct fault *fault)
{
	const struct control_host host = {
	    .dirfd = home->dirfd, .unsealing = &attendance->unsealing, .dir = config->dir};
	struct keys *keys;
	int r;

	unsealing_init(&attendance->unsealing);
	r = control_begin(attendance, &host, fault);
	if (r < 0)
		return r;

	notify_ready(sealed_status);
	r = await_key(&attendance->unsealing, &keys);
	if (r != 0)
		return r;

	return open_with(&attendance->unsealing, config, keys, home, ret_audit, fault);
}

void attendance_tell(struct attendance *attendance, int err, const struct fault *fault)
{
	struct fault verdict = {0};

	if (err < 0)
		verdict = *fault;
	unsealing_settle(&attendance->unsealing, &verdict);
}

int attendance_begin(struct attendance *attendance, struct home *home,
    void (*complain)(const struct fault *fault), struct fault *fault)
{
	struct control_host host = {
	    .dirfd = home->dirfd, .server = &home->server, .dir = attendance->dir};
	int r = upkeep_start(&home->server, complain, &attendance->upkeep, fault);

	host.upkeep = attendance->upkeep;
	if (r < 0)
		return r;
	if (!attendance->control)
		return control_begin(attendance, &host, fault);

	control_server_set_host(attendance->control, &host);
	return 0;
}

void attendance_end(struct attendance *attendance)
{
	unsealing_close(&attendance->unsealing);
	control_server_stop(attendance->control);
	upkeep_stop(attendance->upkeep);
	fd_cleanup(&attendance->control_fd);
	unsealing_destroy(&attendance->unsealing);
}
