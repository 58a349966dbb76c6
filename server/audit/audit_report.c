/* SPDX-License-Identifier: MIT */
#include "audit_report.h"

#include <errno.h>

#include "log.h"

static const char *trouble_text(int trouble)
{
	switch (-trouble) {
	case ETIMEDOUT:
		return "the disk does not take a line";
	case ENOENT:
		return "deleted under the server; SIGHUP begins a new one";
	case ESTALE:
		return "changed by somebody else";
	default:
		return err_text(trouble);
	}
}

void audit_report(struct audit *audit, int *told)
{
	int trouble = audit_trouble(audit);

	if (trouble == *told)
		return;

	if (trouble)
		log_trouble(
		    AUDIT_FILE, "%s; requests are refused meanwhile", trouble_text(trouble));
	else
		log_event("audit", AUDIT_FILE " is written again");
	*told = trouble;
}
