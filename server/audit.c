/* SPDX-License-Identifier: MIT */
#include "audit.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tacit/fd.h"
#include "tacit/name.h"

#define MAC_BYTES      32
#define LINE_MAX_BYTES 8192

static const char mac_member[] = ",\"mac\":\"";
#define TAIL_BYTES (sizeof(mac_member) - 1 + 2 * MAC_BYTES + 3) /* ,"mac":"HEX"}\n */

struct audit {
	const struct keys *keys; /* borrowed */
	int fd;
	uint64_t sequence; /* of the line written last */
	off_t size;        /* what the file has to end at */
	uint8_t mac[MAC_BYTES];
};

struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
	bool overflow;
};

static void line_add(struct line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void line_add(struct line *line, const char *format, ...)
{
	va_list args;
	int added;

	va_start(args, format);
	added = vsnprintf(line->text + line->len, LINE_MAX_BYTES - line->len, format, args);
	va_end(args);
	if (added < 0 || (size_t)added >= LINE_MAX_BYTES - line->len)
		line->overflow = true;
	else
		line->len += (size_t)added;
}

static void line_add_bytes(struct line *line, const char *bytes, size_t len)
{
	if (len >= LINE_MAX_BYTES - line->len) {
		line->overflow = true;
		return;
	}

	memcpy(line->text + line->len, bytes, len);
	line->len += len;
}

/*
 * Names and patterns need no escaping, by their grammar; but what a peer merely claims may end up
 * here too, so anything else is replaced.
 */
static void line_add_text(struct line *line, const char *key, const char *text)
{
	line_add_bytes(line, ",\"", 2);
	line_add_bytes(line, key, strlen(key));
	line_add_bytes(line, "\":\"", 3);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';

		line_add_bytes(line, plain ? text : "?", 1);
	}
	line_add_bytes(line, "\"", 1);
}

static void line_add_time(struct line *line)
{
	struct timespec now;
	struct tm utc;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &utc);
	line_add(line, ",\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ\"", utc.tm_year + 1900,
	    utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
	    now.tv_nsec / 1000000);
}

static void line_add_secrets(struct line *line, const struct audit_event *event)
{
	line_add(line, ",\"secrets\":[");
	for (size_t i = 0; i < event->secrets_count; i++) {
		line_add(line, "%s{\"name\":\"%s\"", i ? "," : "", event->secrets[i].name);
		if (event->secrets[i].version)
			line_add(line, ",\"version\":%u", event->secrets[i].version);
		line_add(line, "}");
	}
	line_add(line, "]");
}

static void line_format(struct line *line, uint64_t sequence, const struct audit_event *event)
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

	line_add(line, "{\"seq\":%llu", (unsigned long long)sequence);
	line_add_time(line);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].text)
			line_add_text(line, texts[i].key, texts[i].text);
	if (event->status)
		line_add(line, ",\"status\":%d", event->status);
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

/* A line that did not go out whole is taken back, so that the chain stays sound. */
static int line_write(struct audit *audit, const struct line *line)
{
	if (fd_write_all(audit->fd, line->text, line->len) < 0) {
		(void)!ftruncate(audit->fd, audit->size);
		return -TACIT_E_AUDIT_UNAVAILABLE;
	}

	audit->size += (off_t)line->len;
	return 0;
}

int audit_write(struct audit *audit, const struct audit_event *event)
{
	struct line line;
	uint8_t mac[MAC_BYTES];
	char mac_text[2 * MAC_BYTES + 1];

	line.len = 0;
	line.overflow = false;
	line_format(&line, audit->sequence + 1, event);
	if (line.overflow)
		return -TACIT_E_AUDIT_UNAVAILABLE;

	chain_mac(audit->keys, audit->mac, line.text, line.len, mac);
	(void)sodium_bin2hex(mac_text, sizeof(mac_text), mac, sizeof(mac));
	line_add(&line, "%s%s\"}\n", mac_member, mac_text);
	if (line.overflow || line_write(audit, &line) < 0)
		return -TACIT_E_AUDIT_UNAVAILABLE;

	audit->sequence++;
	memcpy(audit->mac, mac, MAC_BYTES);
	return 0;
}

/* Splits a line, without its newline, into what is under the mac and the mac. */
static int line_split(
    const char *text, size_t len, size_t *ret_covered_len, uint8_t ret_mac[static MAC_BYTES])
{
	size_t tail = TAIL_BYTES - 1;
	const char *member = text + len - tail;
	size_t mac_len;

	if (len <= tail || memcmp(member, mac_member, sizeof(mac_member) - 1) != 0 ||
	    memcmp(text + len - 2, "\"}", 2) != 0 ||
	    sodium_hex2bin(ret_mac, MAC_BYTES, member + sizeof(mac_member) - 1, 2 * MAC_BYTES, NULL,
	        &mac_len, NULL) != 0 ||
	    mac_len != MAC_BYTES)
		return -TACIT_E_CORRUPT;

	*ret_covered_len = len - tail;
	return 0;
}

static int line_sequence(const char *text, uint64_t *ret_sequence)
{
	static const char start[] = "{\"seq\":";
	char *end;

	if (strncmp(text, start, sizeof(start) - 1) != 0)
		return -TACIT_E_CORRUPT;

	*ret_sequence = strtoull(text + sizeof(start) - 1, &end, 10);
	return *end == ',' ? 0 : -TACIT_E_CORRUPT;
}

/* Whether the line follows on `previous`; on success that becomes this line's mac. */
static int line_verify(const struct keys *keys, const char *text, size_t len,
    uint64_t expected_sequence, uint8_t previous[static MAC_BYTES])
{
	uint8_t said[MAC_BYTES], computed[MAC_BYTES];
	uint64_t sequence;
	size_t covered_len;

	if (line_split(text, len, &covered_len, said) < 0 || line_sequence(text, &sequence) < 0)
		return -TACIT_E_CORRUPT;

	chain_mac(keys, previous, text, covered_len, computed);
	if (sequence != expected_sequence || sodium_memcmp(said, computed, MAC_BYTES) != 0)
		return -TACIT_E_CORRUPT;

	memcpy(previous, said, MAC_BYTES);
	return 0;
}

/* The last two whole lines, which is what it takes to check the last one. */
struct log_end {
	char bytes[2 * LINE_MAX_BYTES + 1];
	size_t len;        /* whole lines only */
	size_t torn_bytes; /* what stood behind the last newline */
	off_t size;        /* of the file without the torn end */
};

static int log_end_read(int fd, struct log_end *ret_end)
{
	struct stat status;
	off_t start;
	ssize_t got;
	const char *newline;

	if (fstat(fd, &status) < 0)
		return -errno;

	start = status.st_size > 2 * LINE_MAX_BYTES ? status.st_size - 2 * LINE_MAX_BYTES : 0;
	got = pread(fd, ret_end->bytes, 2 * LINE_MAX_BYTES, start);
	if (got < 0)
		return -errno;

	newline = memrchr(ret_end->bytes, '\n', (size_t)got);
	ret_end->len = newline ? (size_t)(newline - ret_end->bytes) + 1 : 0;
	ret_end->torn_bytes = (size_t)got - ret_end->len;
	ret_end->size = start + (off_t)ret_end->len;
	ret_end->bytes[ret_end->len] = '\0';
	return 0;
}

/* The line in front of `end`, or NULL when it does not start within `bytes`. */
static char *line_before(char *bytes, char *end)
{
	char *newline;

	if (end <= bytes + 1)
		return NULL;

	newline = memrchr(bytes, '\n', (size_t)(end - 1 - bytes));
	return newline ? newline + 1 : bytes;
}

static int chain_resume(struct audit *audit, struct log_end *end)
{
	char *last_end = end->bytes + end->len;
	char *last = line_before(end->bytes, last_end);
	char *before = last ? line_before(end->bytes, last) : NULL;
	uint64_t sequence;
	size_t covered_len;
	int r = last ? line_sequence(last, &sequence) : -TACIT_E_CORRUPT;

	if (r == 0 && before)
		r = line_split(before, (size_t)(last - before) - 1, &covered_len, audit->mac);
	if (r == 0)
		r = line_verify(
		    audit->keys, last, (size_t)(last_end - last) - 1, sequence, audit->mac);
	if (r < 0)
		return r;

	audit->sequence = sequence;
	audit->size = end->size;
	return 0;
}

static struct audit *audit_new(const struct keys *keys, int fd)
{
	struct audit *audit = calloc(1, sizeof(*audit));

	if (!audit)
		return NULL;

	audit->keys = keys;
	audit->fd = fd;
	return audit;
}

void audit_close(struct audit *audit)
{
	if (!audit)
		return;

	(void)fdatasync(audit->fd);
	(void)close(audit->fd);
	free(audit);
}

int audit_create(int dirfd, const struct keys *keys, struct fault *fault)
{
	static const struct audit_event started = {.event = "audit.started"};
	cleanup_fd int fd =
	    openat(dirfd, AUDIT_FILE, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct audit *audit;
	int r;

	if (fd < 0)
		return fault_set(fault, -errno, AUDIT_FILE);
	audit = audit_new(keys, fd);
	if (!audit)
		return fault_set(fault, -ENOMEM, AUDIT_FILE);

	(void)fd_take(&fd);
	r = audit_write(audit, &started);
	audit_close(audit);
	return r < 0 ? fault_set(fault, r, AUDIT_FILE) : 0;
}

int audit_open(int dirfd, const struct keys *keys, struct audit **ret_audit, size_t *ret_torn_bytes,
    struct fault *fault)
{
	cleanup_fd int fd = openat(dirfd, AUDIT_FILE, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	cleanup_free struct log_end *end = malloc(sizeof(*end));
	struct audit *audit;
	int r;

	if (fd < 0)
		return fault_set(fault, -errno, AUDIT_FILE);
	audit = end ? audit_new(keys, fd) : NULL;
	if (!audit)
		return fault_set(fault, -ENOMEM, AUDIT_FILE);

	(void)fd_take(&fd);
	r = log_end_read(audit->fd, end);
	if (r == 0)
		r = chain_resume(audit, end);
	if (r == 0 && end->torn_bytes > 0 && ftruncate(audit->fd, end->size) < 0)
		r = -errno;
	if (r < 0) {
		audit_close(audit);
		return fault_set(fault, r, "last line of " AUDIT_FILE);
	}

	*ret_torn_bytes = end->torn_bytes;
	*ret_audit = audit;
	return 0;
}

int audit_verify(int dirfd, const struct keys *keys, uint64_t *ret_lines, struct fault *fault)
{
	cleanup_fd int fd = openat(dirfd, AUDIT_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_file FILE *file = fd < 0 ? NULL : fdopen(fd, "re");
	cleanup_free char *text = NULL;
	uint8_t mac[MAC_BYTES] = {0};
	size_t size = 0;
	uint64_t lines = 0;
	ssize_t len;

	if (!file)
		return fault_set(fault, -errno, AUDIT_FILE);

	(void)fd_take(&fd); /* the stream closes it */
	while ((len = getline(&text, &size, file)) > 0) {
		if (text[len - 1] != '\n')
			break; /* being written, or torn by a crash: audit_open mends that */
		if (line_verify(keys, text, (size_t)len - 1, lines + 1, mac) < 0)
			return fault_set_why(fault, -TACIT_E_CORRUPT, "the chain breaks here",
			    AUDIT_FILE " line %llu", (unsigned long long)(lines + 1));
		lines++;
	}
	if (lines == 0)
		return fault_set_why(fault, -TACIT_E_CORRUPT, "empty", AUDIT_FILE);

	*ret_lines = lines;
	return 0;
}
