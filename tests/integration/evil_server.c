/* SPDX-License-Identifier: MIT */
/*
 * evil_server MODE IDENTITY-FILE: starts a misbehaving server, writes an identity for it and prints
 * its URL in one line. Ends by a signal. Without arguments: the modes.
 */
#include "evil.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "tacit/fd.h"

int main(int argc, char *argv[])
{
	struct evil evil;
	int r;

	if (argc != 3) {
		evil_print_modes();
		return argc == 1 ? 0 : 2;
	}

	evil_start(argv[1], &evil);
	(void)unlink(argv[2]);
	r = fd_create_file(AT_FDCWD, argv[2], 0400, secret_bytes(evil.identity_pem),
	    secret_len(evil.identity_pem));
	if (r < 0) {
		(void)fprintf(stderr, "evil_server: %s: %s\n", argv[2], err_text(r));
		evil_stop(&evil);
		return 1;
	}

	(void)printf("%s\n", evil.url);
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}
