/* SPDX-License-Identifier: MIT */
#include "test_pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "tacit/identity.h"

static void must(bool condition)
{
	if (condition)
		return;

	ERR_print_errors_fp(stderr);
	abort();
}

EVP_PKEY *pki_key(const char *curve_or_type)
{
	EVP_PKEY *key;

	if (!strcmp(curve_or_type, "RSA"))
		key = EVP_RSA_gen(2048);
	else if (!strcmp(curve_or_type, "ED25519"))
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else
		key = EVP_EC_gen(curve_or_type);
	must(key != NULL);
	return key;
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;

	if (!value)
		return;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_nconf_nid(NULL, &context, nid, value);
	must(extension && X509_add_ext(certificate, extension, -1) == 1);
	X509_EXTENSION_free(extension);
}

/* Critical, and with NULL for its value, if it is to be there. */
static void add_unknown(X509 *certificate, const char *oid, bool wanted)
{
	static const unsigned char null[] = {0x05, 0x00};
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension;

	must(object && data && ASN1_OCTET_STRING_set(data, null, sizeof(null)) == 1);
	extension = X509_EXTENSION_create_by_OBJ(NULL, object, 1, data);
	must(extension && (!wanted || X509_add_ext(certificate, extension, -1) == 1));
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(data);
	ASN1_OBJECT_free(object);
}

static void add_serial(X509 *certificate)
{
	uint64_t serial;

	must(RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1);
	must(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1);
}

static void add_validity(X509 *certificate, const struct pki_spec *spec)
{
	bool given = spec->from_s != 0 || spec->to_s != 0;
	long from_s = given ? (long)spec->from_s : -3600;
	long to_s = given ? (long)spec->to_s : 86400;

	must(X509_gmtime_adj(X509_getm_notBefore(certificate), from_s) != NULL);
	must(X509_gmtime_adj(X509_getm_notAfter(certificate), to_s) != NULL);
}

struct pki_pair pki_certify(const struct pki_pair *ca, const struct pki_spec *spec, EVP_PKEY *key)
{
	X509 *certificate = X509_new();
	X509 *issuer = ca ? ca->certificate : certificate;
	EVP_PKEY *signer = ca ? ca->key : key;
	bool plain = EVP_PKEY_is_a(signer, "ED25519");

	must(certificate && X509_set_version(certificate, X509_VERSION_3) == 1);
	add_serial(certificate);
	add_validity(certificate, spec);
	must(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
	         (const unsigned char *)spec->common_name, -1, -1, 0) == 1);
	must(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1);
	must(X509_set_pubkey(certificate, key) == 1);

	add_extension(certificate, issuer, NID_basic_constraints,
	    spec->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_extension(certificate, issuer, NID_key_usage,
	    spec->ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
	add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
	add_extension(certificate, issuer, NID_ext_key_usage, spec->usage);
	add_extension(certificate, issuer, NID_subject_alt_name, spec->san);
	add_unknown(certificate, "1.3.6.1.4.1.11129.2.4.3", spec->poison);
	add_unknown(certificate, "1.3.6.1.4.1.32473.1", spec->stranger); /* RFC 5612: an example */
	must(X509_sign(certificate, signer, plain ? NULL : EVP_sha256()) > 0);

	return (struct pki_pair){key, certificate};
}

struct pki_pair pki_issue(const struct pki_pair *ca, const struct pki_spec *spec)
{
	return pki_certify(ca, spec, pki_key("P-256"));
}

struct pki_pair pki_ca(const char *common_name)
{
	return pki_issue(NULL, &(struct pki_spec){.common_name = common_name, .ca = true});
}

struct pki_pair pki_client(const struct pki_pair *ca, const char *name)
{
	char san[128];

	(void)snprintf(san, sizeof(san), "URI:tacit://test/client/%s", name);
	return pki_issue(
	    ca, &(struct pki_spec){.common_name = name, .san = san, .usage = "clientAuth"});
}

struct pki_pair pki_server(const struct pki_pair *ca)
{
	return pki_issue(ca, &(struct pki_spec){.common_name = "server",
	                         .san = "IP:127.0.0.1,IP:::1,DNS:localhost",
	                         .usage = "serverAuth"});
}

void pki_free(struct pki_pair *pair)
{
	EVP_PKEY_free(pair->key);
	X509_free(pair->certificate);
	*pair = (struct pki_pair){NULL, NULL};
}

/* Takes `bio` over and returns its content as a text. */
static char *bio_text(BIO *bio)
{
	char *bytes;
	long len = BIO_get_mem_data(bio, &bytes);
	char *text = strndup(bytes, (size_t)len);

	must(len > 0 && text);
	BIO_free(bio);
	return text;
}

char *pki_key_pem(const EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());

	must(bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
	return bio_text(bio);
}

char *pki_certificate_pem(const struct pki_pair *pair)
{
	BIO *bio = BIO_new(BIO_s_mem());

	must(bio && PEM_write_bio_X509(bio, pair->certificate) == 1);
	return bio_text(bio);
}

struct secret *pki_identity(
    const char *server, const struct pki_pair *client, const struct pki_pair *ca)
{
	char *key_pem = pki_key_pem(client->key);
	char *certificate_pem = pki_certificate_pem(client);
	char *ca_pem = pki_certificate_pem(ca);
	struct secret *key = NULL;
	struct secret *identity = NULL;

	must(secret_new_from(key_pem, strlen(key_pem), &key) == 0);
	must(identity_compose(server, key, certificate_pem, ca_pem, &identity) == 0);
	secret_free(key);
	free(key_pem);
	free(certificate_pem);
	free(ca_pem);
	return identity;
}
