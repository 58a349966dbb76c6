/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_LISTENER_HTTP_H
#define TACIT_SERVER_LISTENER_HTTP_H

#include <microhttpd.h>

#include "listener_private.h"

/*
 * Refuses what may not so much as reach a route, before its body is read: -TACIT_E_MALFORMED,
 * -TACIT_E_TOO_LARGE. In listener_request.c, like the next one.
 */
int request_judge(struct MHD_Connection *mhd_connection, enum door door, const char *method,
    const char *path, const char *version);

/* Fills in headers, query parameters and who asks; -TACIT_E_MALFORMED. */
int request_fill(
    struct request *request, struct MHD_Connection *mhd_connection, struct connection *connection);

/* What libmicrohttpd calls for each request, and when it is done with one. */
enum MHD_Result listener_on_request(void *context, struct MHD_Connection *mhd_connection,
    const char *path, const char *method, const char *version, const char *upload,
    size_t *upload_len, void **request_context);
void listener_on_completed(void *context, struct MHD_Connection *mhd_connection,
    void **request_context, enum MHD_RequestTerminationCode code);

/* The path goes to the routes as it came: they decode it, after they have split it. */
size_t listener_leave_escaped(void *context, struct MHD_Connection *mhd_connection, char *text);

#endif
