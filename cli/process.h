/* SPDX-License-Identifier: MIT */
#ifndef CLI_PROCESS_H
#define CLI_PROCESS_H

/*
 * Keeps what this process will hold inside it: no core dump, no ptrace by the same user, and a
 * reader that goes away (`tacit get NAME | head -c 1`) is an error of write(2), not a death.
 */
void process_guard(void);

#endif
