/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tacit/identity.h"
#include "tacit/name.h"
#include "test_pki.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t max_len, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t len, size_t max_len);

static void check_identity(const struct identity *identity)
{
	struct url urls[URL_LIST_MAX];
	const char *server = identity_server(identity);
	size_t count;

	if (!name_is_client(identity_client(identity)) ||
	    (*server && url_parse_list(server, urls, &count) < 0) ||
	    identity_not_before(identity) > identity_not_after(identity))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_identity struct identity *identity = NULL;
	cleanup_secret struct secret *pem = NULL;
	struct fault fault = {0};

	if (secret_new_from(bytes, len, &pem) < 0)
		return 0;

	if (identity_parse(pem, "fuzz", &identity, &fault) == 0)
		check_identity(identity);
	else if (identity || fault.err >= 0 || strcmp(fault.what, "fuzz") != 0)
		abort();
	return 0;
}

/* A good identity, made anew for each run: its certificates would expire in a stored corpus. */
static const struct secret *seed_identity(void)
{
	static struct secret *pem;

	if (!pem) {
		struct pki_pair ca = pki_ca("CA");
		struct pki_pair client = pki_client(&ca, "web");

		pem = pki_identity("https://127.0.0.1:8443", &client, &ca);
		pki_free(&ca);
		pki_free(&client);
	}
	return pem;
}

/* Starts from the good identity now and then; libFuzzer would never find one. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t max_len, unsigned seed)
{
	const struct secret *pem = seed_identity();

	if (seed % 4 == 0 && secret_len(pem) <= max_len) {
		len = secret_len(pem);
		memcpy(bytes, secret_bytes(pem), len);
		if (seed % 64 == 0)
			return len;
	}

	return LLVMFuzzerMutate(bytes, len, max_len);
}
