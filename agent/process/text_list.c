/* SPDX-License-Identifier: MIT */
#include "text_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int text_list_add(struct text_list *list, const char *text, size_t len)
{
	char **texts = reallocarray(list->texts, list->count + 1, sizeof(*texts));

	if (!texts)
		return -ENOMEM;

	list->texts = texts;
	texts[list->count] = strndup(text, len);
	if (!texts[list->count])
		return -ENOMEM;

	list->count++;
	return 0;
}

bool text_list_holds(const struct text_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->texts[i], text))
			return true;

	return false;
}

void text_list_free(struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->texts[i]);
	free(list->texts);
	*list = (struct text_list){0};
}
