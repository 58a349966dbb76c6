/* SPDX-License-Identifier: MIT */
#include "audit_line.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAC_BYTES      ((size_t)AUDIT_MAC_BYTES)
#define MAC_TEXT_BYTES (2 * MAC_BYTES)

static const char sequence_member[] = "{\"seq\":";
static const char previous_member[] = ",\"previous\":\"";
static const char mac_member[] = ",\"mac\":\"";

#define LEN(literal)        (sizeof(literal) - 1)
#define MAC_TAIL_BYTES      (LEN(mac_member) + MAC_TEXT_BYTES + LEN("\"}"))
#define PREVIOUS_TAIL_BYTES (LEN(previous_member) + MAC_TEXT_BYTES + LEN("\""))

void audit_text_free(struct audit_text *text)
{
	free(text->bytes);
	*text = (struct audit_text){0};
}

/* One line, in room that was made for the longest one. */
struct line {
	char *text;
	size_t len;
	bool overflow;
};

static int line_begin(struct audit_text *text, struct line *ret_line)
{
	size_t wanted = text->len + AUDIT_LINE_MAX_BYTES;
	char *bytes;

	if (wanted > text->size) {
		bytes = realloc(text->bytes, 2 * wanted);
		if (!bytes)
			return -ENOMEM;
		text->bytes = bytes;
		text->size = 2 * wanted;
	}

	*ret_line = (struct line){.text = text->bytes + text->len};
	return 0;
}

static void line_add_bytes(struct line *line, const char *bytes, size_t len)
{
	if (len >= AUDIT_LINE_MAX_BYTES - line->len) {
		line->overflow = true;
		return;
	}

	memcpy(line->text + line->len, bytes, len);
	line->len += len;
}

/* Without printf: three of them were a tenth of what a read costs. */
static void line_add_literal(struct line *line, const char *literal)
{
	line_add_bytes(line, literal, strlen(literal));
}

static void line_add_number(struct line *line, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	line_add_bytes(line, digits + at, sizeof(digits) - at);
}

/*
 * Names and patterns need no escaping, by their grammar; but what a peer merely claims may end up
 * here too, so anything else is replaced.
 */
static void line_add_text(struct line *line, const char *key, const char *text)
{
	line_add_literal(line, ",\"");
	line_add_literal(line, key);
	line_add_literal(line, "\":\"");
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

		line_add_bytes(line, plain ? text : "?", 1);
	}
	line_add_bytes(line, "\"", 1);
}

static void line_add_time(struct line *line)
{
	char text[AUDIT_TIME_BYTES];
	struct timespec now;
	struct tm utc;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &utc);
	audit_time_print(&utc, now.tv_nsec / 1000000, text);
	line_add_text(line, "time", text);
}

static void line_add_secrets(struct line *line, const struct audit_event *event)
{
	line_add_literal(line, ",\"secrets\":[");
	for (size_t i = 0; i < event->secrets_count; i++) {
		line_add_literal(line, i ? ",{\"name\":\"" : "{\"name\":\"");
		line_add_literal(line, event->secrets[i].name);
		line_add_literal(line, "\"");
		if (event->secrets[i].version) {
			line_add_literal(line, ",\"version\":");
			line_add_number(line, event->secrets[i].version);
		}
		line_add_literal(line, "}");
	}
	line_add_literal(line, "]");
}

static void line_add_mac(struct line *line, const char *member, const uint8_t mac[static MAC_BYTES])
{
	char text[MAC_TEXT_BYTES + 1];

	(void)sodium_bin2hex(text, sizeof(text), mac, MAC_BYTES);
	line_add_literal(line, member);
	line_add_bytes(line, text, MAC_TEXT_BYTES);
	line_add_bytes(line, "\"", 1);
}

static void line_add_event(struct line *line, uint64_t sequence, const struct audit_event *event)
{
	const struct {
		const char *key;
		const char *text;
	} texts[] = {
	    {"event", event->event},
	    {"client", event->client},
	    {"peer", event->peer},
	    {"request", event->request},
	    {"subject", event->subject},
	};

	line_add_literal(line, sequence_member);
	line_add_number(line, sequence);
	line_add_time(line);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].text)
			line_add_text(line, texts[i].key, texts[i].text);
	if (event->status > 0) {
		line_add_literal(line, ",\"status\":");
		line_add_number(line, (uint64_t)event->status);
	}
	if (event->secrets_count > 0)
		line_add_secrets(line, event);
}

static void chain_mac(const struct keys *keys, const uint8_t previous[static MAC_BYTES],
    const char *text, size_t len, uint8_t ret_mac[static MAC_BYTES])
{
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, keys->audit, ENVELOPE_KEY_BYTES, MAC_BYTES);
	(void)crypto_generichash_update(&state, previous, MAC_BYTES);
	(void)crypto_generichash_update(&state, (const uint8_t *)text, len);
	(void)crypto_generichash_final(&state, ret_mac, MAC_BYTES);
}

static int line_add_one(struct audit_text *text, const struct keys *keys,
    const struct audit_event *event, bool heads_file, struct audit_mark *chain)
{
	struct audit_mark own = {.sequence = chain->sequence + 1};
	struct line line;
	int r = line_begin(text, &line);

	if (r < 0)
		return r;

	line_add_event(&line, own.sequence, event);
	if (heads_file && chain->sequence > 0)
		line_add_mac(&line, previous_member, chain->mac);
	chain_mac(keys, chain->mac, line.text, line.len, own.mac);
	line_add_mac(&line, mac_member, own.mac);
	line_add_bytes(&line, "}\n", 2);
	if (line.overflow)
		return -TACIT_E_TOO_LARGE;

	text->len += line.len;
	*chain = own;
	return 0;
}

int audit_line_add(struct audit_text *text, const struct keys *keys,
    const struct audit_event *event, bool heads_file, struct audit_mark *chain)
{
	struct audit_event part = *event;
	const struct audit_mark chain_before = *chain;
	size_t done = 0, len_before = text->len;
	int r;

	do {
		size_t left = event->secrets_count - done;

		part.secrets = event->secrets ? event->secrets + done : NULL;
		part.secrets_count = left < AUDIT_SECRETS_MAX ? left : AUDIT_SECRETS_MAX;
		r = line_add_one(text, keys, &part, heads_file && done == 0, chain);
		done += part.secrets_count;
	} while (r == 0 && done < event->secrets_count);

	if (r < 0) {
		text->len = len_before;
		*chain = chain_before;
	}
	return r;
}

uint64_t audit_line_sequence(const char *text, size_t len)
{
	size_t at = LEN(sequence_member);
	uint64_t sequence = 0;

	if (len <= at || memcmp(text, sequence_member, at) != 0)
		return 0;
	for (; at < len && text[at] >= '0' && text[at] <= '9'; at++) {
		if (sequence > UINT64_MAX / 10 - 1)
			return 0;
		sequence = sequence * 10 + (uint64_t)(text[at] - '0');
	}

	return at < len && text[at] == ',' ? sequence : 0;
}

const char *audit_line_time(const char *text, size_t len)
{
	static const char member[] = ",\"time\":\"";
	size_t at = LEN(sequence_member);

	if (audit_line_sequence(text, len) == 0)
		return NULL;
	while (text[at] != ',')
		at++;

	return len - at > LEN(member) + AUDIT_TIME_BYTES - 1 &&
	               memcmp(text + at, member, LEN(member)) == 0
	           ? text + at + LEN(member)
	           : NULL;
}

/* A mac behind `member` at the very start of `text`, and a closing quote. */
static bool mac_read(const char *text, const char *member, uint8_t ret_mac[static MAC_BYTES])
{
	size_t member_len = strlen(member), len;

	return memcmp(text, member, member_len) == 0 && text[member_len + MAC_TEXT_BYTES] == '"' &&
	       sodium_hex2bin(
	           ret_mac, MAC_BYTES, text + member_len, MAC_TEXT_BYTES, NULL, &len, NULL) == 0 &&
	       len == MAC_BYTES;
}

/* What of a line its mac covers, and what it says of the chain. */
struct reading {
	uint64_t sequence;
	size_t covered_len;
	bool has_previous;
	bool is_restart;
	uint8_t previous[MAC_BYTES];
	uint8_t mac[MAC_BYTES];
};

static int line_read(const char *text, size_t len, struct reading *ret_reading)
{
	static const char restarted[] = ",\"event\":\"audit.restarted\",";
	struct reading reading = {.sequence = audit_line_sequence(text, len)};

	if (reading.sequence == 0 || len <= MAC_TAIL_BYTES || text[len - 1] != '}' ||
	    !mac_read(text + len - MAC_TAIL_BYTES, mac_member, reading.mac))
		return -TACIT_E_CORRUPT;

	reading.covered_len = len - MAC_TAIL_BYTES;
	reading.has_previous = reading.covered_len > PREVIOUS_TAIL_BYTES &&
	                       mac_read(text + reading.covered_len - PREVIOUS_TAIL_BYTES,
	                           previous_member, reading.previous);
	reading.is_restart = memmem(text, len, restarted, LEN(restarted)) != NULL;
	*ret_reading = reading;
	return 0;
}

int audit_line_chain(const char *text, size_t len, struct audit_mark *ret_chain)
{
	struct reading reading;

	if (line_read(text, len, &reading) < 0)
		return -TACIT_E_CORRUPT;

	ret_chain->sequence = reading.sequence;
	memcpy(ret_chain->mac, reading.mac, MAC_BYTES);
	return 0;
}

/*
 * Which mac the line is to be chained to, or NULL where it cannot follow. At the head of a file
 * it says so itself: when nothing is known of the file before, or when that has lost its end.
 */
static const uint8_t *reading_previous(
    const struct reading *reading, const struct audit_place *place)
{
	const struct audit_mark *chain = &place->chain;
	bool is_next = reading->sequence == chain->sequence + 1;
	bool is_later = reading->sequence > chain->sequence;

	if (place->heads_file && reading->has_previous &&
	    (chain->sequence == 0 || (reading->is_restart && is_later)))
		return reading->previous;

	return is_next || (reading->is_restart && is_later && chain->sequence > 0) ? chain->mac
	                                                                           : NULL;
}

int audit_line_verify(
    const struct keys *keys, const char *text, size_t len, struct audit_place *place, bool *ret_gap)
{
	struct reading reading;
	const uint8_t *previous;
	uint8_t computed[MAC_BYTES];

	if (line_read(text, len, &reading) < 0)
		return -TACIT_E_CORRUPT;
	previous = reading_previous(&reading, place);
	if (!previous)
		return -TACIT_E_CORRUPT;

	chain_mac(keys, previous, text, reading.covered_len, computed);
	if (sodium_memcmp(reading.mac, computed, MAC_BYTES) != 0)
		return -TACIT_E_CORRUPT;

	place->chain.sequence = reading.sequence;
	memcpy(place->chain.mac, reading.mac, MAC_BYTES);
	place->heads_file = false;
	*ret_gap = reading.is_restart;
	return 0;
}
