/* SPDX-License-Identifier: MIT */
#include "vault_copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/store.h"

/* Of one commit, which is an fsync. */
#define BATCH_ROWS  1024
#define BATCH_BYTES ((size_t)1 << 20)

struct vault_copy {
	struct store *store;
	struct store_op ops[BATCH_ROWS];
	uint8_t *bytes[BATCH_ROWS]; /* a key, and its value behind it */
	size_t count;
	size_t total;
};

int vault_copy_read(const char *path, vault_copy_visit *visit, void *context, struct fault *fault)
{
	struct store *store;
	int r = store_open(path, STORE_READ_ONLY, &store, fault);

	if (r < 0)
		return r;

	r = store_range(store, NULL, 0, INT32_MAX, visit, context);
	store_close(store);
	return r;
}

int vault_copy_create(const char *path, struct vault_copy **ret_copy, struct fault *fault)
{
	struct vault_copy *copy = calloc(1, sizeof(*copy));
	int r;

	if (!copy)
		return fault_set(fault, -ENOMEM, "%s", path);

	r = store_open(path, STORE_CREATE, &copy->store, fault);
	if (r < 0) {
		free(copy);
		return r;
	}

	*ret_copy = copy;
	return 0;
}

static void batch_clear(struct vault_copy *copy)
{
	for (size_t i = 0; i < copy->count; i++)
		free(copy->bytes[i]);
	copy->count = 0;
	copy->total = 0;
}

int vault_copy_finish(struct vault_copy *copy)
{
	int r = copy->count > 0 ? store_commit(copy->store, copy->ops, copy->count) : 0;

	batch_clear(copy);
	return r;
}

int vault_copy_add(struct vault_copy *copy, const uint8_t *key, size_t key_len,
    const uint8_t *value, size_t value_len)
{
	uint8_t *bytes = malloc(key_len + value_len + 1);

	if (!bytes)
		return -ENOMEM;

	memcpy(bytes, key, key_len);
	if (value_len > 0)
		memcpy(bytes + key_len, value, value_len);
	copy->bytes[copy->count] = bytes;
	copy->ops[copy->count++] = (struct store_op){.kind = STORE_PUT,
	    .key = bytes,
	    .key_len = key_len,
	    .value = bytes + key_len,
	    .value_len = value_len};
	copy->total += key_len + value_len;
	return copy->count == BATCH_ROWS || copy->total >= BATCH_BYTES ? vault_copy_finish(copy)
	                                                               : 0;
}

void vault_copy_free(struct vault_copy *copy)
{
	if (!copy)
		return;

	batch_clear(copy);
	store_close(copy->store);
	free(copy);
}
