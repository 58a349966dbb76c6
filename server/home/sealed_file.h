/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_SEALED_FILE_H
#define TACIT_SERVER_SEALED_FILE_H

#include "authority.h"
#include "tacit/err.h"
#include "tacit/secret.h"

/*
 * What a sealed server has to show in a TLS handshake, outside of the store: a key and a
 * certificate that are good for nothing but to say so (proto.h), and the CA's certificate. Whoever
 * takes the file can say that a server is sealed, and can be no server.
 */
#define SEALED_FILE "sealed.pem"

/* Makes it anew, in the place of the one that is there. -errno, -ENOMEM, -TACIT_E_INTERNAL. */
int sealed_file_write(int dirfd, const struct authority *authority, struct fault *fault);

/* PEM texts, which end with a NUL, all in one. */
struct sealed_file {
	struct secret *text; /* owned: the key, and behind it the chain */
	const char *key;
	const char *chain; /* the certificate and the CA's */
	const char *ca;
};

/*
 * Reads it. -ENOENT when there was none made yet, -TACIT_E_CORRUPT when something else lies there,
 * -TACIT_E_TLS_SERVER_EXPIRED when nobody would believe it any more; -errno, -ENOMEM.
 */
int sealed_file_read(int dirfd, struct sealed_file *ret_file, struct fault *fault);
void sealed_file_free(struct sealed_file *file);

#endif
