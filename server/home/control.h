/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_CONTROL_H
#define TACIT_SERVER_CONTROL_H

#include <stdint.h>

#include "tacit/err.h"
#include "tacit/secret.h"

/*
 * The socket by which other commands talk to the server of a directory: DIR/control.sock, mode 0600
 * in a directory 0700, and only the server's own user and root are listened to (SO_PEERCRED).
 *
 * A message is a 32-bit length and as many bytes, in the form of codec.h. A request is a word and
 * what belongs to it; see control_server.c. The answer is a number of messages of which the last
 * one is a verdict.
 */
#define CONTROL_SOCKET            "control.sock"
#define CONTROL_MESSAGE_MAX_BYTES (1024 * 1024)
#define CONTROL_PATIENCE_MS       10000

enum control_kind {
	CONTROL_VERDICT = 'V',  /* u32 error, text what, text why; 0 is success */
	CONTROL_PROGRESS = 'P', /* u64 done, u64 of how many; 0: not known */
	CONTROL_DATA = 'D',     /* bytes */
};

/* Takes the place of a socket that a crash has left. The caller holds the directory's lock. */
int control_listen(int dirfd, struct fault *fault);

/* -ECONNREFUSED when no server runs there. */
int control_connect(int dirfd, struct fault *fault);

/* -errno; -TACIT_E_CUT_OFF, -TACIT_E_TOO_LARGE, -TACIT_E_TIMEOUT. */
int control_send(int fd, const struct secret *message);
int control_receive(int fd, struct secret **ret_message);

/* The parts of an answer. */
int control_send_verdict(int fd, const struct fault *fault);
int control_send_progress(int fd, uint64_t done, uint64_t total);
int control_send_data(int fd, const void *bytes, size_t len);

/* What the asking side does with the parts that come before the verdict; a NULL ignores them. */
struct control_sink {
	int (*data)(void *context, const uint8_t *bytes, size_t len);
	void (*progress)(void *context, uint64_t done, uint64_t total);
	void *context;
};

/* Reads the whole answer. The server's verdict, or what went wrong on the way or in `data`. */
int control_await(int fd, const struct control_sink *sink, struct fault *fault);

#endif
