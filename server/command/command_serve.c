/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "activation.h"
#include "attendance.h"
#include "audit_copy.h"
#include "commands.h"
#include "config.h"
#include "home.h"
#include "listener.h"
#include "listener_plain.h"
#include "notify.h"
#include "owner.h"
#include "sandbox.h"
#include "sealed_doors.h"
#include "service.h"
#include "signals.h"
#include "socket.h"
#include "sockets.h"
#include "tacit/fd.h"

#define DRAIN_MS 10000

const struct option_row command_serve_options[] = {
    {"dir", "DIR", "the store's directory (/var/lib/tacit)"},
    {"listen", "ADDR:PORT", "where to listen (all addresses, the port of the URL)"},
    {"enroll-listen", "ADDR:PORT", "take join tokens there (else there is no enrolment)"},
    {"enroll-url", "URL", "how clients reach that (the host of the URL, the port just given)"},
    {"audit-syslog", "SOCKET", "also send each line of the audit log there, as to /dev/log"},
    {"keep-versions", "N", "how many versions of a secret are kept (16)"},
    {"metrics-listen", "ADDR:PORT", "where to serve /metrics without TLS (127.0.0.1 if no ADDR)"},
    {"connections-per-address", "N", "how many one address may have (a quarter of all)"},
    {"certificate-ttl", "TIME", "how long a certificate of the server lives (365d)"},
    {"user", "USER[:GROUP]", "become USER when started as root (the owner of DIR)"},
    {"config", "FILE", "take options from FILE, a JSON object; these here win"},
    {"log-format", "FORMAT", "plain or json (plain)"},
    {"no-sandbox", NULL, "stay able to do everything; for debugging only"},
    KEY_OPTION_ROWS,
    {"sealed", NULL, "start without the master key, and wait for `unseal`"},
    {0},
};

/* What is open while the server runs. */
struct serving {
	const struct config *config;
	struct home home;
	pthread_t main_thread;
	struct attendance attendance;
	struct audit_copy *copy;  /* until the audit log takes it over; NULL */
	int fds[LISTENERS_COUNT]; /* until their listeners take them over; -1 */
	struct listener *listener;
	struct listener *enrolment;     /* NULL */
	struct listener_plain *metrics; /* NULL */
	struct sealed_doors sealed;     /* as long as it is */
};

static void warn(const struct audit_state *audit)
{
	if (audit->missing_from > 0)
		log_trouble(AUDIT_FILE,
		    "lines %llu to %llu are missing; the log goes on with a line audit.restarted",
		    (unsigned long long)audit->missing_from, (unsigned long long)audit->missing_to);
	if (audit->behind_from > 0)
		log_trouble(STORE_FILE,
		    "it is older than " AUDIT_FILE ", which has lines %llu to %llu from after it "
		    "was closed: what was revoked, granted or put then is not in it",
		    (unsigned long long)audit->behind_from, (unsigned long long)audit->behind_to);
	if (audit->torn_bytes > 0)
		log_trouble(AUDIT_FILE,
		    "the last line was cut off by a crash; removed %zu bytes of it",
		    audit->torn_bytes);
	if (!secret_memory_locked())
		log_trouble(
		    "memory", "cannot be locked, so values may reach swap; raise RLIMIT_MEMLOCK");
}

static int sandbox(const struct serving *serving, struct fault *fault)
{
	bool landlock = true;
	int r;

	if (serving->config->no_sandbox) {
		log_trouble("sandbox", "OFF, since --no-sandbox was given; not for real secrets");
		return 0;
	}

	r = sandbox_enter(serving->home.dirfd, &landlock, fault);
	if (r == 0 && !landlock)
		log_trouble("sandbox",
		    "this kernel has no Landlock, so files outside of the directory are kept off "
		    "by their permissions alone");
	return r;
}

/* With the key that is at hand; a sealed server gets it later, and in its sandbox. */
static int store_open_for(
    struct serving *serving, struct audit_state *ret_audit, struct fault *fault)
{
	const struct config *config = serving->config;
	struct home *home = &serving->home;
	struct keys *keys;
	int r = home_begin(config, HOME_SERVE, home, fault);

	if (r < 0 || config->sealed)
		return r;

	r = keys_open(home->dirfd, &config->key_source, &keys, fault);
	return r < 0 ? r : home_load(config, HOME_SERVE, keys, home, ret_audit, fault);
}

/* Everything that needs a privilege, a file outside of the directory or a new socket. */
static int prepare(struct serving *serving, struct audit_state *ret_audit, struct fault *fault)
{
	int r = activation_take(serving->fds, fault);

	if (r == 0) {
		r = notify_begin();
		if (r < 0)
			(void)fault_set(fault, r, "NOTIFY_SOCKET");
	}
	process_lock_memory();
	signals_block();
	if (r == 0)
		r = owner_become(serving->config, fault);
	if (r == 0)
		r = store_open_for(serving, ret_audit, fault);
	if (r == 0)
		r = sockets_open(
		    serving->config, serving->home.server.authority, serving->fds, fault);
	if (r == 0)
		r = attendance_listen(&serving->attendance, &serving->home, fault);
	if (r == 0 && serving->config->audit_syslog)
		r = audit_copy_new(serving->config->audit_syslog, &serving->copy, fault);

	return r < 0 ? r : sandbox(serving, fault);
}

/* The first thread that answers: it can say that the rest of the server is still sealed. */
static int metrics_start(struct serving *serving, struct fault *fault)
{
	int *fd = &serving->fds[LISTENER_METRICS];
	char url[SOCKET_URL_BYTES];

	if (*fd < 0)
		return 0;

	socket_url(*fd, "http", url);
	log_event("metrics", "metrics on %s/metrics", url);
	return listener_plain_start(fd, &serving->metrics, fault);
}

static int unseal(struct serving *serving, struct audit_state *ret_audit, struct fault *fault)
{
	int r = sealed_doors_open(serving->home.dirfd, serving->fds, &serving->sealed, fault);

	if (r < 0)
		return r;

	log_event("sealed", "sealed: waiting for `" PROGRAM_NAME " unseal --dir %s`",
	    serving->config->dir);
	r = attendance_await_key(
	    &serving->attendance, serving->config, &serving->home, ret_audit, fault);
	sealed_doors_close(&serving->sealed);
	if (r <= 0)
		attendance_tell(&serving->attendance, r, fault);

	return r;
}

static int audit_threads_start(struct serving *serving, struct fault *fault)
{
	struct audit_copy *copy = serving->copy;
	int r;

	serving->copy = NULL;
	r = audit_start(serving->home.server.audit, copy);
	return r < 0 ? fault_set(fault, r, AUDIT_FILE) : 0;
}

/* The main thread takes it for a SIGTERM, and finds out why. */
static void stop_serving(void *context)
{
	/* It has the signal blocked and waits for it: nobody is killed.
	 * NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread,cert-pos44-c) */
	(void)pthread_kill(*(const pthread_t *)context, SIGTERM);
}

static int store_thread_start(struct serving *serving, struct fault *fault)
{
	struct server *server = &serving->home.server;
	int r;

	serving->main_thread = pthread_self();
	r = durability_start(
	    server->vault, stop_serving, &serving->main_thread, &server->durability);
	return r < 0 ? fault_set(fault, r, STORE_FILE) : 0;
}

/* Anybody may come in here, with a join token. */
static int enrolment_start(struct serving *serving, struct fault *fault)
{
	struct server *server = &serving->home.server;
	int *fd = &serving->fds[LISTENER_ENROLL];
	char url[SOCKET_URL_BYTES];
	int r;

	if (*fd < 0)
		return 0;

	socket_url(*fd, "https", url);
	r = sockets_enroll_url(serving->config, server->authority, *fd, server->enroll_url,
	    sizeof(server->enroll_url), fault);
	if (r == 0)
		r = listener_start(server, DOOR_ENROLMENT, fd, 0, &serving->enrolment, fault);
	if (r == 0)
		log_event("enrolment", "enrolment on %s", url);

	return r;
}

static int listeners_start(struct serving *serving, struct fault *fault)
{
	struct server *server = &serving->home.server;
	int r = enrolment_start(serving, fault);

	if (r < 0)
		return r;

	listener_plain_open(serving->metrics, server);
	return listener_start(server, DOOR_MAIN, &serving->fds[LISTENER_MAIN],
	    serving->config->connections_per_address, &serving->listener, fault);
}

static int answer(struct serving *serving, struct fault *fault)
{
	char url[SOCKET_URL_BYTES], status[SOCKET_URL_BYTES + 16];
	struct service service = {
	    .server = &serving->home.server, .dirfd = serving->home.dirfd, .status = status};
	int r = audit_threads_start(serving, fault);

	if (r == 0)
		r = store_thread_start(serving, fault);
	if (r == 0)
		r = attendance_begin(&serving->attendance, &serving->home, log_fault, fault);
	if (r < 0)
		return r;

	socket_url(serving->fds[LISTENER_MAIN], "https", url);
	(void)snprintf(status, sizeof(status), "Listening on %s", url);
	r = listeners_start(serving, fault);
	if (r < 0)
		return r;

	sealed_doors_renew(serving->home.dirfd, serving->home.server.authority);
	log_event("listening", "listening on %s", url);
	notify_ready(status);
	service.listeners[0] = serving->listener;
	service.listeners[1] = serving->enrolment;
	service_run(&service);
	notify_stopping();
	r = durability_trouble(service.server->durability);
	return r == 0 ? 0
	              : fault_set_why(fault, r,
	                    "the disk has failed to take it; start again to see what is left",
	                    STORE_FILE);
}

/* 1 when it was told to stop before it had its key. */
static int serve(struct serving *serving, struct fault *fault)
{
	struct audit_state audit = {0};
	int r = prepare(serving, &audit, fault);

	if (r == 0)
		r = metrics_start(serving, fault);
	if (r == 0 && serving->config->sealed)
		r = unseal(serving, &audit, fault);
	if (r != 0)
		return r;

	warn(&audit);
	return answer(serving, fault);
}

/* The enrolment listener goes first: while it drains, a new client still reaches the main one. */
static void serving_end(struct serving *serving)
{
	if (serving->enrolment)
		listener_stop(serving->enrolment, DRAIN_MS);
	if (serving->listener)
		listener_stop(serving->listener, DRAIN_MS);
	listener_plain_stop(serving->metrics);
	sealed_doors_close(&serving->sealed);
	for (int i = 0; i < LISTENERS_COUNT; i++)
		fd_cleanup(&serving->fds[i]);
	attendance_end(&serving->attendance);
	audit_copy_free(serving->copy);
	home_close(&serving->home);
	notify_end();
}

int command_serve(const struct command *command, int argc, char *argv[])
{
	struct config config;
	struct fault fault = {0};
	struct serving serving = {
	    .config = &config,
	    .home = {.dirfd = -1, .lock_fd = -1},
	    .attendance = {.dir = config.dir, .control_fd = -1},
	    .fds = {-1, -1, -1},
	};
	int r, exit_code = config_parse(command, argc, argv, &config);

	if (exit_code >= 0)
		return exit_code;

	r = serve(&serving, &fault);
	serving_end(&serving);
	if (r < 0)
		log_fault(&fault);
	else
		log_event("stopped", "stopped");
	config_free(&config);
	return r < 0 ? err_exit_code(fault.err) : 0;
}
