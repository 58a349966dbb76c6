/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_ASKER_H
#define TACIT_SERVER_ASKER_H

#include "handlers.h"

/* Which instance of the client asks: as it says itself, or else by its address. */
struct asker {
	char name[CLIENT_NAME_MAX_BYTES + 1];
	const char *id; /* borrowed; "" for none */
	char address[ADDRESS_TEXT_BYTES];
	bool watches;
};

/* -TACIT_E_MALFORMED when what it says is no name or no id. */
int asker_find(struct exchange *exchange, struct asker *ret_asker);

#endif
