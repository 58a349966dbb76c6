/* SPDX-License-Identifier: MIT */
#ifndef TACIT_PROTO_H
#define TACIT_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tacit/err.h"
#include "tacit/name.h"
#include "tacit/secret.h"

/* What both ends of the HTTP API share: limits, paths, problem documents. */

#define PROTO_VALUE_MAX_BYTES  512000                     /* one value */
#define PROTO_JSON_MAX_BYTES   65536                      /* any JSON body that a client sends */
#define PROTO_ANSWER_MAX_BYTES ((size_t)48 * 1024 * 1024) /* any body that a server sends */
#define PROTO_PATH_MAX_BYTES   1024
#define PROTO_ETAG_MAX_BYTES   80

#define PROTO_TYPE_JSON        "application/json"
#define PROTO_TYPE_PROBLEM     "application/problem+json"
#define PROTO_TYPE_BYTES       "application/octet-stream"

/*
 * What the certificate of a sealed server is for: the extended key usage (RFC 5280, 4.2.1.12), in
 * DER, with one OID of ours in it and no other. That is 2.25.75866798898213085272932159115106805246
 * out of the arc for UUIDs (ITU-T X.667). It stands for "this server is sealed" and for no server.
 *
 * Some clients do not look at what a certificate is for. So it also has, critical, the extension by
 * which Certificate Transparency makes sure that a certificate is of no use (RFC 6962, 3.1): every
 * TLS client refuses one with both, and ours believes it that alone.
 */
#define PROTO_SEALED_USAGE_BYTES 23
extern const uint8_t proto_sealed_usage[PROTO_SEALED_USAGE_BYTES];

/*
 * Writes a path: `format` with %s for names, each percent-encoded (RFC 3986: all but unreserved),
 * `/` included. So `/v1/secrets/%s/versions` is unambiguous even for a secret that is named
 * `web/versions`. Only %s is understood. 0, or -TACIT_E_TOO_LARGE when it does not fit.
 */
int proto_path(char ret_path[static PROTO_PATH_MAX_BYTES], const char *format, ...);

/*
 * Decodes percent-encoding in place. -TACIT_E_MALFORMED for a bad escape or an escaped NUL.
 */
int proto_unescape(char *text);

/*
 * The header Tacit-Instance: which of several agents with one identity asks, for `tacit status`.
 * `NAME`, of the grammar of a client's name, or `NAME; watch` for one that will ask again by
 * itself. -TACIT_E_MALFORMED.
 */
#define PROTO_INSTANCE_MAX_BYTES (CLIENT_NAME_MAX_BYTES + sizeof("; watch"))

int proto_instance_parse(
    const char *text, char ret_name[static CLIENT_NAME_MAX_BYTES + 1], bool *ret_watches);

/* Prints one, `HOST.NUMBER`; what a host's name has that a client's may not becomes `-`. */
void proto_instance_print(
    const char *host, long number, bool watches, char ret_text[static PROTO_INSTANCE_MAX_BYTES]);

/*
 * The header Tacit-Instance-Id: what tells apart agents of one name, since in a container each is
 * process 1, and its host may be called as others are. An agent makes one up when it starts.
 */
#define PROTO_INSTANCE_ID_MAX_BYTES 32

/* 1 to 32 bytes of `[A-Za-z0-9_-]`. */
bool proto_instance_is_id(const char *text);

/*
 * Prints a problem document (RFC 9457) for `err` into a new secret. `detail` may be NULL. -ENOMEM.
 */
int proto_problem_print(
    int err, const char *detail, const char *request_id, struct secret **ret_body);

/*
 * Reads a problem document: its error, and `detail` for a person (cut to fit, "" if none).
 * -TACIT_E_MALFORMED when it is none.
 */
int proto_problem_parse(
    const void *bytes, size_t len, int *ret_err, char *ret_detail, size_t detail_size);

#endif
