/* SPDX-License-Identifier: MIT */
#ifndef TACIT_ERR_H
#define TACIT_ERR_H

/*
 * Errors. Every function that can fail returns one int: 0, a negative errno, or a negative
 * TACIT_E_*. The table below is the single place where an error's text, its HTTP status, its
 * machine-readable code (RFC 9457 member `code`) and the exit code of `tacit` are decided.
 *
 *        symbol             HTTP  exit  code                   text
 */
#define TACIT_ERRORS(X)                                                                          \
	X(USAGE, 400, 2, "usage", "wrong usage")                                                 \
	X(MALFORMED, 400, 1, "malformed", "malformed")                                           \
	X(INVALID_NAME, 400, 1, "invalid_name", "not a valid name")                              \
	X(INVALID_PATTERN, 400, 1, "invalid_pattern", "not a valid pattern")                     \
	X(INVALID_MODE, 400, 1, "invalid_mode", "not a valid file mode")                         \
	X(INVALID_ENV, 400, 1, "invalid_env", "not a valid variable name")                       \
	X(INVALID_ROLE, 400, 1, "invalid_role", "not a role")                                    \
	X(INVALID_URL, 400, 1, "invalid_url", "not a valid URL")                                 \
	X(INVALID_CSR, 400, 1, "invalid_csr", "not a valid signing request")                     \
	X(INVALID_RANGE, 400, 1, "invalid_range", "not an address range, such as 192.0.2.0/24")  \
	X(UNAUTHENTICATED, 401, 5, "unauthenticated", "certificate not accepted")                \
	X(DENIED, 403, 5, "denied", "denied")                                                    \
	X(NOT_FOUND, 404, 4, "not_found", "not found")                                           \
	X(METHOD, 405, 1, "method_not_allowed", "method not allowed")                            \
	X(CONFLICT, 409, 6, "conflict", "in conflict with the current state")                    \
	X(PRECONDITION, 412, 6, "precondition_failed", "has changed since")                      \
	X(TOO_LARGE, 413, 1, "too_large", "too large")                                           \
	X(HEADERS_TOO_LARGE, 431, 1, "headers_too_large", "request headers too large")           \
	X(INTERNAL, 500, 1, "internal", "internal error")                                        \
	X(CORRUPT, 500, 1, "corrupt", "does not authenticate")                                   \
	X(SEALED, 503, 1, "sealed", "the store is sealed")                                       \
	X(UNHEALTHY, 503, 1, "unhealthy", "not well")                                            \
	X(AUDIT_UNAVAILABLE, 503, 1, "audit_unavailable", "the audit log cannot be written")     \
	X(STORE_UNAVAILABLE, 503, 1, "store_unavailable", "the store cannot be written")         \
	X(STORE_FULL, 503, 1, "store_full", "no space left for the store")                       \
	X(STORE_READ_ONLY, 503, 1, "store_read_only", "the store is read-only")                  \
	X(STORE_LOCKED, 503, 1, "store_locked", "in use by another process")                     \
	X(STORE_CORRUPT, 500, 1, "store_corrupt", "the database is damaged")                     \
	X(WRONG_KEY, 500, 1, "wrong_key", "the master key does not open this store")             \
	X(KEY_MODE, 500, 1, "key_mode", "others can read it; chmod 0400 it")                     \
	X(NOT_A_BACKUP, 500, 1, "not_a_backup", "not a Tacit backup")                            \
	X(NOT_A_STORE, 500, 1, "not_a_store", "not a Tacit store")                               \
	X(UNREACHABLE, 502, 69, "unreachable", "server unreachable")                             \
	X(TIMEOUT, 504, 69, "timeout", "timed out")                                              \
	X(RESOLVE, 502, 69, "resolve", "host name not found")                                    \
	X(TLS, 502, 69, "tls", "TLS handshake failed")                                           \
	X(TLS_CA, 502, 69, "tls_ca", "server certificate not signed by the CA of this identity") \
	X(TLS_HOST, 502, 69, "tls_host", "server certificate is for another host")               \
	X(TLS_SERVER_EXPIRED, 502, 69, "tls_server_expired",                                     \
	    "server certificate has expired or is not yet valid")                                \
	X(TLS_REFUSED, 401, 5, "tls_refused", "the server did not accept this certificate")      \
	X(CUT_OFF, 502, 69, "cut_off", "connection closed before the answer was complete")       \
	X(PROTOCOL, 502, 69, "protocol", "not a valid HTTP answer")                              \
	X(IDENTITY, 400, 1, "identity", "not a Tacit identity file")                             \
	X(IDENTITY_MODE, 400, 1, "identity_mode", "readable by others; chmod 0400 it")           \
	X(IDENTITY_EXPIRED, 401, 5, "identity_expired",                                          \
	    "the certificate has expired or is not yet valid")                                   \
	X(NO_IDENTITY, 400, 1, "no_identity", "no identity file found")                          \
	X(NO_SERVER, 400, 1, "no_server", "no server URL known")                                 \
	X(NOT_MEMORY, 500, 1, "not_memory", "not a tmpfs or ramfs")                              \
	X(NO_MEMORY_DIR, 500, 1, "no_memory_dir",                                                \
	    "no writable tmpfs found; add --tmpfs /run/secrets:uid=UID,mode=0700 or --dir")      \
	X(INSECURE_DIR, 500, 1, "insecure_dir", "other users can reach into it")                 \
	X(FILE_COLLISION, 409, 1, "file_collision", "two secrets have the same file name")       \
	X(NO_LOCK, 500, 1, "no_lock", "memory cannot be locked")                                 \
	X(TOKEN, 400, 1, "token", "not a join token")                                            \
	X(TOKEN_UNKNOWN, 403, 5, "token_unknown", "the join token is not known")                 \
	X(TOKEN_USED, 403, 5, "token_used", "the join token has been used up")                   \
	X(TOKEN_EXPIRED, 403, 5, "token_expired", "the join token has expired")                  \
	X(TOKEN_REVOKED, 403, 5, "token_revoked", "the join token has been revoked")             \
	X(TOKEN_SOURCE, 403, 5, "token_source",                                                  \
	    "the join token may not be used from this address")                                  \
	X(NO_ENROLMENT, 409, 1, "no_enrolment",                                                  \
	    "this server has no enrolment listener (serve --enroll-listen)")                     \
	X(TOO_MANY, 429, 1, "too_many_requests", "too many requests; try again in a moment")

enum tacit_err {
	TACIT_E_BASE = 4096, /* above every errno */
#define X(symbol, http, exit_code, code, text) TACIT_E_##symbol,
	TACIT_ERRORS(X)
#undef X
};

/* One English phrase for an error of either kind; never NULL, valid for ever. */
const char *err_text(int err);

/* The stable word for `err` in problem documents: "not_found"; "internal" for an errno. */
const char *err_code(int err);

/* The negative TACIT_E_* whose code is `code`; -TACIT_E_INTERNAL for an unknown one. */
int err_from_code(const char *code);

/* The HTTP status that a server answers for `err`: 500 for an errno. */
int err_http_status(int err);

/* The exit code of `tacit` for `err`: 1 for an errno. */
int err_exit_code(int err);

/*
 * A fault says which thing failed and why. It is passed down as `struct fault *`, which may be
 * NULL for a caller who only wants the code. `what` names a thing (a path, a URL, the name of a
 * secret), never the bytes of one.
 */
struct fault {
	int err;        /* negative, as returned */
	char what[512]; /* "/run/tacit/identity.pem" */
	char why[256];  /* "" means err_text(err) */
};

/* Records the fault and returns `err`, so that a failing call is one line. */
int fault_set(struct fault *fault, int err, const char *what_format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with a reason of its own, where the table's text is not precise enough. */
int fault_set_why(struct fault *fault, int err, const char *why, const char *what_format, ...)
    __attribute__((format(printf, 4, 5)));

/* Writes one line to stderr: `program: what: why`. Control characters become `?`. */
void fault_report(const char *program, const struct fault *fault);

#endif
