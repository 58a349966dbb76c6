/* SPDX-License-Identifier: MIT */
#include "renewal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "commands.h"
#include "install.h"
#include "rotation.h"
#include "tacit/deadline.h"
#include "tacit/fd.h"

#define GRACE_MS         10000
#define WATCHER_DEATHS   5     /* as many in a row, and it is given up */
#define WATCHER_SOUND_MS 60000 /* one that has lived that long begins a new row */
#define WATCHER_PAUSE_MS 1000

/* The watcher. */

static void watcher_give_up(const struct fault *fault)
{
	if (fault)
		fault_report(AGENT_NAME, fault);
	(void)fprintf(
	    stderr, "%s: watcher: given up: SECRETS ARE NOT RENEWED ANY MORE\n", AGENT_NAME);
}

static int watcher_begin(struct renewal *renewal, struct fault *fault)
{
	renewal->watcher_due_ms = -1;
	renewal->watcher_started_ms = deadline_in_ms(0);
	return watcher_start(renewal->session, renewal->delivery, &renewal->known,
	    renewal->is_coming, &renewal->watcher, fault);
}

static void watcher_begin_again(struct renewal *renewal)
{
	struct fault fault = {0};

	/* What the parent fetched last is not what was delivered last. */
	source_ask_anew(renewal->session->source);
	if (watcher_begin(renewal, &fault) < 0)
		watcher_give_up(&fault);
	parent_shrink();
}

static void watcher_ended(struct renewal *renewal, const siginfo_t *child)
{
	bool is_sound = deadline_in_ms(0) - renewal->watcher_started_ms >= WATCHER_SOUND_MS;

	(void)fprintf(stderr, "%s: watcher: ended unexpectedly (%s %d)\n", AGENT_NAME,
	    child->si_code == CLD_EXITED ? "exit code" : "signal", child->si_status);
	renewal->watcher.pid = -1; /* reaped: the number may be another's */
	watcher_stop(&renewal->watcher, &renewal->delivery->dir);
	install_unstage(&renewal->delivery->dir, child->si_pid);

	renewal->watcher_deaths = is_sound ? 1 : renewal->watcher_deaths + 1;
	if (renewal->watcher_deaths > WATCHER_DEATHS)
		watcher_give_up(NULL);
	else
		renewal->watcher_due_ms =
		    deadline_in_ms(renewal->watcher_deaths == 1 ? 0 : WATCHER_PAUSE_MS);
}

/* The command. */

static int command_start_again(struct renewal *renewal, struct fault *fault)
{
	cleanup_environment struct environment environment = {0};
	int r = second_start_environment(&renewal->start, &renewal->known, &environment, fault);

	renewal->is_restarting = false;
	renewal->kill_ms = -1;
	if (r == 0)
		r = parent_start(
		    &renewal->parent, renewal->session->options.command, environment.vars, fault);
	if (r == 0)
		secrets_dir_note_command(&renewal->delivery->dir, renewal->parent.command);

	return r;
}

/* A command is not ended before it is certain that it can be given an environment again. */
static void command_end_first(struct renewal *renewal)
{
	cleanup_environment struct environment environment = {0};
	struct fault fault = {0};

	if (renewal->is_ending || renewal->is_restarting)
		return;
	if (second_start_environment(&renewal->start, &renewal->known, &environment, &fault) < 0) {
		fault_report(AGENT_NAME, &fault);
		(void)fprintf(stderr, "%s: the command is not started again\n", AGENT_NAME);
		return;
	}

	renewal->is_restarting = true;
	renewal->kill_ms = deadline_in_ms(GRACE_MS);
	(void)kill(renewal->parent.command, SIGTERM);
	(void)kill(renewal->parent.command, SIGCONT); /* a stopped one would not notice */
}

static void command_tell(struct renewal *renewal)
{
	const struct agent_options *options = &renewal->session->options;

	if (options->signal)
		(void)kill(renewal->parent.command, options->signal);
	if (options->restart)
		command_end_first(renewal);
}

/* Notes. */

static void note_item(struct renewal *renewal, const struct bundle_item *item)
{
	struct text_list *files = &renewal->delivery->files;
	struct bundle *coming = &renewal->coming;
	int r = bundle_add(coming, item->name, NULL);

	if (r == 0) {
		coming->items[coming->count - 1] = *item;
		coming->items[coming->count - 1].value = NULL;
	}
	if (r == 0 && !text_list_holds(files, item->file))
		r = text_list_add(files, item->file, strlen(item->file));
	if (r < 0)
		(void)fprintf(stderr, "%s: %s: %s\n", AGENT_NAME, item->name, err_text(r));
}

static void note_take(struct renewal *renewal, const struct note *note)
{
	switch (note->kind) {
	case NOTE_BEGINS:
		bundle_free(&renewal->coming);
		renewal->is_coming = true;
		break;
	case NOTE_ITEM:
		note_item(renewal, &note->item);
		break;
	case NOTE_DONE:
		bundle_free(&renewal->known);
		renewal->known = renewal->coming;
		renewal->coming = (struct bundle){0};
		renewal->is_coming = false;
		command_tell(renewal);
		break;
	}
}

static void notes_take(struct renewal *renewal)
{
	struct note note;
	ssize_t got;

	while (renewal->watcher.notes_fd >= 0) {
		got = read(renewal->watcher.notes_fd, &note, sizeof(note));
		if (got == sizeof(note))
			note_take(renewal, &note);
		else if (got < 0 && errno == EAGAIN)
			return;
		else
			fd_cleanup(&renewal->watcher.notes_fd);
	}
}

/* Serving. */

int renewal_start(struct renewal *renewal, struct session *session, struct delivery *delivery,
    struct fault *fault)
{
	sigset_t all;
	int r;

	renewal->session = session;
	renewal->delivery = delivery;
	renewal->start = (struct second_start){.session = session, .dir = &delivery->dir};
	if (bundle_copy_names(&delivery->bundle, &renewal->known) < 0 ||
	    second_start_note(&renewal->start, &delivery->environment) < 0)
		return fault_set(fault, -ENOMEM, "environment");

	(void)sigfillset(&all);
	renewal->signals_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (renewal->signals_fd < 0)
		return fault_set(fault, -errno, "signals");

	r = parent_prepare(&renewal->parent, fault);
	if (r == 0)
		r = watcher_begin(renewal, fault);
	if (r == 0)
		r = parent_start(
		    &renewal->parent, session->options.command, delivery->environment.vars, fault);

	return r;
}

static void signal_take(struct renewal *renewal, const struct signalfd_siginfo *info)
{
	int signal_number = (int)info->ssi_signo;

	if (signal_number == SIGTERM || signal_number == SIGINT || signal_number == SIGQUIT) {
		renewal->is_ending = true;
		renewal->is_restarting = false;
	}
	parent_pass_on(&renewal->parent, signal_number, info->ssi_code);
}

static void signals_take(struct renewal *renewal)
{
	struct signalfd_siginfo info;

	while (read(renewal->signals_fd, &info, sizeof(info)) == sizeof(info))
		signal_take(renewal, &info);
}

static bool is_up(int64_t deadline_ms)
{
	return deadline_ms >= 0 && deadline_left_ms(deadline_ms) == 0;
}

static void time_look(struct renewal *renewal)
{
	if (is_up(renewal->kill_ms)) {
		renewal->kill_ms = -1;
		if (renewal->is_restarting)
			(void)kill(renewal->parent.command, SIGKILL);
	}
	if (is_up(renewal->watcher_due_ms))
		watcher_begin_again(renewal);
}

/* For poll(2): until the earlier of the two, -1 for neither. */
static int time_left_ms(const struct renewal *renewal)
{
	const int64_t deadlines[] = {renewal->kill_ms, renewal->watcher_due_ms};
	int left_ms = -1;

	for (size_t i = 0; i < 2; i++)
		if (deadlines[i] >= 0 && (left_ms < 0 || deadline_left_ms(deadlines[i]) < left_ms))
			left_ms = deadline_left_ms(deadlines[i]);

	return left_ms;
}

static void wait_and_look(struct renewal *renewal)
{
	struct pollfd sources[] = {
	    {.fd = renewal->signals_fd, .events = POLLIN},
	    {.fd = renewal->watcher.notes_fd, .events = POLLIN},
	};

	(void)poll(sources, 2, time_left_ms(renewal));
	signals_take(renewal);
	notes_take(renewal);
	time_look(renewal);
}

/* True, and how, when the command has ended for good. */
static bool children_look(struct renewal *renewal, int *ret_code, struct fault *fault)
{
	siginfo_t child;

	while (parent_reap(&renewal->parent, &child)) {
		if (child.si_pid == renewal->watcher.pid) {
			notes_take(renewal);
			watcher_ended(renewal, &child);
		}
		if (child.si_pid != renewal->parent.command)
			continue;
		signals_take(renewal); /* one of them may want it to end */
		*ret_code = parent_exit_code(&child);
		if (!renewal->is_restarting)
			return true;
		*ret_code = command_start_again(renewal, fault);
		if (*ret_code < 0)
			return true;
	}

	return false;
}

int renewal_serve(struct renewal *renewal, struct fault *fault)
{
	int code;

	while (!children_look(renewal, &code, fault))
		wait_and_look(renewal);

	return code;
}

void renewal_free(struct renewal *renewal)
{
	if (renewal->delivery)
		watcher_stop(&renewal->watcher, &renewal->delivery->dir);
	fd_cleanup(&renewal->signals_fd);
	second_start_free(&renewal->start);
	bundle_free(&renewal->known);
	bundle_free(&renewal->coming);
}
