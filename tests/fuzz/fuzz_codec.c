/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "must.h"
#include "tacit/codec.h"

#define FIELDS_MAX 16
#define TEXT_SIZE  32

enum kind { KIND_U8, KIND_U32, KIND_U64, KIND_BYTES, KIND_TEXT, KINDS_COUNT };

/* Decodes one field and encodes it again. */
static void field_copy(struct decoder *decoder, struct encoder *encoder, enum kind kind)
{
	char text[TEXT_SIZE];
	const uint8_t *bytes;
	size_t len;

	switch (kind) {
	case KIND_U8:
		encode_u8(encoder, decode_u8(decoder));
		break;
	case KIND_U32:
		encode_u32(encoder, decode_u32(decoder));
		break;
	case KIND_U64:
		encode_u64(encoder, decode_u64(decoder));
		break;
	case KIND_BYTES:
		bytes = decode_bytes(decoder, &len);
		must(bytes || len == 0);
		encode_bytes(encoder, bytes, len);
		break;
	case KIND_TEXT:
	case KINDS_COUNT:
		decode_text(decoder, text, sizeof(text));
		must(strlen(text) < sizeof(text));
		encode_text(encoder, text);
		break;
	}
}

/*
 * The first byte says how many fields, the next ones their kinds, the rest is the record. What
 * decodes without an error must encode to the very same bytes: there is one form only.
 */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_secret struct secret *out = NULL;
	struct encoder encoder;
	struct decoder decoder;
	size_t count;

	if (len == 0 || secret_new(len, &out) < 0)
		return 0;

	count = bytes[0] % FIELDS_MAX;
	if (1 + count > len)
		return 0;

	encoder = (struct encoder){.out = out};
	decoder = (struct decoder){.at = bytes + 1 + count, .left = len - 1 - count};
	for (size_t i = 0; i < count; i++)
		field_copy(&decoder, &encoder, (enum kind)(bytes[1 + i] % KINDS_COUNT));

	if (decode_end(&decoder) == 0) {
		must(encode_end(&encoder) == 0);
		must(secret_equals(out, bytes + 1 + count, len - 1 - count));
	}
	return 0;
}
