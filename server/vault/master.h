/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_MASTER_H
#define TACIT_SERVER_MASTER_H

#include "seal.h"
#include "tacit/err.h"
#include "tacit/secret.h"

/*
 * Where the master key comes from. At most one is set; none means where `init` made it, the
 * systemd credential `tacit-master-key`, or the terminal.
 *
 * A file that others may read is refused, since then the key is theirs too. Files in systemd's
 * credential directory are the exception: what looks like a group's bits there is the mask of an
 * access control list for our own user. A descriptor's origin is the caller's affair.
 */
struct key_source {
	const char *key_file;        /* 32 bytes */
	const char *passphrase_file; /* a trailing newline does not count */
	const char *key_fd;          /* "3": an open descriptor, read to its end */
	const char *passphrase_fd;
};

#define MASTER_KEY_FILE      "master.key"
#define MASTER_KEY_NEXT_FILE "master.key.new" /* only while a rekey is under way */

/*
 * What opens a seal: the key, exactly 32 bytes, or the passphrase, without its newline.
 * -TACIT_E_WRONG_KEY for what can be neither, -TACIT_E_KEY_MODE, -errno.
 */
int master_find(int dirfd, const struct key_source *source, const struct seal *seal,
    struct secret **ret_material, struct fault *fault);

/* Whether that is DIR/master.key, and nothing else was asked for. */
bool master_is_in_dir(const struct key_source *source, const struct seal *seal);

/* Whether it is the systemd credential, since nothing else was asked for. */
bool master_is_credential(const struct key_source *source);

/* Reads a key file as master_find() does; `dirfd` is where a relative path starts. */
int master_read_file(
    int dirfd, const char *path, struct secret **ret_material, struct fault *fault);

/* Makes a key file, mode 0400. -EEXIST, -errno. */
int master_make_file(
    int dirfd, const char *path, struct secret **ret_material, struct fault *fault);

/* Asks on the terminal, twice, for a passphrase that is to be a new one. -TACIT_E_WRONG_KEY. */
int master_ask_new(struct secret **ret_material, struct fault *fault);

/*
 * The same for a seal that is still to be made, whose `by_passphrase` and `key_file` it sets. A key
 * file that does not exist yet is made, DIR/master.key without a source.
 */
int master_make(int dirfd, const struct key_source *source, struct seal *seal,
    struct secret **ret_material, struct fault *fault);

/* The key itself, by Argon2id from a passphrase. -TACIT_E_WRONG_KEY, -ENOMEM. */
int master_derive(const struct seal *seal, const struct secret *material,
    uint8_t ret_master[static ENVELOPE_KEY_BYTES]);

#endif
