/* SPDX-License-Identifier: MIT */
/* datagrams PATH: binds a socket, as syslog does, and prints each datagram as a line. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char *argv[])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char bytes[16384];
	ssize_t len;

	if (argc != 2 || fd < 0)
		return 2;

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		perror(argv[1]);
		return 1;
	}
	while ((len = recv(fd, bytes, sizeof(bytes), 0)) >= 0) {
		(void)printf("%.*s\n", (int)len, bytes);
		(void)fflush(stdout);
	}
	return 1;
}
