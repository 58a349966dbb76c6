/* SPDX-License-Identifier: MIT */
#ifndef CLI_STATUS_VIEW_H
#define CLI_STATUS_VIEW_H

#include "session.h"
#include "tacit/json.h"
#include "tacit/proto.h"

/* What the server knows of the instances; it comes in pages. */
struct view {
	struct json **pages; /* owned */
	size_t count;
	char etag[PROTO_ETAG_MAX_BYTES];
};

/*
 * Gets all of it anew, as the options of the session filter it; where there is nothing new since
 * the last time it takes up to two seconds. Unless --json is wanted, instances of one name are
 * called NAME#ID. On failure `view` is what it was.
 */
int view_get(struct session *session, struct view *view);
void view_free(struct view *view);

/* A text of what came; `-` where there is none. */
const char *view_text(const struct json *json, const char *key);

#endif
