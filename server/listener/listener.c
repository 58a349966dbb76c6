/* SPDX-License-Identifier: MIT */
#include "listener.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "audit_report.h"
#include "listener_http.h"
#include "listener_tls.h"
#include "socket.h"
#include "tacit/deadline.h"
#include "tacit/fd.h"

/*
 * What each door lets a peer have. Anybody can connect to the enrolment listener: there is one
 * thread for it, whatever comes; a stranger's connections are few; and one that gets nothing done
 * is soon gone, so that whoever takes them all has to keep doing so.
 */
static const struct {
	unsigned connections_max;
	unsigned per_address_part; /* one address may have one in so many of them */
	int patience_s;            /* for a connection that completes no request */
	int idle_s;
	bool many_threads;
} doors[] = {
    [DOOR_MAIN] = {8192, 4, 90, 60, true},
    [DOOR_ENROLMENT] = {512, 8, 10, 10, false},
};

int64_t listener_now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

static void connection_list(struct connection *connection)
{
	struct listener *listener = connection->listener;

	(void)pthread_mutex_lock(&listener->mutex);
	connection->next = listener->connections;
	if (connection->next)
		connection->next->previous = connection;
	listener->connections = connection;
	(void)pthread_mutex_unlock(&listener->mutex);
}

static void connection_unlist(struct connection *connection)
{
	struct listener *listener = connection->listener;

	(void)pthread_mutex_lock(&listener->mutex);
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		listener->connections = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	(void)pthread_mutex_unlock(&listener->mutex);
}

static struct connection *connection_new(
    struct listener *listener, struct MHD_Connection *mhd_connection)
{
	const union MHD_ConnectionInfo *fd =
	    MHD_get_connection_info(mhd_connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *session =
	    MHD_get_connection_info(mhd_connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	const union MHD_ConnectionInfo *address =
	    MHD_get_connection_info(mhd_connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!fd || !session || !address || !connection) {
		free(connection);
		return NULL;
	}

	connection->listener = listener;
	connection->fd = fd->connect_fd;
	connection->session = session->tls_session;
	connection->progress_s = listener_now_s();
	socket_address_text(address->client_addr,
	    address->client_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
	                                               : sizeof(struct sockaddr_in6),
	    connection->peer, sizeof(connection->peer));
	connection->peer_count = peers_enter(listener->peers, address->client_addr);
	return connection;
}

static void connection_free(struct connection *connection)
{
	connection_end_tls(connection);
	peers_leave(connection->listener->peers, connection->peer_count);
	free(connection);
}

static struct metrics_door *metrics_door(const struct listener *listener)
{
	return &listener->server->metrics.doors[listener->door];
}

/* Asked before anything else is done for a connection; without an answer it is closed. */
static enum MHD_Result on_accept(
    void *context, const struct sockaddr *address, socklen_t address_len)
{
	struct listener *listener = context;

	(void)address_len;
	if (!peers_full(listener->peers, address))
		return MHD_YES;

	metrics_add(&metrics_door(listener)->refused);
	return MHD_NO;
}

static void connection_gone(struct connection *connection)
{
	struct listener *listener = connection->listener;

	if (!connection->accepted && listener->door == DOOR_MAIN) {
		metrics_add(&listener->server->metrics.handshakes_refused);
		connection_note_refusal(connection);
	}
	(void)atomic_fetch_sub(&metrics_door(listener)->open, 1);
	connection_unlist(connection);
	connection_free(connection);
}

/* The hook that libmicrohttpd runs when a connection was accepted, and when it is gone. */
static void on_connection(void *context, struct MHD_Connection *mhd_connection,
    void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	struct listener *listener = context;
	struct connection *connection = *socket_context;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (connection)
			connection_gone(connection);
		*socket_context = NULL;
		return;
	}

	connection = connection_new(listener, mhd_connection);
	if (!connection)
		return; /* listener_on_request closes a connection that has no context */
	if (connection_begin_tls(connection) < 0) {
		connection_free(connection);
		return;
	}
	metrics_add(&metrics_door(listener)->accepted);
	(void)atomic_fetch_add(&metrics_door(listener)->open, 1);
	connection_list(connection);
	*socket_context = connection;
}

static void main_tick(struct listener *listener)
{
	route_tick(listener->server);
	audit_report(listener->server->audit, &listener->audit_told);
}

/*
 * Each byte that trickles in resets libmicrohttpd's timer. What does not get anything done is
 * closed here, by age: shutdown(2) wakes its thread, which then cleans up as for any closed peer.
 */
static void *reap_connections(void *context)
{
	struct listener *listener = context;

	while (!atomic_load(&listener->stopping)) {
		int64_t oldest = listener_now_s() - doors[listener->door].patience_s;

		(void)pthread_mutex_lock(&listener->mutex);
		for (struct connection *at = listener->connections; at; at = at->next)
			if (atomic_load(&at->progress_s) < oldest)
				(void)shutdown(at->fd, SHUT_RDWR);
		(void)pthread_mutex_unlock(&listener->mutex);
		watch_expire(&listener->server->watch);
		if (listener->door == DOOR_MAIN)
			main_tick(listener);
		(void)usleep(250000);
	}

	return NULL;
}

static unsigned processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;

	return (unsigned)CPU_COUNT(&set);
}

static unsigned connections_max(enum door door)
{
	unsigned wanted = doors[door].connections_max;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 256;

	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < 128 || limit.rlim_cur >= wanted + 64)
		return wanted;

	return (unsigned)limit.rlim_cur - 64;
}

/*
 * poll, never epoll: with TLS, libmicrohttpd 0.9.75 spins on a half-sent ClientHello under epoll.
 * A pool of threads only where there is more than one processor to run them.
 */
static int daemon_start(struct listener *listener, int fd, unsigned connections)
{
	const struct authority *authority = listener->server->authority;
	const struct secret *key = authority_server_key(authority);
	cleanup_secret struct secret *key_text = NULL;
	unsigned threads = doors[listener->door].many_threads ? processors() : 1;

	if (secret_new_from(secret_bytes(key), secret_len(key), &key_text) < 0 ||
	    secret_append(key_text, "", 1) < 0)
		return -ENOMEM;

	listener->daemon = MHD_start_daemon(
	    MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME, 0, on_accept,
	    listener, listener_on_request, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_THREAD_POOL_SIZE, threads > 1 ? threads : 0, MHD_OPTION_HTTPS_MEM_KEY,
	    (const char *)secret_bytes(key_text), MHD_OPTION_HTTPS_MEM_CERT,
	    authority_server_pem(authority), MHD_OPTION_HTTPS_PRIORITIES,
	    "NORMAL:-VERS-ALL:+VERS-TLS1.3", MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener,
	    MHD_OPTION_NOTIFY_COMPLETED, listener_on_completed, NULL, MHD_OPTION_UNESCAPE_CALLBACK,
	    listener_leave_escaped, NULL, MHD_OPTION_CONNECTION_LIMIT, connections,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)doors[listener->door].idle_s,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LISTENER_HEADERS_MAX_BYTES, MHD_OPTION_END);
	return listener->daemon ? 0 : -TACIT_E_INTERNAL;
}

static void listener_free(struct listener *listener)
{
	if (listener->reaper_runs)
		(void)pthread_join(listener->reaper, NULL);
	listener_tls_free(listener->tls);
	peers_free(listener->peers);
	(void)pthread_mutex_destroy(&listener->mutex);
	free(listener);
}

static int listener_run(struct listener *listener, unsigned per_address, int *fd)
{
	unsigned connections = connections_max(listener->door);
	int r = listener_tls_new(listener->server->authority, listener->door, &listener->tls);

	if (r < 0)
		return r;
	listener->peers = peers_new(
	    per_address > 0 ? per_address : connections / doors[listener->door].per_address_part);
	if (!listener->peers)
		return -ENOMEM;

	r = daemon_start(listener, *fd, connections);
	if (r < 0)
		return r;

	(void)fd_take(fd); /* the daemon closes it */
	listener->reaper_runs =
	    pthread_create(&listener->reaper, NULL, reap_connections, listener) == 0;
	return listener->reaper_runs ? 0 : -EAGAIN;
}

int listener_start(struct server *server, enum door door, int *fd, unsigned per_address,
    struct listener **ret_listener, struct fault *fault)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	uint64_t first_request;
	int r;

	if (!listener)
		return fault_set(fault, -ENOMEM, "listener");

	listener->door = door;
	listener->server = server;
	(void)pthread_mutex_init(&listener->mutex, NULL);
	/* Unlikely to repeat over restarts, and in order within one. */
	randombytes_buf(&first_request, sizeof(first_request));
	listener->next_request = first_request;
	r = listener_run(listener, per_address, fd);
	if (r < 0) {
		listener_stop(listener, 0);
		return fault_set(fault, r, "listener");
	}

	*ret_listener = listener;
	return 0;
}

int listener_reload(struct listener *listener, struct fault *fault)
{
	int r = listener_tls_reload(listener->tls);

	return r < 0 ? fault_set(fault, r, "certificate of the server") : 0;
}

/* The reaper has ended, so it is on us to notice that an audit line takes too long. */
static void drain_step(struct listener *listener)
{
	audit_tick(listener->server->audit);
	(void)usleep(5000);
}

void listener_stop(struct listener *listener, int drain_ms)
{
	int64_t deadline_ms = deadline_in_ms(drain_ms);

	atomic_store(&listener->stopping, true);
	/* Nobody waits at the other door, and those at this one wait until it is closed itself. */
	if (listener->door == DOOR_MAIN)
		watch_close(&listener->server->watch);
	if (listener->daemon) {
		int fd = MHD_quiesce_daemon(listener->daemon);

		if (fd >= 0)
			(void)close(fd);
		while (atomic_load(&listener->requests_under_way) > 0 &&
		       deadline_left_ms(deadline_ms) > 0)
			drain_step(listener);
		if (atomic_load(&listener->requests_under_way) > 0)
			durability_give_up(listener->server->durability);
		MHD_stop_daemon(listener->daemon);
	}
	listener_free(listener);
}
