/* SPDX-License-Identifier: MIT */
#include "sealed_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "tacit/fd.h"
#include "x509.h"

#define FILE_MAX_BYTES 16384

static const char certificate_begins[] = "-----BEGIN CERTIFICATE-----";

int sealed_file_write(int dirfd, const struct authority *authority, struct fault *fault)
{
	cleanup_secret struct secret *text = NULL;
	int r = authority_new_sealed(authority, &text);

	if (r == 0)
		r = fd_replace_file(dirfd, SEALED_FILE, 0400, secret_bytes(text), secret_len(text));

	return r < 0 ? fault_set(fault, r, SEALED_FILE) : 0;
}

/* O_NONBLOCK: whatever lies there, a start waits for nothing. */
static int text_read(int dirfd, struct secret **ret_text)
{
	cleanup_fd int fd =
	    openat(dirfd, SEALED_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int r = fd < 0 ? -errno : secret_read(fd, FILE_MAX_BYTES, ret_text);

	return r < 0 ? r : secret_append(*ret_text, "", 1);
}

static int text_split(struct sealed_file *file)
{
	const char *text = (const char *)secret_bytes(file->text);

	file->key = text;
	file->chain = strstr(text, certificate_begins);
	file->ca = file->chain ? strstr(file->chain + 1, certificate_begins) : NULL;
	return file->ca ? 0 : -TACIT_E_CORRUPT;
}

static int certificate_check(const struct sealed_file *file)
{
	cleanup_x509 gnutls_x509_crt_t certificate = NULL;
	int r = x509_parse(file->chain, &certificate);

	if (r == 0 && gnutls_x509_crt_get_expiration_time(certificate) <= time(NULL))
		r = -TACIT_E_TLS_SERVER_EXPIRED;

	return r;
}

int sealed_file_read(int dirfd, struct sealed_file *ret_file, struct fault *fault)
{
	struct sealed_file file = {.text = NULL};
	int r = text_read(dirfd, &file.text);

	if (r == 0)
		r = text_split(&file);
	if (r == 0)
		r = certificate_check(&file);
	if (r < 0) {
		sealed_file_free(&file);
		return fault_set(fault, r, SEALED_FILE);
	}

	*ret_file = file;
	return 0;
}

void sealed_file_free(struct sealed_file *file)
{
	secret_free(file->text);
	*file = (struct sealed_file){.text = NULL};
}
