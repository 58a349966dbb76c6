/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_AUDIT_TIME_H
#define TACIT_SERVER_AUDIT_TIME_H

#include <time.h>

/* Times in the audit log: UTC in milliseconds, so that they compare as texts. */
#define AUDIT_TIME_BYTES 25 /* "2026-11-24T06:10:08.123Z" and a NUL */

void audit_time_print(const struct tm *utc, long ms, char ret_text[static AUDIT_TIME_BYTES]);

/*
 * A time as people say it: RFC 3339, "2026-11-24T06:10:08Z", with an offset or a fraction too; a
 * date alone, which begins at midnight UTC; or how long ago, "10m", "3d". -TACIT_E_MALFORMED.
 */
int audit_time_parse(const char *text, char ret_time[static AUDIT_TIME_BYTES]);

#endif
