/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "commands.h"
#include "delivery.h"
#include "doctor.h"
#include "launch.h"
#include "parent.h"
#include "renewal.h"
#include "session.h"
#include "signals.h"
#include "tacit/fd.h"

static int report(const struct fault *fault, int exit_code)
{
	fault_report(AGENT_NAME, fault);
	return exit_code;
}

static void tell_removed(const struct environment *environment)
{
	cleanup_free char *names = NULL;

	if (environment->removed_count == 0)
		return;

	names = environment_removed_text(environment);
	(void)fprintf(stderr, "%s: removed from the environment: %s\n", AGENT_NAME,
	    names ? names : "(no memory to say what)");
}

/* What the agent cannot undo, and what it was asked to do against better knowledge. */
static void tell_limits(const struct agent_options *options)
{
	if (options->from_env.count > 0)
		(void)fprintf(stderr,
		    "%s: `docker inspect` and `docker exec` still show what was given with -e\n",
		    AGENT_NAME);
	if (options->env == ENV_VALUE)
		(void)fprintf(stderr,
		    "%s: --env value: every child process and /proc/PID/environ show the values\n",
		    AGENT_NAME);
}

static bool is_to_exec(const struct agent_options *options, const struct secrets_dir *dir)
{
	if (options->watch)
		return false;
	if (options->launch != LAUNCH_AUTO)
		return options->launch == LAUNCH_EXEC;

	return getpid() == 1 || dir->is_mount || dir->fd < 0;
}

static int run_exec(const struct session *session, struct delivery *delivery)
{
	struct fault fault = {0};
	int signal_number = signals_ended_by();
	int r;

	if (signal_number) {
		delivery_undo(delivery);
		return EXIT_SIGNALLED + signal_number;
	}

	bundle_free(&delivery->bundle);
	signals_unblock();
	r = launch_exec(session->options.command, delivery->environment.vars, &fault);
	delivery_undo(delivery);
	return report(&fault, launch_exit_code(r));
}

static int run_parent(struct session *session, struct delivery *delivery)
{
	struct fault fault = {0};
	struct parent parent;
	int exit_code;
	int r;

	signals_block();
	r = parent_prepare(&parent, &fault);
	if (r == 0)
		r = parent_start(
		    &parent, session->options.command, delivery->environment.vars, &fault);
	if (r < 0) {
		delivery_undo(delivery);
		return report(&fault, EXIT_AGENT_FAILED);
	}

	secrets_dir_note_command(&delivery->dir, parent.command);
	delivery_forget(delivery);
	source_cleanup(&session->source);
	parent_wipe_environment(environ);

	exit_code = parent_serve(&parent);
	delivery_undo(delivery);
	return exit_code;
}

/* The source stays open: a watcher that has to be started again needs it. */
static int run_watching(struct session *session, struct delivery *delivery)
{
	cleanup_renewal struct renewal renewal = RENEWAL_NONE;
	struct fault fault = {0};
	int r;

	signals_block();
	r = renewal_start(&renewal, session, delivery, &fault);
	if (r == 0) {
		secrets_dir_note_command(&delivery->dir, renewal.parent.command);
		delivery_forget(delivery);
		parent_wipe_environment(environ);
		parent_shrink();
		r = renewal_serve(&renewal, &fault);
	}

	renewal_free(&renewal);
	delivery_undo(delivery);
	source_leave(session->source);
	return r < 0 ? report(&fault, EXIT_AGENT_FAILED) : r;
}

static int deliver_strictly(
    const struct session *session, struct delivery *delivery, struct fault *fault)
{
	if (!session->source) {
		*fault = session->source_fault;
		return fault->err;
	}

	return delivery_make(
	    &session->options, session->source, session->deadline_ms, false, delivery, fault);
}

/* What could not be had at the start can come later, if there is a place for it. */
static void watch_for_first(const struct session *session, struct delivery *delivery)
{
	const struct secrets_dir_wish wish = {.path = session->options.dir};
	struct fault fault = {0};

	signals_block();
	if (session->source && secrets_dir_find(&wish, &delivery->dir, &fault) == 0)
		return;

	if (fault.err)
		(void)report(&fault, 0);
	(void)fprintf(stderr, "%s: --watch: SECRETS WILL NOT COME LATER EITHER\n", AGENT_NAME);
}

/* With --on-failure start the command is given an environment without what we failed to get. */
static int deliver(const struct session *session, struct delivery *delivery, struct fault *fault)
{
	int r = deliver_strictly(session, delivery, fault);

	if (r == 0 || session->options.on_failure != FAILURE_STARTS)
		return r;

	(void)report(fault, 0);
	(void)fprintf(
	    stderr, "%s: STARTING WITHOUT SECRETS, as --on-failure start demands\n", AGENT_NAME);
	bundle_free(&delivery->bundle);
	if (session->options.watch)
		watch_for_first(session, delivery);
	return 0;
}

static int run(struct session *session)
{
	cleanup_delivery struct delivery delivery = DELIVERY_NONE;
	struct fault fault = {0};
	int r = deliver(session, &delivery, &fault);

	if (r == 0)
		r = delivery_scrub(&delivery, &session->options, session->home, &fault);
	if (r < 0) {
		delivery_undo(&delivery);
		if (session->source)
			source_leave(session->source);
		return report(&fault, EXIT_AGENT_FAILED);
	}

	tell_removed(&delivery.environment);
	tell_limits(&session->options);
	if (session->options.watch && session->source && delivery.dir.fd >= 0)
		return run_watching(session, &delivery);
	if (is_to_exec(&session->options, &delivery.dir))
		return run_exec(session, &delivery);

	return run_parent(session, &delivery);
}

int command_run(const struct command *command, int argc, char *argv[])
{
	cleanup_session struct session session = {0};
	struct fault fault = {0};

	if (session_open(command, argc, argv, &session, &fault) < 0)
		return report(&fault, EXIT_AGENT_FAILED);
	/* Only now, when --user has taken effect, and still before anything is delivered. */
	if (session.options.require_hardened &&
	    doctor_require_hardened(session.options.dir, &fault) < 0)
		return report(&fault, EXIT_AGENT_FAILED);

	return run(&session);
}

int command_fetch(const struct command *command, int argc, char *argv[])
{
	cleanup_session struct session session = {0};
	cleanup_delivery struct delivery delivery = DELIVERY_NONE;
	struct fault fault = {0};
	int r = session_open(command, argc, argv, &session, &fault);

	if (r == 0)
		r = delivery_make(
		    &session.options, session.source, session.deadline_ms, true, &delivery, &fault);

	return r < 0 ? report(&fault, EXIT_AGENT_FAILED) : 0;
}
