/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "identity_private.h"
#include "tls_private.h"

/* What a client is strict about, whoever it is. */
static int context_harden(SSL_CTX *context)
{
	/* Without NO_AUTO_CHAIN every handshake would verify our own certificate once more. */
	SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_ENABLE_PARTIAL_WRITE);
	SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, tls_verify_purpose);
	SSL_CTX_set_cert_cb(context, tls_verify_before_ours, NULL);

	if (SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1)
		return -TACIT_E_TLS;

	return 0;
}

static int context_identify(SSL_CTX *context, const struct identity *identity)
{
	if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), identity->ca) != 1 ||
	    SSL_CTX_use_certificate(context, identity->certificate) != 1 ||
	    SSL_CTX_use_PrivateKey(context, identity->key) != 1)
		return -TACIT_E_TLS;

	return 0;
}

/* Of an identity, or of none: then of a pinned CA, whose hash is set afterwards. */
static int context_new(const struct identity *identity, struct tls_context **ret_context)
{
	struct tls_context *context = calloc(1, sizeof(*context));
	int r = -ENOMEM;

	if (!context)
		return -ENOMEM;

	crypto_start();
	OPENSSL_init_ssl(
	    OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_NO_LOAD_SSL_STRINGS,
	    NULL);
	context->transport = tls_transport_new();
	context->ssl_context = SSL_CTX_new(TLS_client_method());
	if (context->transport && context->ssl_context)
		r = context_harden(context->ssl_context);
	if (r == 0 && identity)
		r = context_identify(context->ssl_context, identity);
	ERR_clear_error();
	if (r < 0) {
		tls_context_free(context);
		return r;
	}

	*ret_context = context;
	return 0;
}

int tls_context_new(const struct identity *identity, struct tls_context **ret_context)
{
	return context_new(identity, ret_context);
}

int tls_context_new_pinned(
    const uint8_t ca_hash[static IDENTITY_CA_HASH_BYTES], struct tls_context **ret_context)
{
	struct tls_context *context;
	int r = context_new(NULL, &context);

	if (r < 0)
		return r;

	memcpy(context->ca_hash, ca_hash, sizeof(context->ca_hash));
	SSL_CTX_set_cert_verify_callback(context->ssl_context, tls_verify_pinned, context);
	*ret_context = context;
	return 0;
}

void tls_context_free(struct tls_context *context)
{
	if (!context)
		return;

	SSL_CTX_free(context->ssl_context);
	BIO_meth_free(context->transport);
	free(context);
}
