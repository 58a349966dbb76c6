/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "must.h"
#include "tacit/err.h"
#include "tacit/join_token.h"
#include "tacit/url.h"

/* A token has exactly one text: what was accepted is what would be written. */
static void check_token(const struct join_token *token, const uint8_t *bytes, size_t len)
{
	cleanup_secret struct secret *text = NULL;
	struct url url;

	must(secret_len(token->secret) == JOIN_TOKEN_SECRET_BYTES);
	must(url_parse(token->url, &url) == 0);
	must(len <= JOIN_TOKEN_TEXT_MAX_BYTES);
	must(join_token_format(token, &text) == 0);
	must(secret_equals(text, bytes, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_join_token struct join_token token = {0};
	int r = join_token_parse(bytes, len, &token);

	must(r == 0 || r == -TACIT_E_TOKEN);
	if (r == 0)
		check_token(&token, bytes, len);
	else
		must(!token.secret && token.url[0] == '\0');

	return 0;
}
