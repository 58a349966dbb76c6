/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attendance.h"
#include "audit_copy.h"
#include "commands.h"
#include "config.h"
#include "home.h"
#include "listener.h"
#include "tacit/url.h"

#define DRAIN_MS 10000

const struct option_row command_serve_options[] = {
    {"dir", "DIR", "the store's directory (/var/lib/tacit)"},
    {"listen", "ADDR:PORT", "where to listen (all addresses, the port of the URL)"},
    {"enroll-listen", "ADDR:PORT", "take join tokens there (else there is no enrolment)"},
    {"enroll-url", "URL", "how clients reach that (the host of the URL, the port just given)"},
    {"audit-syslog", "SOCKET", "also send each line of the audit log there, as to /dev/log"},
    {"keep-versions", "N", "how many versions of a secret are kept (16)"},
    KEY_OPTION_ROWS,
    {"sealed", NULL, "start without the master key, and wait for `unseal`"},
    {0},
};

static void complain(const struct fault *fault)
{
	fault_report(PROGRAM_NAME, fault);
}

/* Blocked before any thread is made, so that only sigwait() sees them. */
static void signals_block(sigset_t *ret_signals)
{
	(void)sigemptyset(ret_signals);
	(void)sigaddset(ret_signals, SIGTERM);
	(void)sigaddset(ret_signals, SIGINT);
	(void)sigaddset(ret_signals, SIGHUP);
	(void)sigaddset(ret_signals, UNSEALING_SIGNAL);
	(void)pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
}

/* What was moved away, as logrotate does, is gone on from in a new file. */
static void log_reopen(struct audit *audit)
{
	struct fault fault;
	int r = audit_reopen(audit);

	if (r < 0) {
		(void)fault_set(&fault, r, AUDIT_FILE);
		complain(&fault);
	}
}

static void signals_wait(const sigset_t *signals, struct audit *audit)
{
	for (;;) {
		int signal_number = 0;

		(void)sigwait(signals, &signal_number);
		if (signal_number == SIGHUP)
			log_reopen(audit);
		else if (signal_number != UNSEALING_SIGNAL)
			return;
	}
}

static int audit_begin(const struct config *config, struct audit *audit, struct fault *fault)
{
	struct audit_copy *copy = NULL;
	int r = 0;

	if (config->audit_syslog)
		r = audit_copy_new(config->audit_syslog, &copy, fault);
	if (r < 0)
		return r;

	r = audit_start(audit, copy);
	return r < 0 ? fault_set(fault, r, AUDIT_FILE) : 0;
}

static void listen_address(
    const struct config *config, const struct server *server, char ret_address[static 320])
{
	struct url url = {.port = URL_DEFAULT_PORT};

	if (config->listen) {
		(void)snprintf(ret_address, 320, "%s", config->listen);
		return;
	}

	(void)url_parse(authority_url(server->authority), &url);
	(void)snprintf(ret_address, 320, ":%s", url.port);
}

static void warn(const struct audit_state *audit)
{
	if (audit->missing_from > 0)
		(void)fprintf(stderr,
		    PROGRAM_NAME ": " AUDIT_FILE
		                 ": lines %llu to %llu are missing; the log goes on with a line "
		                 "audit.restarted\n",
		    (unsigned long long)audit->missing_from, (unsigned long long)audit->missing_to);
	if (audit->torn_bytes > 0)
		(void)fprintf(stderr,
		    PROGRAM_NAME ": " AUDIT_FILE
		                 ": the last line was cut off by a crash; removed %zu "
		                 "bytes of it\n",
		    audit->torn_bytes);
	if (!secret_memory_locked())
		(void)fprintf(stderr,
		    PROGRAM_NAME ": memory: cannot be locked, so values may reach swap; raise "
		                 "RLIMIT_MEMLOCK\n");
}

/* Where join tokens send people, unless it was said: the server's host, at the port in `bound`. */
static void enroll_url_derive(
    const struct server *server, const char *bound, char ret_text[static 280])
{
	struct url url = {.host = "?"}, own = {.host = "?"};

	(void)url_parse(authority_url(server->authority), &own);
	(void)url_parse(bound, &url);
	memcpy(own.port, url.port, sizeof(own.port));
	url_print(&own, ret_text);
}

/* A client takes no other host than those in the server's certificate: better said now. */
static int enroll_url_parse(
    const struct server *server, const char *text, char ret_text[static 280], struct fault *fault)
{
	struct url url;
	int r = url_parse(text, &url);

	if (r < 0)
		return fault_set(fault, r, "--enroll-url %s", text);
	if (!authority_has_name(server->authority, url.host))
		return fault_set_why(fault, -TACIT_E_INVALID_URL,
		    "the server's certificate is not for that host; see init --san",
		    "--enroll-url %s", text);

	url_print(&url, ret_text);
	return 0;
}

static int enroll_url_set(
    const struct config *config, struct server *server, const char *bound, struct fault *fault)
{
	char text[280];
	int r = 0;

	if (config->enroll_url)
		r = enroll_url_parse(server, config->enroll_url, text, fault);
	else
		enroll_url_derive(server, bound, text);
	if (r == 0 && strlen(text) >= sizeof(server->enroll_url))
		r = fault_set_why(fault, -TACIT_E_INVALID_URL, "too long for a join token",
		    "--enroll-url %s", text);
	if (r < 0)
		return r;

	memcpy(server->enroll_url, text, strlen(text) + 1);
	return 0;
}

struct listeners {
	struct listener *main;
	struct listener *enrolment; /* NULL */
};

/* The enrolment listener goes first: while it drains, a new client still reaches the main one. */
static void listeners_stop(const struct listeners *listeners)
{
	if (listeners->enrolment)
		listener_stop(listeners->enrolment, DRAIN_MS);
	if (listeners->main)
		listener_stop(listeners->main, DRAIN_MS);
}

static int enrolment_start(const struct config *config, struct server *server,
    struct listeners *listeners, struct fault *fault)
{
	char url[320];
	int r;

	if (!config->enroll_listen)
		return 0;

	r = listener_start(
	    server, DOOR_ENROLMENT, config->enroll_listen, &listeners->enrolment, url, fault);
	if (r == 0)
		r = enroll_url_set(config, server, url, fault);
	if (r == 0)
		(void)printf("enrolment on %s\n", url);

	return r;
}

static int serve(const struct config *config, struct home *home, struct attendance *attendance,
    const sigset_t *signals, struct fault *fault)
{
	struct listeners listeners = {0};
	char address[320], url[320];
	int r;

	r = audit_begin(config, home->server.audit, fault);
	if (r == 0)
		r = attendance_begin(attendance, home, complain, fault);
	if (r == 0)
		r = enrolment_start(config, &home->server, &listeners, fault);
	if (r == 0) {
		listen_address(config, &home->server, address);
		r = listener_start(&home->server, DOOR_MAIN, address, &listeners.main, url, fault);
	}
	if (r == 0) {
		(void)printf("listening on %s\n", url);
		(void)fflush(stdout);
		signals_wait(signals, home->server.audit);
	}
	listeners_stop(&listeners);
	return r;
}

/* With the key that is at hand, or, sealed, with the one that somebody brings. */
static int store_open_for(const struct config *config, struct attendance *attendance,
    const sigset_t *signals, struct home *home, struct audit_state *ret_audit, struct fault *fault)
{
	int r;

	if (!config->sealed)
		return home_open(config, HOME_SERVE, home, ret_audit, fault);

	r = home_begin(config, HOME_SERVE, home, fault);
	if (r < 0)
		return r;

	(void)printf("sealed: waiting for `" PROGRAM_NAME " unseal --dir %s`\n", config->dir);
	(void)fflush(stdout);
	return attendance_await_key(attendance, config, signals, home, ret_audit, fault);
}

int command_serve(const struct command *command, int argc, char *argv[])
{
	struct config config;
	struct fault fault = {0};
	struct attendance attendance = {.dir = config.dir};
	struct home home = {.dirfd = -1, .lock_fd = -1};
	struct audit_state audit;
	sigset_t signals;
	int r, exit_code = config_parse(command, argc, argv, &config);

	if (exit_code >= 0)
		return exit_code;
	if (config.enroll_url && !config.enroll_listen) {
		(void)fault_set_why(
		    &fault, -TACIT_E_USAGE, "of no use without --enroll-listen", "--enroll-url");
		complain(&fault);
		return 2;
	}

	signals_block(&signals);
	r = store_open_for(&config, &attendance, &signals, &home, &audit, &fault);
	if (r == 0) {
		warn(&audit);
		r = serve(&config, &home, &attendance, &signals, &fault);
	}
	if (r < 0)
		complain(&fault);
	attendance_end(&attendance);
	home_close(&home);
	return r < 0 ? err_exit_code(fault.err) : 0;
}
