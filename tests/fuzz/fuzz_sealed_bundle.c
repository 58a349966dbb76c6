/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "must.h"
#include "tacit/err.h"
#include "tacit/sealed_bundle.h"

static bool is_inside(const void *part, size_t part_len, const uint8_t *bytes, size_t len)
{
	const uint8_t *at = part;

	return at >= bytes && part_len <= len && at + part_len <= bytes + len;
}

/* The parser of a cache file: what it gives points into the input and keeps its promises. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const uint8_t seed[SEALED_BUNDLE_KEY_BYTES] = {7};
	cleanup_secret struct secret *text = NULL;
	cleanup_secret struct secret *body = NULL;
	cleanup_secret struct secret *again = NULL;
	struct sealed_bundle sealed;

	if (sealed_bundle_read(bytes, len, &sealed) < 0)
		return 0;

	must(name_is_client(sealed.client) && sealed.issued_s >= 0);
	must(is_inside(sealed.body, sealed.body_len, bytes, len));
	must(is_inside(sealed.certificate, sealed.certificate_len, sealed.body, sealed.body_len));
	must(is_inside(sealed.box, sealed.box_len, sealed.body, sealed.body_len));
	must(is_inside(sealed.signature, sealed.signature_len, bytes, len));
	must(sealed_bundle_open(&sealed, seed, &text) == -TACIT_E_CORRUPT || text);

	/* There is one way only to write it. */
	must(secret_new_from(sealed.body, sealed.body_len, &body) == 0);
	must(sealed_bundle_write(body, sealed.signature, sealed.signature_len, &again) == 0);
	must(secret_equals(again, bytes, len));
	return 0;
}
