/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "asker.h"

int asker_find(struct exchange *exchange, struct asker *ret_asker)
{
	const struct request *request = exchange->request;
	char *port;

	(void)snprintf(ret_asker->address, sizeof(ret_asker->address), "%s", request->peer);
	port = strrchr(ret_asker->address, ':');
	if (port)
		*port = '\0';
	if (request->instance &&
	    proto_instance_parse(request->instance, ret_asker->name, &ret_asker->watches) < 0) {
		exchange->detail = "Tacit-Instance is not a name";
		return -TACIT_E_MALFORMED;
	}
	ret_asker->id = request->instance_id ? request->instance_id : "";
	if (request->instance_id && !proto_instance_is_id(request->instance_id)) {
		exchange->detail = "Tacit-Instance-Id is not 1 to 32 letters and digits";
		return -TACIT_E_MALFORMED;
	}
	if (request->instance)
		return 0;

	(void)snprintf(ret_asker->name, sizeof(ret_asker->name), "%s", ret_asker->address);
	ret_asker->watches = watch_parse_prefer(request->prefer) > 0;
	return 0;
}

/*
 * An instance of the caller's takes leave; whether it was known is no matter. What succeeds is not
 * audited: nothing is given out, and nothing in the store is changed.
 */
int handle_instance_delete(struct exchange *exchange)
{
	struct instances *instances = exchange->server->instances;
	struct asker asker = {0};
	int r = asker_find(exchange, &asker);

	if (r < 0)
		return r;
	if (!exchange->request->instance) {
		exchange->detail = "Tacit-Instance does not say which";
		return -TACIT_E_MALFORMED;
	}

	instances_leave(instances, exchange->client->name, asker.name, asker.id);
	return exchange_answer_empty(exchange);
}
