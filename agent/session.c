/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <unistd.h>

#include "private.h"
#include "secrets_dir.h"
#include "signals.h"
#include "tacit/deadline.h"

static int user_become(struct session *session, struct fault *fault)
{
	const struct agent_options *options = &session->options;
	struct user *user = &session->user;
	bool is_root = geteuid() == 0;
	int r;

	if (!options->user)
		return 0;

	r = user_lookup(options->user, user, fault);
	if (r < 0)
		return r;
	if (!is_root && !user_differs(user))
		return 0;
	if (user->uid != geteuid() && user->home[0])
		session->home = user->home;
	if (is_root && user->uid != 0)
		secrets_dir_hand_over(options->dir, user->uid, user->gid);

	return privilege_become(user, fault);
}

/* No other directory will do then, so what was the default becomes a wish. */
static int private_begin(struct session *session, struct fault *fault)
{
	struct agent_options *options = &session->options;
	int r;

	if (!options->private)
		return 0;

	r = secrets_dir_path(options->dir, session->private_dir);
	if (r < 0)
		return fault_set(fault, r, "%s", options->dir);

	options->dir = session->private_dir;
	return private_enter(options->dir, fault);
}

/* A source that fails is no end where the command may start without it; all else is. */
static int session_source_open(struct session *session, struct fault *fault)
{
	int r = source_open(&session->options, &session->source, fault);

	if (r == 0 || r == -TACIT_E_USAGE || session->options.on_failure != FAILURE_STARTS)
		return r;

	session->source_fault = *fault;
	return 0;
}

int session_open(const struct command *command, int argc, char *argv[], struct session *ret_session,
    struct fault *fault)
{
	struct agent_options *options = &ret_session->options;
	int r;

	*ret_session = (struct session){0};
	r = agent_options_parse(command, argc, argv, options, fault);
	if (r == 0)
		r = private_begin(ret_session, fault);
	if (r < 0)
		return r;

	ret_session->deadline_ms = deadline_in_ms(options->timeout_ms);
	signals_catch();
	r = privilege_close_up(fault);
	if (r == 0)
		r = templates_load(&options->templates, fault);
	if (r == 0)
		r = session_source_open(ret_session, fault);
	if (r == 0)
		r = user_become(ret_session, fault);

	return r;
}

void session_free(struct session *session)
{
	source_free(session->source);
	agent_options_free(&session->options);
}
