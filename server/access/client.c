/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tacit/codec.h"
#include "tacit/err.h"

void client_free(struct client *client)
{
	if (!client)
		return;

	free(client->grants);
	free(client);
}

void client_cleanup(struct client **client)
{
	client_free(*client);
	*client = NULL;
}

struct client *client_take(struct client **client)
{
	struct client *taken = *client;

	*client = NULL;
	return taken;
}

struct client *client_copy(const struct client *client)
{
	cleanup_client struct client *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;

	*copy = *client;
	copy->grants = calloc(client->grants_count + 1, sizeof(*copy->grants));
	if (!copy->grants)
		return NULL;
	if (client->grants_count > 0)
		memcpy(copy->grants, client->grants, client->grants_count * sizeof(*copy->grants));

	return client_take(&copy);
}

int client_encode(const struct client *client, struct secret **ret_record)
{
	cleanup_secret struct secret *record = NULL;
	struct encoder encoder;

	if (secret_new(256, &record) < 0)
		return -ENOMEM;

	encoder = (struct encoder){.out = record};
	encode_text(&encoder, client->name);
	encode_text(&encoder, role_text(client->role));
	encode_u64(&encoder, client->generation);
	encode_u8(&encoder, client->revoked);
	encode_u64(&encoder, (uint64_t)client->created);
	encode_u64(&encoder, (uint64_t)client->not_after);
	encode_u32(&encoder, (uint32_t)client->grants_count);
	for (size_t i = 0; i < client->grants_count; i++) {
		encode_text(&encoder, client->grants[i].pattern);
		encode_u8(&encoder, client->grants[i].write);
	}
	if (encode_end(&encoder) < 0)
		return -ENOMEM;

	*ret_record = secret_take(&record);
	return 0;
}

static int grants_decode(struct decoder *decoder, struct client *client)
{
	client->grants_count = decode_u32(decoder);
	if (decoder->failed || client->grants_count > GRANTS_MAX)
		return -TACIT_E_CORRUPT;
	client->grants = calloc(client->grants_count + 1, sizeof(*client->grants));
	if (!client->grants)
		return -ENOMEM;

	for (size_t i = 0; i < client->grants_count; i++) {
		decode_text(decoder, client->grants[i].pattern, sizeof(client->grants[i].pattern));
		client->grants[i].write = decode_u8(decoder) != 0;
	}

	return 0;
}

int client_decode(const struct secret *record, struct client **ret_client)
{
	struct decoder decoder = {.at = secret_bytes(record), .left = secret_len(record)};
	cleanup_client struct client *client = calloc(1, sizeof(*client));
	char role[16];
	int r;

	if (!client)
		return -ENOMEM;

	decode_text(&decoder, client->name, sizeof(client->name));
	decode_text(&decoder, role, sizeof(role));
	client->generation = decode_u64(&decoder);
	client->revoked = decode_u8(&decoder) != 0;
	client->created = (int64_t)decode_u64(&decoder);
	client->not_after = (int64_t)decode_u64(&decoder);
	r = grants_decode(&decoder, client);
	if (r < 0)
		return r;
	if (decode_end(&decoder) < 0 || role_parse(role, &client->role) < 0 ||
	    !name_is_client(client->name))
		return -TACIT_E_CORRUPT;

	*ret_client = client_take(&client);
	return 0;
}
