/* SPDX-License-Identifier: MIT */
#include "health.h"

#include <errno.h>

#include "tacit/json.h"

/* Asks as a peer without a certificate would, so that both get one judgement. */
static int health_ask(struct server *server, struct response *ret_response)
{
	cleanup_secret struct secret *nothing = NULL;
	char path[] = "/v1/health";
	struct request request = {
	    .door = DOOR_ENROLMENT, .method = "GET", .path = path, .id = "health"};

	if (secret_new(0, &nothing) < 0)
		return -ENOMEM;

	request.body = nothing;
	return route_handle(server, &request, ret_response);
}

int health_check(struct server *server, const char *dir, struct fault *fault)
{
	cleanup_json struct json *answer = NULL;
	struct response response = {0};
	const char *status = NULL;
	int r = health_ask(server, &response);

	if (r < 0)
		return fault_set(fault, r, "%s", dir);
	if (response.status != 200) {
		if (json_parse(
		        secret_bytes(response.body), secret_len(response.body), &answer, NULL) == 0)
			status = json_text_at(answer, "status");
		r = fault_set_why(
		    fault, -TACIT_E_UNHEALTHY, status ? status : "no answer", "%s", dir);
	}

	secret_free(response.body);
	return r;
}
