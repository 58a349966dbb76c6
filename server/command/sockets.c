/* SPDX-License-Identifier: MIT */
#include "sockets.h"

#include <stdio.h>
#include <string.h>

#include "socket.h"
#include "tacit/url.h"

/* The URL is in the store, so a server without its key does not know it. */
static int main_open(
    const struct config *config, const struct authority *authority, struct fault *fault)
{
	struct url url = {.port = URL_DEFAULT_PORT};
	char address[sizeof(url.port) + 1];

	if (config->listen)
		return socket_listen("--listen", config->listen, fault);
	if (!authority)
		return fault_set_why(fault, -TACIT_E_USAGE,
		    "give --listen too, since the URL is sealed as well", "--sealed");

	(void)url_parse(authority_url(authority), &url);
	(void)snprintf(address, sizeof(address), ":%s", url.port);
	return socket_listen("--listen", address, fault);
}

/* Without TLS it stays on this host, unless an address says otherwise. */
static int metrics_open(const struct config *config, struct fault *fault)
{
	const char *given = config->metrics_listen;
	char address[320];

	(void)snprintf(address, sizeof(address), "%s%s", given[0] == ':' ? "127.0.0.1" : "", given);
	return socket_listen("--metrics-listen", address, fault);
}

int sockets_open(const struct config *config, const struct authority *authority,
    int fds[static LISTENERS_COUNT], struct fault *fault)
{
	if (fds[LISTENER_MAIN] < 0) {
		fds[LISTENER_MAIN] = main_open(config, authority, fault);
		if (fds[LISTENER_MAIN] < 0)
			return fds[LISTENER_MAIN];
	}
	if (fds[LISTENER_ENROLL] < 0 && config->enroll_listen) {
		fds[LISTENER_ENROLL] =
		    socket_listen("--enroll-listen", config->enroll_listen, fault);
		if (fds[LISTENER_ENROLL] < 0)
			return fds[LISTENER_ENROLL];
	}
	if (fds[LISTENER_METRICS] < 0 && config->metrics_listen) {
		fds[LISTENER_METRICS] = metrics_open(config, fault);
		if (fds[LISTENER_METRICS] < 0)
			return fds[LISTENER_METRICS];
	}
	if (config->enroll_url && fds[LISTENER_ENROLL] < 0)
		return fault_set_why(
		    fault, -TACIT_E_USAGE, "of no use without --enroll-listen", "--enroll-url");

	return 0;
}

static void enroll_url_derive(const struct authority *authority, int fd, char ret_text[static 280])
{
	char bound[SOCKET_URL_BYTES];
	struct url url = {.host = "?"}, own = {.host = "?"};

	socket_url(fd, "https", bound);
	(void)url_parse(authority_url(authority), &own);
	(void)url_parse(bound, &url);
	memcpy(own.port, url.port, sizeof(own.port));
	url_print(&own, ret_text);
}

/* A client takes no other host than those in the server's certificate: better said now. */
static int enroll_url_parse(const struct authority *authority, const char *text,
    char ret_text[static 280], struct fault *fault)
{
	struct url url;
	int r = url_parse(text, &url);

	if (r < 0)
		return fault_set(fault, r, "--enroll-url %s", text);
	if (!authority_has_name(authority, url.host))
		return fault_set_why(fault, -TACIT_E_INVALID_URL,
		    "the server's certificate is not for that host; see init --san",
		    "--enroll-url %s", text);

	url_print(&url, ret_text);
	return 0;
}

int sockets_enroll_url(const struct config *config, const struct authority *authority, int fd,
    char *ret_text, size_t size, struct fault *fault)
{
	char text[280];
	int r = 0;

	if (config->enroll_url)
		r = enroll_url_parse(authority, config->enroll_url, text, fault);
	else
		enroll_url_derive(authority, fd, text);
	if (r == 0 && strlen(text) >= size)
		r = fault_set_why(fault, -TACIT_E_INVALID_URL, "too long for a join token",
		    "--enroll-url %s", text);
	if (r < 0)
		return r;

	memcpy(ret_text, text, strlen(text) + 1);
	return 0;
}
