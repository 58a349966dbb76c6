/* SPDX-License-Identifier: MIT */
#include "identity_private.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tacit/fd.h"

#define IDENTITY_MAX_BYTES 65536
#define IDENTITY_COMMENT   "# tacit-server:"
#define IDENTITY_SCHEME    "tacit://"
#define IDENTITY_KIND      "/client/"
#define PEM_LINE_BYTES     48 /* of content, 64 characters */

void crypto_start(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
}

/* Owners for OpenSSL's objects. */
static void key_cleanup(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}
#define cleanup_key __attribute__((cleanup(key_cleanup)))

static void key_context_cleanup(EVP_PKEY_CTX **context)
{
	EVP_PKEY_CTX_free(*context);
}
#define cleanup_key_context __attribute__((cleanup(key_context_cleanup)))

static void request_cleanup(X509_REQ **request)
{
	X509_REQ_free(*request);
}
#define cleanup_request __attribute__((cleanup(request_cleanup)))

static void names_cleanup(GENERAL_NAMES **names)
{
	GENERAL_NAMES_free(*names);
}
#define cleanup_names __attribute__((cleanup(names_cleanup)))

static void pkcs8_cleanup(PKCS8_PRIV_KEY_INFO **info)
{
	PKCS8_PRIV_KEY_INFO_free(*info);
}
#define cleanup_pkcs8 __attribute__((cleanup(pkcs8_cleanup)))

/* One parse: where it stands in the text, and what was found so far. */
struct reader {
	size_t size;
	const char *at;
	const char *end;
	const char *why; /* what is wrong, for the fault */
	struct identity *identity;
};

struct line {
	const char *text;
	size_t len; /* without its line end */
};

static int refuse(struct reader *reader, const char *why)
{
	reader->why = why;
	return -TACIT_E_IDENTITY;
}

/* False at the end. Both line ends are taken, since a file may have come through Windows. */
static bool read_line(struct reader *reader, struct line *ret_line)
{
	const char *text = reader->at;
	const char *newline;

	if (text == reader->end)
		return false;

	newline = memchr(text, '\n', (size_t)(reader->end - text));
	reader->at = newline ? newline + 1 : reader->end;
	ret_line->text = text;
	ret_line->len = (size_t)((newline ? newline : reader->end) - text);
	if (ret_line->len > 0 && text[ret_line->len - 1] == '\r')
		ret_line->len--;
	return true;
}

static bool line_starts(const struct line *line, const char *prefix)
{
	return line->len >= strlen(prefix) && !memcmp(line->text, prefix, strlen(prefix));
}

static bool line_is_blank(const struct line *line)
{
	for (size_t i = 0; i < line->len; i++)
		if (line->text[i] != ' ' && line->text[i] != '\t')
			return false;

	return true;
}

/*
 * Three encodings of a P-256 key, byte for byte what DER allows: PKCS #8 (RFC 5958) without and
 * with the curve repeated inside, and SEC 1 (RFC 5915). `private` and `public` are where the 32
 * and 65 bytes of the key stand; everything else is fixed. OpenSSL 3's own decoder takes 1.6 ms
 * for the first key that it meets, which is more than all other work before the handshake.
 */
#define P256_OID       "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
#define EC_OID         "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
#define P256_PRIVATE   32
#define P256_PUBLIC    65
#define PUBLIC_TAG     "\xa1\x44\x03\x42\x00"
#define FIXED(literal) literal, sizeof(literal) - 1

static const struct key_form {
	const char *head;
	size_t head_len;
	const char *middle; /* between the private and the public part */
	size_t middle_len;
} key_forms[] = {
    {FIXED(
         "\x30\x81\x87\x02\x01\x00\x30\x13" EC_OID P256_OID "\x04\x6d\x30\x6b\x02\x01\x01\x04\x20"),
        FIXED(PUBLIC_TAG)},
    {FIXED(
         "\x30\x81\x93\x02\x01\x00\x30\x13" EC_OID P256_OID "\x04\x79\x30\x77\x02\x01\x01\x04\x20"),
        FIXED("\xa0\x0a" P256_OID PUBLIC_TAG)},
    {FIXED("\x30\x77\x02\x01\x01\x04\x20"), FIXED("\xa0\x0a" P256_OID PUBLIC_TAG)},
};

static EVP_PKEY *key_build(const uint8_t *private, const uint8_t *public)
{
	cleanup_key_context EVP_PKEY_CTX *context = NULL;
	uint8_t native[P256_PRIVATE]; /* OSSL_PARAM wants this machine's byte order */
	char group[] = "P-256";
	EVP_PKEY *key = NULL;
	uint8_t point[P256_PUBLIC];
	OSSL_PARAM parameters[] = {
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group) - 1),
	    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
	    OSSL_PARAM_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, sizeof(native)),
	    OSSL_PARAM_END,
	};

	memcpy(point, public, sizeof(point));
	for (size_t i = 0; i < sizeof(native); i++)
		native[i] =
		    private[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? sizeof(native) - 1 - i : i];

	context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	if (!context || EVP_PKEY_fromdata_init(context) <= 0 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters) <= 0)
		key = NULL;
	OPENSSL_cleanse(native, sizeof(native));
	return key;
}

static EVP_PKEY *key_decode_p256(const uint8_t *der, size_t len)
{
	for (size_t i = 0; i < sizeof(key_forms) / sizeof(key_forms[0]); i++) {
		const struct key_form *form = &key_forms[i];
		size_t middle_at = form->head_len + P256_PRIVATE;
		size_t public_at = middle_at + form->middle_len;

		if (len == public_at + P256_PUBLIC && !memcmp(der, form->head, form->head_len) &&
		    !memcmp(der + middle_at, form->middle, form->middle_len))
			return key_build(der + form->head_len, der + public_at);
	}

	return NULL;
}

static int take_key(struct reader *reader, const uint8_t *der, size_t len)
{
	const unsigned char *at = der;

	if (reader->identity->key)
		return refuse(reader, "holds more than one private key");

	reader->identity->key = key_decode_p256(der, len);
	if (reader->identity->key)
		return 0;

	reader->identity->key = d2i_AutoPrivateKey(NULL, &at, (long)len);
	if (!reader->identity->key || at != der + len)
		return refuse(reader, "the private key cannot be read");

	return 0;
}

/* The first certificate is the client's, the second the CA's. */
static int take_certificate(struct reader *reader, const uint8_t *der, size_t len)
{
	struct identity *identity = reader->identity;
	X509 **place = identity->certificate ? &identity->ca : &identity->certificate;
	const unsigned char *at = der;

	if (*place)
		return refuse(reader, "holds more than two certificates");

	*place = d2i_X509(NULL, &at, (long)len);
	if (!*place || at != der + len)
		return refuse(reader, "a certificate cannot be read");

	return 0;
}

static const struct block_kind {
	const char *label;
	int (*take)(struct reader *reader, const uint8_t *der, size_t len);
} block_kinds[] = {
    {"PRIVATE KEY", take_key},
    {"EC PRIVATE KEY", take_key},
    {"CERTIFICATE", take_certificate},
};

static const struct block_kind *block_kind(const struct line *begin)
{
	char expected[64];

	for (size_t i = 0; i < sizeof(block_kinds) / sizeof(block_kinds[0]); i++) {
		(void)snprintf(
		    expected, sizeof(expected), "-----BEGIN %s-----", block_kinds[i].label);
		if (begin->len == strlen(expected) && line_starts(begin, expected))
			return &block_kinds[i];
	}

	return NULL;
}

/* Collects the lines up to the matching END; a block that does not end was cut off. */
static int read_block(
    struct reader *reader, const struct block_kind *kind, struct secret **ret_base64)
{
	cleanup_secret struct secret *base64 = NULL;
	struct line line;
	char end[64];

	/* Room enough not to grow, and the same each time, so that one block of the arena serves.
	 */
	if (secret_new(reader->size, &base64) < 0)
		return -ENOMEM;

	(void)snprintf(end, sizeof(end), "-----END %s-----", kind->label);
	while (read_line(reader, &line)) {
		if (line.len == strlen(end) && line_starts(&line, end)) {
			*ret_base64 = secret_take(&base64);
			return 0;
		}
		if (secret_append(base64, line.text, line.len) < 0)
			return -ENOMEM;
	}

	return refuse(reader, "is cut off");
}

static int read_and_take_block(struct reader *reader, const struct line *begin)
{
	cleanup_secret struct secret *base64 = NULL;
	cleanup_secret struct secret *der = NULL;
	const struct block_kind *kind = block_kind(begin);
	int r;

	if (!kind)
		return refuse(reader, "holds something else than a key and two certificates");
	r = read_block(reader, kind, &base64);
	if (r < 0)
		return r;

	r = secret_from_base64((const char *)secret_bytes(base64), secret_len(base64), &der);
	if (r == -TACIT_E_MALFORMED || (r == 0 && secret_len(der) == 0))
		return refuse(reader, "a block is not valid base64");
	if (r < 0)
		return r;

	return kind->take(reader, secret_bytes(der), secret_len(der));
}

/* `# tacit-server: URL[,URL]...`; any other comment is just that. */
static int take_comment(struct reader *reader, const struct line *line)
{
	struct identity *identity = reader->identity;
	const char *value = line->text + strlen(IDENTITY_COMMENT);
	size_t len = line->len - strlen(IDENTITY_COMMENT);
	struct url urls[URL_LIST_MAX];
	size_t count;

	if (!line_starts(line, IDENTITY_COMMENT))
		return 0;

	for (; len > 0 && isblank((unsigned char)*value); len--)
		value++;
	for (; len > 0 && isblank((unsigned char)value[len - 1]);)
		len--;
	if (identity->server[0])
		return refuse(reader, "holds more than one tacit-server line");
	if (len >= sizeof(identity->server) || strnlen(value, len) != len)
		return refuse(reader, "its tacit-server line is not a URL");

	memcpy(identity->server, value, len);
	identity->server[len] = '\0';
	if (url_parse_list(identity->server, urls, &count) < 0)
		return refuse(reader, "its tacit-server line is not a URL");

	return 0;
}

static int read_all(struct reader *reader)
{
	struct line line;
	int r = 0;

	while (r == 0 && read_line(reader, &line)) {
		if (line_is_blank(&line))
			continue;
		if (line.text[0] == '#')
			r = take_comment(reader, &line);
		else
			r = read_and_take_block(reader, &line);
	}

	return r;
}

static int check_complete(struct reader *reader)
{
	const struct identity *identity = reader->identity;

	if (!identity->key && !identity->certificate)
		return refuse(reader, NULL);
	if (!identity->key)
		return refuse(reader, "holds no private key");
	if (!identity->certificate)
		return refuse(reader, "holds no certificate");
	if (!identity->ca)
		return refuse(reader, "holds no CA certificate");

	return 0;
}

static int check_signatures(struct reader *reader)
{
	const struct identity *identity = reader->identity;

	if (X509_check_private_key(identity->certificate, identity->key) != 1)
		return refuse(reader, "the certificate does not belong to the private key");
	if (X509_check_ca(identity->ca) != 1)
		return refuse(reader, "the second certificate is not that of a CA");
	if (X509_check_issued(identity->ca, identity->certificate) != X509_V_OK ||
	    X509_verify(identity->certificate, X509_get0_pubkey(identity->ca)) != 1)
		return refuse(reader, "the CA did not sign the certificate");
	if (X509_check_purpose(identity->certificate, X509_PURPOSE_SSL_CLIENT, 0) != 1)
		return refuse(reader, "the certificate is not for a client");

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

static int check_validity(struct reader *reader)
{
	struct identity *identity = reader->identity;
	int64_t ca_not_before, ca_not_after;
	int64_t now = time(NULL);

	if (parse_time(X509_get0_notBefore(identity->certificate), &identity->not_before) < 0 ||
	    parse_time(X509_get0_notAfter(identity->certificate), &identity->not_after) < 0 ||
	    parse_time(X509_get0_notBefore(identity->ca), &ca_not_before) < 0 ||
	    parse_time(X509_get0_notAfter(identity->ca), &ca_not_after) < 0)
		return refuse(reader, "a certificate's validity cannot be read");

	if (now < identity->not_before || now > identity->not_after)
		return -TACIT_E_IDENTITY_EXPIRED;
	if (now < ca_not_before || now > ca_not_after) {
		reader->why = "the CA certificate has expired or is not yet valid";
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
static int check_name(struct reader *reader)
{
	static const char why[] = "the certificate does not name exactly one Tacit client";
	cleanup_names GENERAL_NAMES *names = NULL;
	const ASN1_IA5STRING *uri;
	const GENERAL_NAME *name;

	names = X509_get_ext_d2i(reader->identity->certificate, NID_subject_alt_name, NULL, NULL);
	if (!names || sk_GENERAL_NAME_num(names) != 1)
		return refuse(reader, why);

	name = sk_GENERAL_NAME_value(names, 0);
	if (name->type != GEN_URI)
		return refuse(reader, why);
	uri = name->d.uniformResourceIdentifier;

	/* OpenSSL puts a NUL behind the string, but one inside would hide the rest of it. */
	if (strlen((const char *)ASN1_STRING_get0_data(uri)) != (size_t)ASN1_STRING_length(uri) ||
	    parse_uri((const char *)ASN1_STRING_get0_data(uri), reader->identity->client) < 0)
		return refuse(reader, why);

	return 0;
}

static int identity_fill(struct reader *reader)
{
	static int (*const steps[])(struct reader * reader) = {
	    read_all, check_complete, check_signatures, check_name, check_validity};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int r = steps[i](reader);

		if (r < 0)
			return r;
	}

	return 0;
}

int identity_parse(const struct secret *pem, const char *label, struct identity **ret_identity,
    struct fault *fault)
{
	struct identity *identity = calloc(1, sizeof(*identity));
	struct reader reader = {.size = secret_len(pem), .identity = identity};
	int r;

	if (!identity)
		return fault_set(fault, -ENOMEM, "%s", label);

	crypto_start();
	reader.at = (const char *)secret_bytes(pem);
	reader.end = reader.at + reader.size;
	r = reader.size == 0 ? refuse(&reader, "is empty") : identity_fill(&reader);
	ERR_clear_error();
	if (r < 0) {
		identity_free(identity);
		return fault_set_why(fault, r, reader.why ? reader.why : err_text(r), "%s", label);
	}

	*ret_identity = identity;
	return 0;
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
	return identity_parse(pem, path, ret_identity, fault);
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

int64_t identity_not_before(const struct identity *identity)
{
	return identity->not_before;
}

int64_t identity_not_after(const struct identity *identity)
{
	return identity->not_after;
}

static int pem_print(const char *label, const uint8_t *der, size_t len, struct secret **ret_pem)
{
	cleanup_secret struct secret *pem = NULL;
	char line[64];
	int r;

	r = secret_new(2 * len + 256, &pem);
	(void)snprintf(line, sizeof(line), "-----BEGIN %s-----\n", label);
	if (r == 0)
		r = secret_append_text(pem, line);
	for (size_t at = 0; r == 0 && at < len; at += PEM_LINE_BYTES) {
		size_t part = len - at < PEM_LINE_BYTES ? len - at : PEM_LINE_BYTES;

		r = secret_append_base64(pem, der + at, part);
		if (r == 0)
			r = secret_append_text(pem, "\n");
	}
	(void)snprintf(line, sizeof(line), "-----END %s-----\n", label);
	if (r == 0)
		r = secret_append_text(pem, line);
	if (r < 0)
		return r;

	*ret_pem = secret_take(&pem);
	return 0;
}

static int key_print(const EVP_PKEY *key, struct secret **ret_pem)
{
	cleanup_pkcs8 PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	cleanup_secret struct secret *der = NULL;
	unsigned char *at;
	int len;

	len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, NULL) : -1;
	if (len <= 0)
		return -TACIT_E_INTERNAL;
	if (secret_new((size_t)len, &der) < 0 || !(at = secret_space(der, (size_t)len)))
		return -ENOMEM;

	len = i2d_PKCS8_PRIV_KEY_INFO(info, &at);
	if (len <= 0)
		return -TACIT_E_INTERNAL;
	secret_grew(der, (size_t)len);
	return pem_print("PRIVATE KEY", secret_bytes(der), secret_len(der), ret_pem);
}

static int request_fill(X509_REQ *request, const char *client_name, EVP_PKEY *key)
{
	X509_NAME *subject = X509_REQ_get_subject_name(request);

	if (client_name && X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC,
	                       (const unsigned char *)client_name, -1, -1, 0) != 1)
		return -TACIT_E_INTERNAL;
	if (X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
	    X509_REQ_set_pubkey(request, key) != 1 ||
	    X509_REQ_sign(request, key, EVP_sha256()) <= 0)
		return -TACIT_E_INTERNAL;

	return 0;
}

static int request_print(EVP_PKEY *key, const char *client_name, struct secret **ret_pem)
{
	cleanup_request X509_REQ *request = X509_REQ_new();
	unsigned char *der = NULL;
	int len, r;

	if (!request)
		return -ENOMEM;
	r = request_fill(request, client_name, key);
	if (r < 0)
		return r;

	len = i2d_X509_REQ(request, &der);
	if (len <= 0)
		return -TACIT_E_INTERNAL;
	r = pem_print("CERTIFICATE REQUEST", der, (size_t)len, ret_pem);
	OPENSSL_free(der);
	return r;
}

int identity_new_request(
    const char *client_name, struct secret **ret_key_pem, struct secret **ret_csr_pem)
{
	cleanup_secret struct secret *key_pem = NULL;
	cleanup_secret struct secret *csr_pem = NULL;
	cleanup_key EVP_PKEY *key = NULL;
	int r;

	crypto_start();
	key = EVP_EC_gen("P-256");
	r = key ? key_print(key, &key_pem) : -TACIT_E_INTERNAL;
	if (r == 0)
		r = request_print(key, client_name, &csr_pem);
	ERR_clear_error();
	if (r < 0)
		return r;

	*ret_key_pem = secret_take(&key_pem);
	*ret_csr_pem = secret_take(&csr_pem);
	return 0;
}

/* Appends a PEM text, which may lack its last line end. */
static int append_pem(struct secret *out, const void *pem, size_t len)
{
	const char *text = pem;
	int r = secret_append(out, pem, len);

	if (r == 0 && len > 0 && text[len - 1] != '\n')
		r = secret_append_text(out, "\n");
	return r;
}

int identity_compose(const char *server, const struct secret *key_pem, const char *certificate_pem,
    const char *ca_pem, struct secret **ret_pem)
{
	cleanup_secret struct secret *pem = NULL;
	int r;

	r = secret_new(secret_len(key_pem) + strlen(certificate_pem) + strlen(ca_pem) + 4096, &pem);
	if (r == 0 && server && *server) {
		r = secret_append_text(pem, IDENTITY_COMMENT " ");
		if (r == 0)
			r = append_pem(pem, server, strlen(server));
	}
	if (r == 0)
		r = append_pem(pem, secret_bytes(key_pem), secret_len(key_pem));
	if (r == 0)
		r = append_pem(pem, certificate_pem, strlen(certificate_pem));
	if (r == 0)
		r = append_pem(pem, ca_pem, strlen(ca_pem));
	if (r < 0)
		return r;

	*ret_pem = secret_take(&pem);
	return 0;
}
