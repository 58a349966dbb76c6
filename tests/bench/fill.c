/* SPDX-License-Identifier: MIT */
/*
 * Fills a store that no server has open, through the server's own modules:
 *
 *	fill DIR COUNT BYTES
 *
 * makes the secrets app-NNNN/secret-NNNNNNN, each of BYTES random bytes, and prints the name of
 * the one in the middle.
 */
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "home.h"

static int fill(struct secrets *secrets, uint32_t count, size_t bytes)
{
	const struct secret_metadata metadata = {0};
	const struct secret_entry *entry;
	char name[64];
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < count; i++) {
		cleanup_secret struct secret *value = NULL;

		r = secret_new(bytes, &value);
		if (r < 0)
			break;
		randombytes_buf(secret_space(value, bytes), bytes);
		secret_grew(value, bytes);
		(void)snprintf(name, sizeof(name), "app-%04u/secret-%07u", i / 1000, i);
		r = secrets_put(secrets, name, value, &metadata, &entry);
	}

	return r;
}

int main(int argc, char *argv[])
{
	struct config config = {0};
	struct audit_state audit;
	struct fault fault = {0};
	struct home home;
	uint32_t count;
	int r;

	if (argc != 4 || sodium_init() < 0) {
		(void)fprintf(stderr, "usage: fill DIR COUNT BYTES\n");
		return 2;
	}

	(void)snprintf(config.dir, sizeof(config.dir), "%s", argv[1]);
	count = (uint32_t)strtoul(argv[2], NULL, 10);
	r = home_open(&config, HOME_SERVE, &home, &audit, &fault);
	if (r < 0) {
		fault_report("fill", &fault);
		return 1;
	}

	r = fill(home.server.secrets, count, strtoul(argv[3], NULL, 10));
	home_close(&home);
	if (r == 0)
		printf("app-%04u/secret-%07u\n", count / 2 / 1000, count / 2);
	return r == 0 ? 0 : 1;
}
