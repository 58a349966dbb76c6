/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "tacit/http_client.h"

static const struct {
	int status;
	int err;
} status_errors[] = {
    {400, -TACIT_E_MALFORMED},
    {401, -TACIT_E_UNAUTHENTICATED},
    {403, -TACIT_E_DENIED},
    {404, -TACIT_E_NOT_FOUND},
    {405, -TACIT_E_METHOD},
    {409, -TACIT_E_CONFLICT},
    {412, -TACIT_E_PRECONDITION},
    {413, -TACIT_E_TOO_LARGE},
    {431, -TACIT_E_HEADERS_TOO_LARGE},
    {500, -TACIT_E_INTERNAL},
    {502, -TACIT_E_UNREACHABLE},
    {503, -TACIT_E_UNREACHABLE},
    {504, -TACIT_E_TIMEOUT},
};

static int verdict_of_status(int status)
{
	for (size_t i = 0; i < sizeof(status_errors) / sizeof(status_errors[0]); i++)
		if (status_errors[i].status == status)
			return status_errors[i].err;

	return -TACIT_E_PROTOCOL;
}

int http_response_verdict(
    const struct http_response *response, const char *what, struct fault *fault)
{
	int status = response->status;
	char why[200] = "";
	int err;

	if ((status >= 200 && status < 300) || status == 304)
		return 0;

	if (!strcmp(response->content_type, PROTO_TYPE_PROBLEM) &&
	    proto_problem_parse(secret_bytes(response->body), secret_len(response->body), &err, why,
	        sizeof(why)) == 0 &&
	    err < 0)
		return fault_set_why(fault, err, why, "%s", what);

	if (status >= 300 && status < 400)
		(void)snprintf(why, sizeof(why),
		    "the server answered with a redirect (%d), which is not followed", status);
	else
		(void)snprintf(why, sizeof(why), "the server answered %d", status);
	return fault_set_why(fault, verdict_of_status(status), why, "%s", what);
}
