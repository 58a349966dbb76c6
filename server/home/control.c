/* SPDX-License-Identifier: MIT */
#include "control.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tacit/codec.h"
#include "tacit/fd.h"

static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = CONTROL_SOCKET};

/*
 * A socket's path has room for 107 bytes, a directory's for 4095: so the path is the name alone,
 * and the directory is the current one for a moment. No other thread runs by then.
 */
static int in_directory(int dirfd, int fd, int (*call)(int, const struct sockaddr *, socklen_t))
{
	cleanup_fd int saved = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fchdir(dirfd) < 0)
		return -errno;

	r = call(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	if (saved >= 0 && fchdir(saved) < 0)
		r = -errno;
	return r;
}

int control_listen(int dirfd, struct fault *fault)
{
	/* Several threads wait for one peer, and only one of them gets it. */
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t saved_umask = umask(0177);
	int r = fd < 0 ? -errno : 0;

	if (r == 0) {
		(void)unlinkat(dirfd, CONTROL_SOCKET, 0);
		r = in_directory(dirfd, fd, bind);
	}
	(void)umask(saved_umask);
	if (r == 0 && listen(fd, 8) < 0)
		r = -errno;

	return r < 0 ? fault_set(fault, r, CONTROL_SOCKET) : fd_take(&fd);
}

int control_connect(int dirfd, struct fault *fault)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = fd < 0 ? -errno : in_directory(dirfd, fd, connect);

	if (r == -ENOENT)
		r = -ECONNREFUSED;

	return r < 0 ? fault_set(fault, r, CONTROL_SOCKET) : fd_take(&fd);
}

static int error_of_peer(void)
{
	if (errno == EAGAIN)
		return -TACIT_E_TIMEOUT;

	return errno == EPIPE || errno == ECONNRESET ? -TACIT_E_CUT_OFF : -errno;
}

/* MSG_NOSIGNAL, since a peer that goes away is an error and not the end of us. */
static int send_all(int fd, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len > 0) {
		ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return error_of_peer();
		at += sent;
		len -= (size_t)sent;
	}

	return 0;
}

int control_send(int fd, const struct secret *message)
{
	uint32_t len = htonl((uint32_t)secret_len(message));
	int r = send_all(fd, &len, sizeof(len));

	return r < 0 ? r : send_all(fd, secret_bytes(message), secret_len(message));
}

static int receive_all(int fd, void *buffer, size_t len)
{
	uint8_t *at = buffer;

	while (len > 0) {
		ssize_t got = recv(fd, at, len, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_of_peer();
		if (got == 0)
			return -TACIT_E_CUT_OFF;
		at += got;
		len -= (size_t)got;
	}

	return 0;
}

int control_receive(int fd, struct secret **ret_message)
{
	cleanup_secret struct secret *message = NULL;
	uint32_t len;
	int r = receive_all(fd, &len, sizeof(len));

	if (r < 0)
		return r;
	len = ntohl(len);
	if (len > CONTROL_MESSAGE_MAX_BYTES)
		return -TACIT_E_TOO_LARGE;
	if (secret_new(len, &message) < 0)
		return -ENOMEM;

	r = receive_all(fd, secret_space(message, len), len);
	if (r < 0)
		return r;

	secret_grew(message, len);
	*ret_message = secret_take(&message);
	return 0;
}

/* Ends a message that an encoder has filled, and sends it. */
static int send_encoded(int fd, const struct encoder *encoder)
{
	return encode_end(encoder) < 0 ? -ENOMEM : control_send(fd, encoder->out);
}

int control_send_verdict(int fd, const struct fault *fault)
{
	cleanup_secret struct secret *message = NULL;
	struct encoder encoder;

	if (secret_new(1024, &message) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = message};
	encode_u8(&encoder, CONTROL_VERDICT);
	encode_u32(&encoder, (uint32_t)-fault->err);
	encode_text(&encoder, fault->what);
	encode_text(&encoder, fault->why);
	return send_encoded(fd, &encoder);
}

int control_send_progress(int fd, uint64_t done, uint64_t total)
{
	cleanup_secret struct secret *message = NULL;
	struct encoder encoder;

	if (secret_new(32, &message) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = message};
	encode_u8(&encoder, CONTROL_PROGRESS);
	encode_u64(&encoder, done);
	encode_u64(&encoder, total);
	return send_encoded(fd, &encoder);
}

int control_send_data(int fd, const void *bytes, size_t len)
{
	cleanup_secret struct secret *message = NULL;
	struct encoder encoder;

	if (secret_new(len + 8, &message) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = message};
	encode_u8(&encoder, CONTROL_DATA);
	encode_bytes(&encoder, bytes, len);
	return send_encoded(fd, &encoder);
}

static int verdict_read(struct decoder *decoder, struct fault *fault)
{
	struct fault verdict = {.err = -(int)(decode_u32(decoder) & 0xffff)};

	decode_text(decoder, verdict.what, sizeof(verdict.what));
	decode_text(decoder, verdict.why, sizeof(verdict.why));
	if (decode_end(decoder) < 0)
		return fault_set(fault, -TACIT_E_PROTOCOL, CONTROL_SOCKET);
	if (fault && verdict.err < 0)
		*fault = verdict;

	return verdict.err;
}

/* 1 for a part that is not the last one. */
static int part_read(
    const struct secret *message, const struct control_sink *sink, struct fault *fault)
{
	struct decoder decoder = {.at = secret_bytes(message), .left = secret_len(message)};
	uint8_t kind = decode_u8(&decoder);
	const uint8_t *bytes = NULL;
	uint64_t done = 0, total = 0;
	size_t len = 0;

	if (kind == CONTROL_VERDICT)
		return verdict_read(&decoder, fault);
	if (kind == CONTROL_DATA) {
		bytes = decode_bytes(&decoder, &len);
	} else {
		done = decode_u64(&decoder);
		total = decode_u64(&decoder);
	}
	if (decode_end(&decoder) < 0 || (kind != CONTROL_DATA && kind != CONTROL_PROGRESS))
		return fault_set(fault, -TACIT_E_PROTOCOL, CONTROL_SOCKET);
	if (bytes && sink && sink->data) {
		int r = sink->data(sink->context, bytes, len);

		return r < 0 ? r : 1;
	}
	if (!bytes && sink && sink->progress)
		sink->progress(sink->context, done, total);

	return 1;
}

int control_await(int fd, const struct control_sink *sink, struct fault *fault)
{
	int r;

	do {
		cleanup_secret struct secret *message = NULL;

		r = control_receive(fd, &message);
		if (r < 0)
			return fault_set(fault, r, CONTROL_SOCKET);
		r = part_read(message, sink, fault);
	} while (r > 0);

	return r;
}
