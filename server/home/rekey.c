/* SPDX-License-Identifier: MIT */
#include "rekey.h"

#include <errno.h>
#include <string.h>

#include "home.h"

void rekey_request_free(struct rekey_request *request)
{
	secret_free(request->current);
	secret_free(request->material);
	*request = (struct rekey_request){0};
}

int rekey_encode(const struct rekey_request *request, struct encoder *encoder)
{
	encode_bytes(encoder, secret_bytes(request->current), secret_len(request->current));
	encode_u8(encoder, request->by_passphrase);
	encode_text(encoder, request->key_file);
	encode_u8(encoder, request->material != NULL);
	if (request->material)
		encode_bytes(
		    encoder, secret_bytes(request->material), secret_len(request->material));

	return encode_end(encoder);
}

static int decode_secret(struct decoder *decoder, struct secret **ret_secret)
{
	size_t len;
	const uint8_t *bytes = decode_bytes(decoder, &len);

	return decoder->failed ? -TACIT_E_CORRUPT : secret_new_from(bytes, len, ret_secret);
}

int rekey_decode(struct decoder *decoder, struct rekey_request *ret_request)
{
	struct rekey_request request = {0};
	int r = decode_secret(decoder, &request.current);

	request.by_passphrase = decode_u8(decoder) != 0;
	decode_text(decoder, request.key_file, sizeof(request.key_file));
	if (r == 0 && decode_u8(decoder) != 0)
		r = decode_secret(decoder, &request.material);
	if (r == 0)
		r = decode_end(decoder);
	if (r < 0) {
		rekey_request_free(&request);
		return r;
	}

	*ret_request = request;
	return 0;
}

static int audit_rekey(struct server *server, int status, struct fault *fault)
{
	const struct audit_event event = {.event = "store.rekey", .status = status};
	int r = audit_write(server->audit, &event);

	return r < 0 ? fault_set(fault, r, AUDIT_FILE) : 0;
}

/* The part that the routes must not see half of. */
static int term_begin(struct server *server, struct fault *fault)
{
	int r;

	(void)pthread_mutex_lock(&server->mutex);
	r = audit_rekey(server, 200, fault);
	if (r == 0) {
		r = vault_new_term(server->vault);
		if (r == -TACIT_E_CONFLICT)
			(void)fault_set_why(fault, r,
			    "data keys are still being brought over to the last one", "keyring");
		else if (r < 0)
			(void)fault_set(fault, r, "keyring");
	}
	(void)pthread_mutex_unlock(&server->mutex);
	return r;
}

static void audit_failure(struct server *server, int err)
{
	(void)pthread_mutex_lock(&server->mutex);
	(void)audit_rekey(server, err == -TACIT_E_WRONG_KEY ? 403 : err_http_status(err), NULL);
	(void)pthread_mutex_unlock(&server->mutex);
}

int rekey_run(
    struct server *server, int dirfd, const struct rekey_request *request, struct fault *fault)
{
	const struct new_master master = {
	    .by_passphrase = request->by_passphrase,
	    .key_file = request->key_file[0] ? request->key_file : NULL,
	    .material = request->material,
	};
	int r = home_check_key(server, dirfd, request->current, fault);

	if (r == 0)
		r = keys_check_new(dirfd, &master, fault);
	if (r == 0)
		r = term_begin(server, fault);
	if (r == 0)
		r = keys_rekey(dirfd, vault_keys(server->vault), &master, fault);
	if (r < 0)
		audit_failure(server, r);
	return r;
}

uint64_t rekey_rows(struct server *server)
{
	uint64_t rows = 0;

	(void)pthread_mutex_lock(&server->mutex);
	for (size_t i = 0; i < secrets_count(server->secrets); i++) {
		const struct secret_entry *entry = secrets_at(server->secrets, i);

		for (size_t j = 0; j < entry->versions_count; j++)
			rows += entry->versions[j].state == VERSION_KEPT;
	}
	(void)pthread_mutex_unlock(&server->mutex);
	return rows;
}
