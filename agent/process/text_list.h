/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_TEXT_LIST_H
#define TACIT_AGENT_TEXT_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A list of texts, each a copy: what is parsed out of the environment outlives its wiping. */
struct text_list {
	char **texts; /* owned, `count` of them */
	size_t count;
};

/* Adds a copy of the first `len` bytes of `text`. 0 or -ENOMEM. */
int text_list_add(struct text_list *list, const char *text, size_t len);

bool text_list_holds(const struct text_list *list, const char *text);

void text_list_free(struct text_list *list);
#define cleanup_text_list __attribute__((cleanup(text_list_free)))

#endif
