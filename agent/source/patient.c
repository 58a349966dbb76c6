/* SPDX-License-Identifier: MIT */
#include "patient.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "tacit/deadline.h"
#include "tacit/err.h"

#define STEP_MAX_BYTES 16384

int patient_read(int fd, size_t max_bytes, int64_t deadline_ms, struct secret *text)
{
	size_t step = max_bytes < STEP_MAX_BYTES ? max_bytes + 1 : STEP_MAX_BYTES;

	for (;;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		uint8_t *space = secret_space(text, step);
		ssize_t got;

		if (!space)
			return -ENOMEM;
		if (poll(&ready, 1, deadline_left_ms(deadline_ms)) == 0)
			return -TACIT_E_TIMEOUT;

		got = read(fd, space, step);
		if (got < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (got == 0)
			return 0;
		if (got > 0)
			secret_grew(text, (size_t)got);
		if (secret_len(text) > max_bytes)
			return -TACIT_E_TOO_LARGE;
	}
}
