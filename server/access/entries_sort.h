/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_ENTRIES_SORT_H
#define TACIT_SERVER_ENTRIES_SORT_H

#include <stddef.h>

#include "secret_entry.h"

/*
 * Sorts entries by name, byte by byte (strcmp). A million of them lie all over the memory: to look
 * at two names for each comparison takes longer than to open their records. So each row holds the
 * next eight bytes of its name, and only rows that agree in them are looked at again (Bentley and
 * Sedgewick, "Fast Algorithms for Sorting and Searching Strings", 1997). -ENOMEM.
 */
int entries_sort(struct secret_entry *entries[], size_t count);

#endif
