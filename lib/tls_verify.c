/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <openssl/x509v3.h>

#include "identity_private.h"
#include "tacit/proto.h"
#include "tls_private.h"

enum mark {
	MARK_NONE,
	MARK_SEALED, /* the certificate of a sealed server, and of nothing else */
	MARK_MIXED,  /* almost that */
};

/* RFC 6962, 3.1: critical, and ASN.1's NULL. */
static bool is_poison(X509_EXTENSION *extension)
{
	static const uint8_t null[] = {0x05, 0x00};
	const ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(extension);

	return OBJ_obj2nid(X509_EXTENSION_get_object(extension)) == NID_ct_precert_poison &&
	       ASN1_STRING_length(data) == sizeof(null) &&
	       memcmp(ASN1_STRING_get0_data(data), null, sizeof(null)) == 0;
}

/* Whether the poison is what OpenSSL objects to, and nothing beside it. */
static bool is_poisoned(const X509 *certificate)
{
	bool found = false;

	for (int i = 0; i < X509_get_ext_count(certificate); i++) {
		X509_EXTENSION *extension = X509_get_ext(certificate, i);

		if (!X509_EXTENSION_get_critical(extension) || X509_supported_extension(extension))
			continue;
		if (found || !is_poison(extension))
			return false;
		found = true;
	}

	return found;
}

static bool holds(const ASN1_OCTET_STRING *usage, const uint8_t *bytes, size_t len)
{
	return memmem(ASN1_STRING_get0_data(usage), (size_t)ASN1_STRING_length(usage), bytes,
	           len) != NULL;
}

static enum mark mark_of(const X509 *certificate)
{
	int at = X509_get_ext_by_NID(certificate, NID_ext_key_usage, -1);
	const ASN1_OCTET_STRING *usage;

	if (at < 0)
		return MARK_NONE;
	if (X509_get_ext_by_NID(certificate, NID_ext_key_usage, at) >= 0)
		return MARK_MIXED;

	/* The OID without the list around it. */
	usage = X509_EXTENSION_get_data(X509_get_ext(certificate, at));
	if (!holds(usage, proto_sealed_usage + 2, PROTO_SEALED_USAGE_BYTES - 2))
		return MARK_NONE;

	return ASN1_STRING_length(usage) == PROTO_SEALED_USAGE_BYTES &&
	               holds(usage, proto_sealed_usage, PROTO_SEALED_USAGE_BYTES) &&
	               is_poisoned(certificate)
	           ? MARK_SEALED
	           : MARK_MIXED;
}

/* What the two marks are objected to for. */
static bool is_objection(int err)
{
	return err == X509_V_ERR_INVALID_PURPOSE || err == X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION;
}

int tls_verify_purpose(int ok, X509_STORE_CTX *store)
{
	X509 *certificate = X509_STORE_CTX_get0_cert(store);

	if (X509_STORE_CTX_get_error_depth(store) != 0)
		return ok;

	if (mark_of(certificate) == MARK_MIXED) {
		X509_STORE_CTX_set_error(store, X509_V_ERR_INVALID_PURPOSE);
		return 0;
	}
	if (ok || !is_objection(X509_STORE_CTX_get_error(store)) ||
	    mark_of(certificate) != MARK_SEALED ||
	    !(X509_get_key_usage(certificate) & KU_DIGITAL_SIGNATURE))
		return ok;

	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

bool tls_verify_is_sealed(const SSL *ssl)
{
	const X509 *certificate = SSL_get0_peer_certificate(ssl);

	return certificate && mark_of(certificate) != MARK_NONE;
}

/* A negative return suspends the handshake; it is never taken up again. */
int tls_verify_before_ours(SSL *ssl, void *context)
{
	(void)context;
	return tls_verify_is_sealed(ssl) ? -1 : 1;
}

/* The CA among what the server has sent, or NULL. */
static X509 *find_pinned(STACK_OF(X509) * sent, const uint8_t hash[static IDENTITY_CA_HASH_BYTES])
{
	for (int i = 0; i < sk_X509_num(sent); i++) {
		X509 *certificate = sk_X509_value(sent, i);

		if (certificate_has_hash(certificate, hash) && X509_check_ca(certificate) == 1)
			return certificate;
	}

	return NULL;
}

/* Makes the pinned CA the only anchor, and lets OpenSSL verify the chain to it as any other. */
int tls_verify_pinned(X509_STORE_CTX *store, void *argument)
{
	const struct tls_context *context = argument;
	X509 *ca = find_pinned(X509_STORE_CTX_get0_untrusted(store), context->ca_hash);
	STACK_OF(X509) *anchors = ca ? sk_X509_new_null() : NULL;
	int result = 0;

	if (anchors && sk_X509_push(anchors, ca) > 0) {
		X509_STORE_CTX_set0_trusted_stack(store, anchors);
		result = X509_verify_cert(store);
	} else {
		X509_STORE_CTX_set_error(store, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
	}

	sk_X509_free(anchors);
	return result;
}

static const struct {
	long verdict;
	int err;
} verdicts[] = {
    {X509_V_ERR_HOSTNAME_MISMATCH, -TACIT_E_TLS_HOST},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, -TACIT_E_TLS_HOST},
    {X509_V_ERR_CERT_HAS_EXPIRED, -TACIT_E_TLS_SERVER_EXPIRED},
    {X509_V_ERR_CERT_NOT_YET_VALID, -TACIT_E_TLS_SERVER_EXPIRED},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, -TACIT_E_TLS_CA},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, -TACIT_E_TLS_CA},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, -TACIT_E_TLS_CA},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, -TACIT_E_TLS_CA},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, -TACIT_E_TLS_CA},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, -TACIT_E_TLS_CA},
};

int tls_verify_error(long verdict)
{
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if (verdict == verdicts[i].verdict)
			return verdicts[i].err;

	return 0;
}
