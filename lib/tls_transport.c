/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/socket.h>

#include "tacit/deadline.h"
#include "tls_private.h"

/*
 * OpenSSL's own socket BIO uses write(2), which raises SIGPIPE when the peer has
 * gone; ignoring that signal is inherited over exec and would change how the application behaves.
 */
static int transport_write(BIO *bio, const char *bytes, int len)
{
	struct tls_connection *connection = BIO_get_data(bio);
	ssize_t sent = send(connection->fd, bytes, (size_t)len, MSG_NOSIGNAL);

	BIO_clear_retry_flags(bio);
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	return (int)sent;
}

/*
 * OpenSSL reads on while records come that carry no data. A peer that sends nothing else must not
 * outlast the deadline, so from the second time on each read asks the clock first.
 */
static int transport_read(BIO *bio, char *buffer, int size)
{
	struct tls_connection *connection = BIO_get_data(bio);
	ssize_t got = -1;

	BIO_clear_retry_flags(bio);
	errno = EAGAIN;
	if (!connection->received || deadline_left_ms(connection->deadline_ms) > 0)
		got = recv(connection->fd, buffer, (size_t)size, 0);
	connection->received = true;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(bio);
	return (int)got;
}

static long transport_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_transport_new(void)
{
	BIO_METHOD *method =
	    BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "tacit");

	if (!method || !BIO_meth_set_write(method, transport_write) ||
	    !BIO_meth_set_read(method, transport_read) ||
	    !BIO_meth_set_ctrl(method, transport_control)) {
		BIO_meth_free(method);
		return NULL;
	}

	return method;
}
