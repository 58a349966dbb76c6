/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tacit/http_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static bool contains(const uint8_t *bytes, size_t len, const char *text)
{
	return memmem(bytes, len, text, strlen(text)) != NULL;
}

/* What was accepted must keep what the header promises, told by other means than the parser's. */
static void check_head(const uint8_t *bytes, size_t len, const struct http_head *head)
{
	must(len >= 4 && !memcmp(bytes, "HTTP/1.1 ", 9));
	must(!memcmp(bytes + len - 4, "\r\n\r\n", 4));
	must(memmem(bytes, len, "\r\n\r\n", 4) == bytes + len - 4);
	must(!memchr(bytes, '\0', len));
	must(!contains(bytes, len, "\nTransfer-Encoding:"));
	must(!contains(bytes, len, "\r\n "));
	for (size_t i = 0; i < len; i++)
		must(bytes[i] != '\n' || bytes[i - 1] == '\r');

	must(head->status >= 100 && head->status <= 599);
	must(head->has_content_length || head->content_length == 0);
	must(head->retry_after_s >= -1);
	must(strlen(head->etag) < sizeof(head->etag));
	must(strlen(head->content_type) < sizeof(head->content_type));
	for (const char *c = head->etag; *c; c++)
		must((unsigned char)*c > ' ');
	for (const char *c = head->content_type; *c; c++)
		must(!isupper((unsigned char)*c));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct http_head head;

	/* A copy of exactly this length, so that the sanitizer sees every read behind it. */
	char *text = calloc(len ? len : 1, 1);

	if (!text)
		return 0;
	if (len > 0)
		memcpy(text, bytes, len);
	if (http_head_parse(text, len, &head) == 0)
		check_head((const uint8_t *)text, len, &head);
	free(text);
	return 0;
}
