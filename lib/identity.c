/* SPDX-License-Identifier: MIT */
#include "identity_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tacit/fd.h"

#define IDENTITY_MAX_BYTES 65536
#define IDENTITY_SCHEME    "tacit://"
#define IDENTITY_KIND      "/client/"

void crypto_start(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
}

static void names_cleanup(GENERAL_NAMES **names)
{
	GENERAL_NAMES_free(*names);
}
#define cleanup_names __attribute__((cleanup(names_cleanup)))

static int check_complete(struct identity *identity, const char **ret_why)
{
	if (!identity->key && !identity->certificate)
		return identity_refuse(ret_why, NULL);
	if (!identity->key)
		return identity_refuse(ret_why, "holds no private key");
	if (!identity->certificate)
		return identity_refuse(ret_why, "holds no certificate");
	if (!identity->ca)
		return identity_refuse(ret_why, "holds no CA certificate");

	return 0;
}

static int check_signatures(struct identity *identity, const char **ret_why)
{
	if (X509_check_private_key(identity->certificate, identity->key) != 1)
		return identity_refuse(
		    ret_why, "the certificate does not belong to the private key");
	if (X509_check_ca(identity->ca) != 1)
		return identity_refuse(ret_why, "the second certificate is not that of a CA");
	if (X509_check_issued(identity->ca, identity->certificate) != X509_V_OK ||
	    X509_verify(identity->certificate, X509_get0_pubkey(identity->ca)) != 1)
		return identity_refuse(ret_why, "the CA did not sign the certificate");
	if (X509_check_purpose(identity->certificate, X509_PURPOSE_SSL_CLIENT, 0) != 1)
		return identity_refuse(ret_why, "the certificate is not for a client");

	return 0;
}

static int parse_time(const ASN1_TIME *time, int64_t *ret_seconds)
{
	struct tm broken_down;

	if (ASN1_TIME_to_tm(time, &broken_down) != 1)
		return -TACIT_E_IDENTITY;

	*ret_seconds = timegm(&broken_down);
	return 0;
}

static int check_validity(struct identity *identity, const char **ret_why)
{
	int64_t ca_not_before, ca_not_after;
	int64_t now = time(NULL);

	if (parse_time(X509_get0_notBefore(identity->certificate), &identity->not_before) < 0 ||
	    parse_time(X509_get0_notAfter(identity->certificate), &identity->not_after) < 0 ||
	    parse_time(X509_get0_notBefore(identity->ca), &ca_not_before) < 0 ||
	    parse_time(X509_get0_notAfter(identity->ca), &ca_not_after) < 0)
		return identity_refuse(ret_why, "a certificate's validity cannot be read");

	if (now < identity->not_before || now > identity->not_after)
		return -TACIT_E_IDENTITY_EXPIRED;
	if (now < ca_not_before || now > ca_not_after) {
		*ret_why = "the CA certificate has expired or is not yet valid";
		return -TACIT_E_IDENTITY_EXPIRED;
	}

	return 0;
}

/* Splits `tacit://TRUST-DOMAIN/client/NAME`. */
static int parse_uri(const char *uri, char ret_client[static CLIENT_NAME_MAX_BYTES + 1])
{
	const char *domain = uri + strlen(IDENTITY_SCHEME);
	const char *name;
	size_t domain_len;

	if (strncmp(uri, IDENTITY_SCHEME, strlen(IDENTITY_SCHEME)) != 0)
		return -TACIT_E_IDENTITY;

	domain_len = strspn(domain, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                            "0123456789-._:[]");
	name = domain + domain_len + strlen(IDENTITY_KIND);
	if (domain_len == 0 ||
	    strncmp(domain + domain_len, IDENTITY_KIND, strlen(IDENTITY_KIND)) != 0 ||
	    !name_is_client(name))
		return -TACIT_E_IDENTITY;

	(void)snprintf(ret_client, CLIENT_NAME_MAX_BYTES + 1, "%s", name);
	return 0;
}

/* A certificate that also stands for something else is not one of ours. */
static int check_name(struct identity *identity, const char **ret_why)
{
	static const char why[] = "the certificate does not name exactly one Tacit client";
	cleanup_names GENERAL_NAMES *names = NULL;
	const ASN1_IA5STRING *uri;
	const GENERAL_NAME *name;

	names = X509_get_ext_d2i(identity->certificate, NID_subject_alt_name, NULL, NULL);
	if (!names || sk_GENERAL_NAME_num(names) != 1)
		return identity_refuse(ret_why, why);

	name = sk_GENERAL_NAME_value(names, 0);
	if (name->type != GEN_URI)
		return identity_refuse(ret_why, why);
	uri = name->d.uniformResourceIdentifier;

	/* OpenSSL puts a NUL behind the string, but one inside would hide the rest of it. */
	if (strlen((const char *)ASN1_STRING_get0_data(uri)) != (size_t)ASN1_STRING_length(uri) ||
	    parse_uri((const char *)ASN1_STRING_get0_data(uri), identity->client) < 0)
		return identity_refuse(ret_why, why);

	return 0;
}

static int identity_check(struct identity *identity, const char **ret_why)
{
	static int (*const steps[])(struct identity * identity, const char **ret_why) = {
	    check_complete, check_signatures, check_name, check_validity};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int r = steps[i](identity, ret_why);

		if (r < 0)
			return r;
	}

	return 0;
}

/* An empty one; `path` may be NULL. NULL when there is no memory. */
static struct identity *identity_new(const char *path)
{
	struct identity *identity = calloc(1, sizeof(*identity));

	if (!identity || !path)
		return identity;

	identity->path = strdup(path);
	if (identity->path)
		return identity;

	free(identity);
	return NULL;
}

static int identity_fill(
    struct identity *identity, const struct secret *pem, const char *label, struct fault *fault)
{
	const char *why = NULL;
	int r;

	crypto_start();
	r = identity_read(pem, identity, &why);
	if (r == 0)
		r = identity_check(identity, &why);
	ERR_clear_error();

	return r < 0 ? fault_set_why(fault, r, why ? why : err_text(r), "%s", label) : 0;
}

static int identity_make(const struct secret *pem, const char *label, const char *path,
    struct identity **ret_identity, struct fault *fault)
{
	struct identity *identity = identity_new(path);
	int r;

	if (!identity)
		return fault_set(fault, -ENOMEM, "%s", label);

	r = identity_fill(identity, pem, label, fault);
	if (r < 0) {
		identity_free(identity);
		return r;
	}

	*ret_identity = identity;
	return 0;
}

int identity_parse(const struct secret *pem, const char *label, struct identity **ret_identity,
    struct fault *fault)
{
	return identity_make(pem, label, NULL, ret_identity, fault);
}

/* Opens without waiting for a writer, should somebody have put a FIFO there. */
static int identity_open(const char *path, size_t *ret_size, struct fault *fault)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fault_set(fault, -errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return fault_set_why(fault, -TACIT_E_IDENTITY, "is not a regular file", "%s", path);
	if (st.st_mode & S_IRWXO)
		return fault_set(fault, -TACIT_E_IDENTITY_MODE, "%s", path);
	if (st.st_size > IDENTITY_MAX_BYTES)
		return fault_set(fault, -TACIT_E_IDENTITY, "%s", path);

	*ret_size = (size_t)st.st_size;
	return fd_take(&fd);
}

/* Takes the size from fstat(2), so that the text lies in one piece of memory from the start. */
static int identity_load_path(const char *path, struct identity **ret_identity, struct fault *fault)
{
	cleanup_secret struct secret *pem = NULL;
	size_t size = 0;
	cleanup_fd int fd = identity_open(path, &size, fault);
	size_t len = 0;
	int r;

	if (fd < 0)
		return fd;

	r = secret_new(size, &pem);
	if (r == 0)
		r = fd_read_full(fd, secret_space(pem, size), size, &len);
	if (r < 0)
		return fault_set(fault, r, "%s", path);

	secret_grew(pem, len);
	return identity_make(pem, path, path, ret_identity, fault);
}

static bool is_absent(int err)
{
	return err == -ENOENT || err == -ENOTDIR;
}

int identity_load(const char *path, struct identity **ret_identity, struct fault *fault)
{
	static const char system_path[] = "/run/tacit/identity.pem";
	const char *home = getenv("HOME");
	char home_path[4096];
	int r;

	if (!path)
		path = getenv("TACIT_IDENTITY");
	if (path && *path) {
		r = identity_load_path(path, ret_identity, fault);
		return r == -ENOENT ? fault_set(fault, -TACIT_E_NO_IDENTITY, "%s", path) : r;
	}

	r = identity_load_path(system_path, ret_identity, fault);
	if (!is_absent(r) || !home || home[0] != '/')
		return is_absent(r) ? fault_set(fault, -TACIT_E_NO_IDENTITY, "%s", system_path) : r;

	(void)snprintf(home_path, sizeof(home_path), "%s/.config/tacit/identity.pem", home);
	r = identity_load_path(home_path, ret_identity, fault);
	return is_absent(r)
	           ? fault_set(fault, -TACIT_E_NO_IDENTITY, "%s, %s", system_path, home_path)
	           : r;
}

void identity_free(struct identity *identity)
{
	if (!identity)
		return;

	EVP_PKEY_free(identity->key); /* wipes */
	X509_free(identity->certificate);
	X509_free(identity->ca);
	free(identity->path);
	free(identity);
}

void identity_cleanup(struct identity **identity)
{
	identity_free(*identity);
	*identity = NULL;
}

const char *identity_server(const struct identity *identity)
{
	return identity->server;
}

const char *identity_client(const struct identity *identity)
{
	return identity->client;
}

const char *identity_path(const struct identity *identity)
{
	return identity->path;
}

static int certificate_hash(
    const X509 *certificate, uint8_t ret_hash[static IDENTITY_CA_HASH_BYTES])
{
	unsigned len = IDENTITY_CA_HASH_BYTES;

	return X509_digest(certificate, EVP_sha256(), ret_hash, &len) == 1 ? 0 : -TACIT_E_INTERNAL;
}

int identity_ca_hash(
    const struct identity *identity, uint8_t ret_hash[static IDENTITY_CA_HASH_BYTES])
{
	return certificate_hash(identity->ca, ret_hash);
}

bool certificate_has_hash(
    const X509 *certificate, const uint8_t hash[static IDENTITY_CA_HASH_BYTES])
{
	uint8_t own[IDENTITY_CA_HASH_BYTES];

	return certificate_hash(certificate, own) == 0 && memcmp(own, hash, sizeof(own)) == 0;
}

int64_t identity_not_before(const struct identity *identity)
{
	return identity->not_before;
}

int64_t identity_not_after(const struct identity *identity)
{
	return identity->not_after;
}
