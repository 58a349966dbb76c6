/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_CONFIG_FILE_H
#define TACIT_SERVER_CONFIG_FILE_H

#include "tacit/err.h"
#include "tacit/options.h"

/*
 * The options of a command, from a file: one JSON object whose members are named as the long
 * options. An option with an argument takes a text or a whole number, a switch takes true or false.
 *
 *   {"dir": "/var/lib/tacit", "listen": ":8443", "log-format": "json"}
 */
struct config_file;

/*
 * Reads `path` and calls `set` for each option that the file has, in the order of the command's
 * rows, with the value as text, "" for a switch that is on; the texts live as long as *ret_file.
 * Fails, naming the line or the member, for what is not JSON, a member that is no option, one of a
 * wrong type, or one that `set` refuses; and for a file that others may write.
 */
int config_file_read(const char *path, const struct command *command,
    int (*set)(void *context, const char *name, const char *value), void *context,
    struct config_file **ret_file, struct fault *fault);

void config_file_free(struct config_file *file);

#endif
