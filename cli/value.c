/* SPDX-License-Identifier: MIT */
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include "prompt.h"
#include "tacit/fd.h"
#include "tacit/proto.h"

static int value_fault(struct fault *fault, int err, const char *what)
{
	if (err == -TACIT_E_TOO_LARGE)
		return fault_set_why(fault, err, "a value has at most 512,000 bytes", "%s", what);

	return fault_set(fault, err, "%s", what);
}

int value_from_stdin(const char *name, struct secret **ret_value, struct fault *fault)
{
	if (isatty(STDIN_FILENO))
		return prompt_value(name, ret_value, fault);

	int err = secret_read(STDIN_FILENO, PROTO_VALUE_MAX_BYTES, ret_value);

	return err < 0 ? value_fault(fault, err, name) : 0;
}

int value_read_file(
    const char *path, size_t max_bytes, struct secret **ret_text, struct fault *fault)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fault_set(fault, -errno, "%s", path);

	int err = secret_read(fd, max_bytes, ret_text);

	return err < 0 ? fault_set(fault, err, "%s", path) : 0;
}

int value_from_file(const char *path, struct secret **ret_value, struct fault *fault)
{
	int err = value_read_file(path, PROTO_VALUE_MAX_BYTES, ret_value, fault);

	return err < 0 ? value_fault(fault, err, path) : 0;
}

int value_generate(uint32_t bytes, struct secret **ret_value)
{
	cleanup_secret struct secret *random = NULL;
	cleanup_secret struct secret *text = NULL;
	size_t size = sodium_base64_encoded_len(bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);

	if (sodium_init() < 0 || secret_new(bytes, &random) < 0 || secret_new(size, &text) < 0)
		return -ENOMEM;

	uint8_t *raw = secret_space(random, bytes);
	uint8_t *printed = secret_space(text, size);

	if (!raw || !printed)
		return -ENOMEM;

	randombytes_buf(raw, bytes);
	secret_grew(random, bytes);
	(void)sodium_bin2base64(
	    (char *)printed, size, raw, bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	secret_grew(text, size - 1); /* its NUL is no part of the value */
	*ret_value = secret_take(&text);

	return 0;
}
