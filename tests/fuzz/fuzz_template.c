/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "must.h"
#include "tacit/proto.h"
#include "template.h"

#define VALUE "-VALUE-"

static void bundle_fill(struct bundle *bundle)
{
	static const char *const names[] = {"a", "web/db_password"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct secret *value;

		must(secret_new_from(VALUE, strlen(VALUE), &value) == 0);
		must(bundle_add(bundle, names[i], value) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_bundle struct bundle bundle = {0};
	cleanup_secret struct secret *content = NULL;
	struct template_spot spot = {0};
	int r;

	bundle_fill(&bundle);
	r = template_render(bytes, len, &bundle, &content, &spot);
	if (r < 0) {
		must(r == -TACIT_E_NOT_FOUND || r == -TACIT_E_MALFORMED || r == -TACIT_E_TOO_LARGE);
		must(!content && spot.line > 0);
		must((r == -TACIT_E_NOT_FOUND) == (spot.name[0] != '\0'));
		must(r != -TACIT_E_NOT_FOUND || !bundle_find(&bundle, spot.name));
		return 0;
	}

	/* Without a reference the text comes out as it went in. */
	must(secret_len(content) <= PROTO_VALUE_MAX_BYTES);
	if (len > 0 && !memmem(bytes, len, "${secret:", strlen("${secret:")))
		must(secret_equals(content, bytes, len));
	return 0;
}
