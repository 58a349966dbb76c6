/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "must.h"
#include "tacit/proto.h"

/* What a path escapes is undone exactly; what it cannot hold is refused. */
static void check_path(const char *text)
{
	char path[PROTO_PATH_MAX_BYTES];

	if (proto_path(path, "/v1/secrets/%s", text) < 0) {
		must(strlen(text) * 3 + strlen("/v1/secrets/") >= PROTO_PATH_MAX_BYTES);
		return;
	}

	must(!strpbrk(path + strlen("/v1/secrets/"), "/?#&=+ \r\n"));
	must(proto_unescape(path) == 0);
	must(!strcmp(path + strlen("/v1/secrets/"), text));
}

static void check_unescape(const char *text)
{
	char *copy = strdup(text);

	if (copy && proto_unescape(copy) == 0)
		must(strlen(copy) <= strlen(text));
	free(copy);
}

static void check_problem(const uint8_t *bytes, size_t len)
{
	char detail[128] = "", detail_back[128] = "";
	cleanup_secret struct secret *body = NULL;
	int err = 0, err_back = 0;

	if (proto_problem_parse(bytes, len, &err, detail, sizeof(detail)) < 0) {
		must(err == 0 && detail[0] == '\0');
		return;
	}

	must(err <= -TACIT_E_BASE && strlen(detail) < sizeof(detail));
	/* A detail that was cut may end within a character, which is no JSON any more. */
	if (strlen(detail) == sizeof(detail) - 1)
		return;
	must(proto_problem_print(err, detail, "r", &body) == 0);
	must(proto_problem_parse(secret_bytes(body), secret_len(body), &err_back, detail_back,
	         sizeof(detail_back)) == 0);
	must(err_back == err && !strcmp(detail_back, detail));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = malloc(len + 1);

	if (!text)
		return 0;
	if (len > 0)
		memcpy(text, bytes, len);
	text[len] = '\0';
	check_path(text);
	check_unescape(text);
	check_problem(bytes, len);
	free(text);
	return 0;
}
