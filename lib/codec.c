/* SPDX-License-Identifier: MIT */
#include "tacit/codec.h"

#include <errno.h>
#include <string.h>

#include "tacit/err.h"

static void encode_raw(struct encoder *encoder, const void *bytes, size_t len)
{
	if (!encoder->failed && secret_append(encoder->out, bytes, len) < 0)
		encoder->failed = true;
}

static void encode_big_endian(struct encoder *encoder, uint64_t value, size_t width)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < width; i++)
		bytes[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
	encode_raw(encoder, bytes, width);
}

void encode_u8(struct encoder *encoder, uint8_t value)
{
	encode_big_endian(encoder, value, 1);
}

void encode_u32(struct encoder *encoder, uint32_t value)
{
	encode_big_endian(encoder, value, 4);
}

void encode_u64(struct encoder *encoder, uint64_t value)
{
	encode_big_endian(encoder, value, 8);
}

void encode_bytes(struct encoder *encoder, const void *bytes, size_t len)
{
	if (len > UINT32_MAX) {
		encoder->failed = true;
		return;
	}

	encode_u32(encoder, (uint32_t)len);
	encode_raw(encoder, bytes, len);
}

void encode_text(struct encoder *encoder, const char *text)
{
	encode_bytes(encoder, text, strlen(text));
}

int encode_end(const struct encoder *encoder)
{
	return encoder->failed ? -ENOMEM : 0;
}

static const uint8_t *decode_raw(struct decoder *decoder, size_t len)
{
	const uint8_t *at = decoder->at;

	if (decoder->failed || len > decoder->left) {
		decoder->failed = true;
		return NULL;
	}

	decoder->at += len;
	decoder->left -= len;
	return at;
}

static uint64_t decode_big_endian(struct decoder *decoder, size_t width)
{
	const uint8_t *bytes = decode_raw(decoder, width);
	uint64_t value = 0;

	for (size_t i = 0; bytes && i < width; i++)
		value = value << 8 | bytes[i];

	return value;
}

uint8_t decode_u8(struct decoder *decoder)
{
	return (uint8_t)decode_big_endian(decoder, 1);
}

uint32_t decode_u32(struct decoder *decoder)
{
	return (uint32_t)decode_big_endian(decoder, 4);
}

uint64_t decode_u64(struct decoder *decoder)
{
	return decode_big_endian(decoder, 8);
}

const uint8_t *decode_bytes(struct decoder *decoder, size_t *ret_len)
{
	size_t len = decode_u32(decoder);
	const uint8_t *bytes = decode_raw(decoder, len);

	*ret_len = bytes ? len : 0;
	return bytes;
}

void decode_text(struct decoder *decoder, char *ret_text, size_t size)
{
	size_t len;
	const uint8_t *bytes = decode_bytes(decoder, &len);

	ret_text[0] = '\0';
	if (!bytes || len >= size || memchr(bytes, '\0', len)) {
		decoder->failed = true;
		return;
	}

	memcpy(ret_text, bytes, len);
	ret_text[len] = '\0';
}

int decode_end(const struct decoder *decoder)
{
	return decoder->failed || decoder->left > 0 ? -TACIT_E_CORRUPT : 0;
}
