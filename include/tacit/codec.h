/* SPDX-License-Identifier: MIT */
#ifndef TACIT_CODEC_H
#define TACIT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tacit/secret.h"

/*
 * The binary form of sealed records and of associated data: big-endian integers, and byte strings
 * behind a 32-bit length. It is injective: two different sequences of calls never give the same
 * bytes, which is what associated data needs.
 *
 * Errors stick: after the first one every further call does nothing, and the verdict is asked
 * for once at the end.
 */
struct encoder {
	struct secret *out; /* borrowed */
	bool failed;
};

void encode_u8(struct encoder *encoder, uint8_t value);
void encode_u32(struct encoder *encoder, uint32_t value);
void encode_u64(struct encoder *encoder, uint64_t value);
void encode_bytes(struct encoder *encoder, const void *bytes, size_t len);
void encode_text(struct encoder *encoder, const char *text);
/* 0 or -ENOMEM. */
int encode_end(const struct encoder *encoder);

struct decoder {
	const uint8_t *at;
	size_t left;
	bool failed;
};

uint8_t decode_u8(struct decoder *decoder);
uint32_t decode_u32(struct decoder *decoder);
uint64_t decode_u64(struct decoder *decoder);
/* A view into the input; NULL and 0 after an error. */
const uint8_t *decode_bytes(struct decoder *decoder, size_t *ret_len);
/* Copies a text of at most `size` - 1 bytes without NUL into `ret_text`; else the decoder fails. */
void decode_text(struct decoder *decoder, char *ret_text, size_t size);
/* 0 when all was there and nothing is left over, else -TACIT_E_CORRUPT. */
int decode_end(const struct decoder *decoder);

#endif
