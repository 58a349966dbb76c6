/* SPDX-License-Identifier: MIT */
#include "sealed_doors.h"

#include <errno.h>

#include "log.h"
#include "socket.h"

static int door_open(const struct sealed_file *file, enum door door, int fd,
    struct listener_sealed **ret_listener, struct fault *fault)
{
	char url[SOCKET_URL_BYTES];
	int r = fd < 0 ? 0 : listener_sealed_start(file, door, fd, ret_listener, fault);

	if (r < 0 || fd < 0)
		return r;

	socket_url(fd, "https", url);
	log_event("sealed_listening", "sealed on %s: the answer is 503 until it is unsealed", url);
	return 0;
}

int sealed_doors_open(int dirfd, const int fds[static LISTENERS_COUNT],
    struct sealed_doors *ret_doors, struct fault *fault)
{
	struct fault own = {0};
	struct sealed_file file;
	int r = sealed_file_read(dirfd, &file, &own);

	if (r < 0) {
		log_trouble(own.what, "%s, so TLS cannot answer until the first unseal",
		    r == -ENOENT ? "not made yet" : err_text(r));
		return 0;
	}

	r = door_open(&file, DOOR_ENROLMENT, fds[LISTENER_ENROLL], &ret_doors->enrolment, fault);
	if (r == 0)
		r = door_open(&file, DOOR_MAIN, fds[LISTENER_MAIN], &ret_doors->main, fault);
	sealed_file_free(&file);
	return r;
}

void sealed_doors_close(struct sealed_doors *doors)
{
	listener_sealed_stop(doors->enrolment);
	listener_sealed_stop(doors->main);
	*doors = (struct sealed_doors){.main = NULL};
}

void sealed_doors_renew(int dirfd, const struct authority *authority)
{
	struct fault fault = {0};

	if (sealed_file_write(dirfd, authority, &fault) < 0)
		log_fault(&fault);
}
