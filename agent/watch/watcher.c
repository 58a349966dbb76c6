/* SPDX-License-Identifier: MIT */
#include "watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backoff.h"
#include "collision.h"
#include "commands.h"
#include "install.h"
#include "parent.h"
#include "rotation.h"
#include "tacit/deadline.h"
#include "tacit/fd.h"

#define WAIT_S         50
#define BACKOFF_MAX_MS 30000
#define QUICK_MS       1000 /* an answer without news that comes sooner was not waited for */

/* What the watcher knows; in its own process only. */
struct watch {
	struct source *source;
	const struct agent_options *options;
	struct rotation rotation;
	struct backoff backoff;
	bool is_fresh;           /* a connection is still to be made */
	int failure;             /* that was told last; 0 while all is well */
	int certificate_failure; /* the same of the certificate's renewal */
};

static void tell_gone(const struct watch *watch, const struct text_list *gone)
{
	for (size_t i = 0; i < gone->count; i++) {
		const struct bundle_item *item =
		    bundle_find(&watch->rotation.known, gone->texts[i]);

		if (item)
			(void)fprintf(stderr,
			    "%s: %s: the file is %s now; the old one is removed\n", AGENT_NAME,
			    item->name, item->file);
		else
			(void)fprintf(stderr,
			    "%s: %s: %sdeleted or no longer granted; its file is removed\n",
			    AGENT_NAME, gone->texts[i],
			    templates_made(gone->texts[i]) ? "a secret in it is " : "");
	}
}

static bool is_absence(int err)
{
	switch (-err) {
	case TACIT_E_UNREACHABLE:
	case TACIT_E_TIMEOUT:
	case TACIT_E_RESOLVE:
	case TACIT_E_CUT_OFF:
		return true;
	default:
		return false;
	}
}

static void report_failure(const struct fault *fault)
{
	struct fault told = *fault;

	(void)snprintf(told.why, sizeof(told.why), "%s; the last good files stay",
	    fault->why[0] ? fault->why : err_text(fault->err));
	fault_report(AGENT_NAME, &told);
}

/* One line when something is wrong, not one for each try; another one if it is another thing. */
static void tell_failure(struct watch *watch, const struct fault *fault)
{
	bool is_told =
	    watch->failure == fault->err || (is_absence(watch->failure) && is_absence(fault->err));

	if (!is_told)
		report_failure(fault);
	watch->failure = fault->err;
}

static void tell_recovery(struct watch *watch)
{
	if (watch->failure)
		(void)fprintf(stderr, "%s: files are renewed again\n", AGENT_NAME);
	watch->failure = 0;
}

static int renew(struct watch *watch, struct bundle *bundle, struct fault *fault)
{
	cleanup_text_list struct text_list gone = {0};
	int r = selection_apply(&watch->options->selection, bundle, fault);

	if (r == 0)
		r = templates_apply(&watch->options->templates, true, bundle, fault);
	if (r == 0)
		r = collision_check(bundle, watch->options->env, fault);
	if (r == 0)
		r = rotation_make(&watch->rotation, bundle, &gone, fault);

	if (r > 0)
		tell_gone(watch, &gone);
	if (r < 0)
		source_ask_anew(watch->source);
	return r;
}

/* 1 when files were renewed, 0 when there was nothing to do. */
static int look_once(struct watch *watch, bool is_quick, struct fault *fault)
{
	cleanup_bundle struct bundle bundle = {0};
	int r = source_wait(watch->source, is_quick ? 0 : WAIT_S, &bundle, fault);

	return r > 0 ? renew(watch, &bundle, fault) : r;
}

static void report_certificate(const struct watch *watch, const struct fault *fault)
{
	time_t until_s = (time_t)source_valid_until(watch->source);
	struct fault told = *fault;
	struct tm until;
	char text[32];

	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&until_s, &until));
	(void)snprintf(told.why, sizeof(told.why),
	    "%.160s; the certificate, valid until %s, is not renewed yet",
	    fault->why[0] ? fault->why : err_text(fault->err), text);
	fault_report(AGENT_NAME, &told);
}

/* That the server is away, or sealed, the next look at the files will tell. */
static void certificate_look(struct watch *watch)
{
	struct fault fault = {0};
	int r = source_renew(watch->source, &fault);

	if (r < 0 && !is_absence(r) && r != -TACIT_E_SEALED && watch->certificate_failure != r) {
		report_certificate(watch, &fault);
		watch->certificate_failure = r;
	}
	if (r > 0)
		watch->is_fresh = true;
	if (r > 0 && watch->certificate_failure) {
		(void)fprintf(stderr, "%s: the certificate is renewed\n", AGENT_NAME);
		watch->certificate_failure = 0;
	}
}

/*
 * A quick look comes first where a connection is to be made, so that the memory that the handshake
 * took is given back before the long wait, and where something was wrong, so that it is known soon.
 */
static void look(struct watch *watch)
{
	bool is_quick = watch->is_fresh || watch->failure != 0;
	struct fault fault = {0};
	int64_t quick_until_ms = deadline_in_ms(QUICK_MS);
	int r = look_once(watch, is_quick, &fault);

	watch->is_fresh = false;
	if (r < 0)
		tell_failure(watch, &fault);
	else
		tell_recovery(watch);

	if (r > 0 || (r == 0 && (is_quick || deadline_left_ms(quick_until_ms) == 0)))
		backoff_reset(&watch->backoff);
	else
		sleep_ms(backoff_step(&watch->backoff));
}

static void close_up(pid_t parent)
{
	struct fault fault = {0};

	(void)prctl(PR_SET_NAME, "tacit-watcher");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(EXIT_FAILURE);
	if (privilege_close_up(&fault) < 0) {
		fault_report(AGENT_NAME, &fault);
		_exit(EXIT_FAILURE);
	}
}

/* What is deleted is to be removed from the files as well, and is no error any more. */
static void selection_relax(struct selection *selection)
{
	for (size_t i = 0; i < selection->count; i++)
		selection->items[i].optional = true;
}

static _Noreturn void watch_for_ever(struct watch *watch)
{
	for (;;) {
		parent_shrink();
		certificate_look(watch);
		look(watch);
	}
}

static _Noreturn void watcher_run(struct session *session, struct delivery *delivery,
    const struct bundle *known, bool is_due, int notes_fd)
{
	struct watch watch = {
	    .source = session->source,
	    .options = &session->options,
	    .rotation = {.dir = &delivery->dir, .notes_fd = notes_fd, .is_due = is_due},
	    .backoff = {.limit_ms = BACKOFF_MAX_MS},
	    .is_fresh = true,
	};

	secret_memory_lock_again();
	source_take_over(watch.source);
	if (bundle_copy_names(known, &watch.rotation.known) < 0)
		_exit(EXIT_FAILURE);
	delivery_forget(delivery);
	parent_wipe_environment(environ);
	selection_relax(&session->options.selection);
	watch_for_ever(&watch);
}

int watcher_start(struct session *session, struct delivery *delivery, const struct bundle *known,
    bool is_due, struct watcher *ret_watcher, struct fault *fault)
{
	pid_t self = getpid();
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
		return fault_set(fault, -errno, "watcher");

	source_disconnect(session->source);
	pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		close_up(self);
		watcher_run(session, delivery, known, is_due, ends[1]);
	}
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		return fault_set(fault, -EAGAIN, "watcher");
	}

	*ret_watcher = (struct watcher){.pid = pid, .notes_fd = ends[0]};
	return 0;
}

void watcher_stop(struct watcher *watcher, const struct secrets_dir *dir)
{
	fd_cleanup(&watcher->notes_fd);
	if (watcher->pid <= 0)
		return;

	(void)kill(watcher->pid, SIGKILL);
	(void)waitpid(watcher->pid, NULL, 0);
	install_unstage(dir, watcher->pid);
	*watcher = WATCHER_NONE;
}
