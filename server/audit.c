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

#define MAC_BYTES      ((size_t)AUDIT_MAC_BYTES)
#define LINE_MAX_BYTES ((size_t)8192)

static const char mac_member[] = ",\"mac\":\"";
#define TAIL_BYTES (sizeof(mac_member) - 1 + 2 * MAC_BYTES + 3) /* ,"mac":"HEX"}\n */

struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
	bool overflow;
};

struct audit {
	const struct keys *keys; /* borrowed */
	int fd;
	uint64_t sequence; /* of the line written last */
	off_t size;        /* what the file has to end at */
	bool torn;         /* there is half a line behind that end */
	uint8_t mac[MAC_BYTES];
	struct line line; /* being written; here, since 8 KiB are too much to clear each time */
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

/*
 * Whether the file is as we left it, so that the next line continues the chain. What is left of a
 * line that did not go out whole is cut off here, if that was not possible at once.
 */
static int log_check(struct audit *audit)
{
	struct stat status;

	if (fstat(audit->fd, &status) < 0 || status.st_nlink == 0)
		return -TACIT_E_AUDIT_UNAVAILABLE;
	if (status.st_size == audit->size)
		return 0;
	if (!audit->torn || status.st_size < audit->size || ftruncate(audit->fd, audit->size) < 0)
		return -TACIT_E_AUDIT_UNAVAILABLE;

	audit->torn = false;
	return 0;
}

static int line_write(struct audit *audit, const struct line *line)
{
	if (log_check(audit) < 0)
		return -TACIT_E_AUDIT_UNAVAILABLE;
	if (fd_write_all(audit->fd, line->text, line->len) < 0) {
		audit->torn = ftruncate(audit->fd, audit->size) < 0;
		return -TACIT_E_AUDIT_UNAVAILABLE;
	}

	audit->size += (off_t)line->len;
	return 0;
}

int audit_write(struct audit *audit, const struct audit_event *event)
{
	struct line *line = &audit->line;
	uint8_t mac[MAC_BYTES];
	char mac_text[2 * MAC_BYTES + 1];

	line->len = 0;
	line->overflow = false;
	line_format(line, audit->sequence + 1, event);
	if (line->overflow)
		return -TACIT_E_AUDIT_UNAVAILABLE;

	chain_mac(audit->keys, audit->mac, line->text, line->len, mac);
	(void)sodium_bin2hex(mac_text, sizeof(mac_text), mac, sizeof(mac));
	line_add(line, "%s%s\"}\n", mac_member, mac_text);
	if (line->overflow || line_write(audit, line) < 0)
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

/*
 * The last two whole lines, which is what it takes to check the last one, and half a line that may
 * stand behind them.
 */
#define LOG_END_BYTES (3 * LINE_MAX_BYTES)

struct log_end {
	char bytes[LOG_END_BYTES + 1];
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

	start = status.st_size > (off_t)LOG_END_BYTES ? status.st_size - (off_t)LOG_END_BYTES : 0;
	got = pread(fd, ret_end->bytes, LOG_END_BYTES, start);
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

/* Opens or makes the file; takes care of nothing in it. NULL, and why in *ret_err. */
static struct audit *log_open(int dirfd, int flags, const struct keys *keys, int *ret_err)
{
	cleanup_fd int fd =
	    openat(dirfd, AUDIT_FILE, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	struct audit *audit;

	*ret_err = fd < 0 ? -errno : -ENOMEM;
	audit = fd < 0 ? NULL : audit_new(keys, fd);
	if (audit)
		(void)fd_take(&fd);
	return audit;
}

int audit_create(int dirfd, const struct keys *keys, struct audit **ret_audit, struct fault *fault)
{
	static const struct audit_event started = {.event = "audit.started"};
	int r;
	struct audit *audit = log_open(dirfd, O_CREAT | O_EXCL, keys, &r);

	if (audit)
		r = audit_write(audit, &started);
	if (r < 0) {
		audit_close(audit);
		return fault_set(fault, r, AUDIT_FILE);
	}

	*ret_audit = audit;
	return 0;
}

int audit_get_mark(const struct audit *audit, struct audit_mark *ret_mark)
{
	if (fdatasync(audit->fd) < 0)
		return -errno;

	ret_mark->sequence = audit->sequence;
	memcpy(ret_mark->mac, audit->mac, MAC_BYTES);
	return 0;
}

/* Finds the end of the chain. An empty file has none: what is missing is the mark's to say. */
static int log_resume(struct audit *audit, size_t *ret_torn_bytes)
{
	cleanup_free struct log_end *end = calloc(1, sizeof(*end));
	int r = end ? log_end_read(audit->fd, end) : -ENOMEM;

	if (r == 0 && end->len > 0)
		r = chain_resume(audit, end);
	if (r == 0 && end->torn_bytes > 0 && ftruncate(audit->fd, end->size) < 0)
		r = -errno;
	if (r == 0)
		*ret_torn_bytes = end->torn_bytes;

	return r;
}

/* Says what is missing where the next reader will look for it: in the log itself. */
static int log_restart(
    struct audit *audit, const struct audit_mark *mark, struct audit_state *state)
{
	char subject[80];
	const struct audit_event restarted = {.event = "audit.restarted", .subject = subject};
	bool ends_as_marked =
	    audit->sequence > mark->sequence ||
	    (audit->sequence == mark->sequence && memcmp(audit->mac, mark->mac, MAC_BYTES) == 0);

	if (audit->sequence > 0 && ends_as_marked)
		return 0;

	state->missing_from = audit->sequence < mark->sequence ? audit->sequence + 1 : 1;
	state->missing_to = mark->sequence;
	(void)snprintf(subject, sizeof(subject), "lines %llu to %llu are missing",
	    (unsigned long long)state->missing_from, (unsigned long long)state->missing_to);
	return audit_write(audit, &restarted);
}

int audit_open(int dirfd, const struct keys *keys, const struct audit_mark *mark,
    struct audit **ret_audit, struct audit_state *ret_state, struct fault *fault)
{
	struct audit_state state = {0};
	int r;
	struct audit *audit = log_open(dirfd, O_CREAT, keys, &r);

	if (!audit)
		return fault_set(fault, r, AUDIT_FILE);

	r = log_resume(audit, &state.torn_bytes);
	if (r < 0)
		(void)fault_set(fault, r, "last line of " AUDIT_FILE);
	if (r == 0) {
		r = log_restart(audit, mark, &state);
		if (r < 0)
			(void)fault_set(fault, r, AUDIT_FILE);
	}
	if (r < 0) {
		audit_close(audit);
		return r;
	}

	*ret_state = state;
	*ret_audit = audit;
	return 0;
}

struct verification {
	const struct keys *keys;
	const struct audit_mark *mark;
	uint8_t mac[MAC_BYTES]; /* of the line before */
	struct audit_findings findings;
};

static int verification_step(struct verification *verification, const char *text, size_t len)
{
	static const char restarted[] = ",\"event\":\"audit.restarted\"";
	struct audit_findings *findings = &verification->findings;
	const struct audit_mark *mark = verification->mark;
	uint64_t sequence = findings->lines + 1;

	if (line_verify(verification->keys, text, len, sequence, verification->mac) < 0 ||
	    (sequence == mark->sequence && memcmp(verification->mac, mark->mac, MAC_BYTES) != 0))
		return -TACIT_E_CORRUPT;

	findings->lines = sequence;
	findings->gaps += memmem(text, len, restarted, sizeof(restarted) - 1) != NULL;
	return 0;
}

/* What stands behind the last newline is being written, or torn by a crash: audit_open mends it. */
static int verification_walk(struct verification *verification, FILE *file, struct fault *fault)
{
	cleanup_free char *text = NULL;
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&text, &size, file)) > 0 && text[len - 1] == '\n')
		if (verification_step(verification, text, (size_t)len - 1) < 0)
			return fault_set_why(fault, -TACIT_E_CORRUPT, "the chain breaks here",
			    AUDIT_FILE " line %llu",
			    (unsigned long long)verification->findings.lines + 1);

	return ferror(file) ? fault_set(fault, -EIO, AUDIT_FILE) : 0;
}

int audit_verify(int dirfd, const struct keys *keys, const struct audit_mark *mark,
    struct audit_findings *ret_findings, struct fault *fault)
{
	cleanup_fd int fd = openat(dirfd, AUDIT_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_file FILE *file = fd < 0 ? NULL : fdopen(fd, "re");
	struct verification verification = {.keys = keys, .mark = mark};
	int r;

	if (!file)
		return fault_set(fault, -errno, AUDIT_FILE);

	(void)fd_take(&fd); /* the stream closes it */
	r = verification_walk(&verification, file, fault);
	if (r < 0)
		return r;
	if (verification.findings.lines < mark->sequence || verification.findings.lines == 0)
		return fault_set_why(fault, -TACIT_E_CORRUPT, "lines are missing at its end",
		    AUDIT_FILE " behind line %llu",
		    (unsigned long long)verification.findings.lines);

	*ret_findings = verification.findings;
	return 0;
}
