/* SPDX-License-Identifier: MIT */
#include "identity_private.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Reading the text: PEM blocks and the one comment that counts. What they mean is identity.c's. */

/* One parse: where it stands in the text, and what was found so far. */
struct reader {
	size_t size;
	const char *at;
	const char *end;
	const char *why; /* what is wrong, for the fault */
	struct identity *identity;
};

struct line {
	const char *text;
	size_t len; /* without its line end */
};

/* False at the end. Both line ends are taken, since a file may have come through Windows. */
static bool read_line(struct reader *reader, struct line *ret_line)
{
	const char *text = reader->at;
	const char *newline;

	if (text == reader->end)
		return false;

	newline = memchr(text, '\n', (size_t)(reader->end - text));
	reader->at = newline ? newline + 1 : reader->end;
	ret_line->text = text;
	ret_line->len = (size_t)((newline ? newline : reader->end) - text);
	if (ret_line->len > 0 && text[ret_line->len - 1] == '\r')
		ret_line->len--;
	return true;
}

static bool line_starts(const struct line *line, const char *prefix)
{
	return line->len >= strlen(prefix) && !memcmp(line->text, prefix, strlen(prefix));
}

static bool line_is_blank(const struct line *line)
{
	for (size_t i = 0; i < line->len; i++)
		if (line->text[i] != ' ' && line->text[i] != '\t')
			return false;

	return true;
}

static int take_key(struct reader *reader, const uint8_t *der, size_t len)
{
	if (reader->identity->key)
		return identity_refuse(&reader->why, "holds more than one private key");

	reader->identity->key = identity_decode_key(der, len);
	if (!reader->identity->key)
		return identity_refuse(&reader->why, "the private key cannot be read");

	return 0;
}

/* The first certificate is the client's, the second the CA's. */
static int take_certificate(struct reader *reader, const uint8_t *der, size_t len)
{
	struct identity *identity = reader->identity;
	X509 **place = identity->certificate ? &identity->ca : &identity->certificate;
	const unsigned char *at = der;

	if (*place)
		return identity_refuse(&reader->why, "holds more than two certificates");

	*place = d2i_X509(NULL, &at, (long)len);
	if (!*place || at != der + len)
		return identity_refuse(&reader->why, "a certificate cannot be read");

	return 0;
}

static const struct block_kind {
	const char *label;
	int (*take)(struct reader *reader, const uint8_t *der, size_t len);
} block_kinds[] = {
    {"PRIVATE KEY", take_key},
    {"EC PRIVATE KEY", take_key},
    {"CERTIFICATE", take_certificate},
};

static const struct block_kind *block_kind(const struct line *begin)
{
	char expected[64];

	for (size_t i = 0; i < sizeof(block_kinds) / sizeof(block_kinds[0]); i++) {
		(void)snprintf(
		    expected, sizeof(expected), "-----BEGIN %s-----", block_kinds[i].label);
		if (begin->len == strlen(expected) && line_starts(begin, expected))
			return &block_kinds[i];
	}

	return NULL;
}

/* Collects the lines up to the matching END; a block that does not end was cut off. */
static int read_block(
    struct reader *reader, const struct block_kind *kind, struct secret **ret_base64)
{
	cleanup_secret struct secret *base64 = NULL;
	struct line line;
	char end[64];

	/* Room enough not to grow, and the same each time, so that one block of the arena serves.
	 */
	if (secret_new(reader->size, &base64) < 0)
		return -ENOMEM;

	(void)snprintf(end, sizeof(end), "-----END %s-----", kind->label);
	while (read_line(reader, &line)) {
		if (line.len == strlen(end) && line_starts(&line, end)) {
			*ret_base64 = secret_take(&base64);
			return 0;
		}
		if (secret_append(base64, line.text, line.len) < 0)
			return -ENOMEM;
	}

	return identity_refuse(&reader->why, "is cut off");
}

static int read_and_take_block(struct reader *reader, const struct line *begin)
{
	cleanup_secret struct secret *base64 = NULL;
	cleanup_secret struct secret *der = NULL;
	const struct block_kind *kind = block_kind(begin);
	int r;

	if (!kind)
		return identity_refuse(
		    &reader->why, "holds something else than a key and two certificates");
	r = read_block(reader, kind, &base64);
	if (r < 0)
		return r;

	r = secret_from_base64((const char *)secret_bytes(base64), secret_len(base64), &der);
	if (r == -TACIT_E_MALFORMED || (r == 0 && secret_len(der) == 0))
		return identity_refuse(&reader->why, "a block is not valid base64");
	if (r < 0)
		return r;

	return kind->take(reader, secret_bytes(der), secret_len(der));
}

/* `# tacit-server: URL[,URL]...`; any other comment is just that. */
static int take_comment(struct reader *reader, const struct line *line)
{
	struct identity *identity = reader->identity;
	const char *value = line->text + strlen(IDENTITY_COMMENT);
	size_t len = line->len - strlen(IDENTITY_COMMENT);
	struct url urls[URL_LIST_MAX];
	size_t count;

	if (!line_starts(line, IDENTITY_COMMENT))
		return 0;

	for (; len > 0 && isblank((unsigned char)*value); len--)
		value++;
	for (; len > 0 && isblank((unsigned char)value[len - 1]);)
		len--;
	if (identity->server[0])
		return identity_refuse(&reader->why, "holds more than one tacit-server line");
	if (len >= sizeof(identity->server) || strnlen(value, len) != len)
		return identity_refuse(&reader->why, "its tacit-server line is not a URL");

	memcpy(identity->server, value, len);
	identity->server[len] = '\0';
	if (url_parse_list(identity->server, urls, &count) < 0)
		return identity_refuse(&reader->why, "its tacit-server line is not a URL");

	return 0;
}

int identity_read(const struct secret *pem, struct identity *identity, const char **ret_why)
{
	const char *text = (const char *)secret_bytes(pem);
	size_t size = secret_len(pem);
	struct reader reader = {.size = size, .at = text, .end = text + size, .identity = identity};
	struct line line;
	int r = size == 0 ? identity_refuse(&reader.why, "is empty") : 0;

	while (r == 0 && read_line(&reader, &line)) {
		if (line_is_blank(&line))
			continue;
		if (line.text[0] == '#')
			r = take_comment(&reader, &line);
		else
			r = read_and_take_block(&reader, &line);
	}

	*ret_why = reader.why;
	return r;
}
