/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_AUDIT_REPORT_H
#define TACIT_SERVER_AUDIT_REPORT_H

#include "audit.h"

/*
 * Says on standard error that the audit log cannot be written, and why, and that it can be again.
 * To be called some times a second; `told` is what was said last, 0 at first.
 */
void audit_report(struct audit *audit, int *told);

#endif
