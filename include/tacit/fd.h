/* SPDX-License-Identifier: MIT */
#ifndef TACIT_FD_H
#define TACIT_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * File descriptors and the files behind them. An owner is declared
 * `cleanup_fd int fd = -1;` and closes itself on every way out.
 */
void fd_cleanup(int *fd);
#define cleanup_fd __attribute__((cleanup(fd_cleanup)))

void file_cleanup(FILE **file);
#define cleanup_file __attribute__((cleanup(file_cleanup)))

void free_cleanup(void *pointer);
#define cleanup_free __attribute__((cleanup(free_cleanup)))

/* Gives the descriptor away: returns it and leaves -1 behind. */
int fd_take(int *fd);

/* Writes all `len` bytes, through short writes and EINTR. Returns 0 or -errno. */
int fd_write_all(int fd, const void *bytes, size_t len);

/*
 * Reads until end of file or until `buffer` is full; *ret_len is what came. Reading fewer than
 * `size` bytes is no error. Returns 0 or -errno.
 */
int fd_read_full(int fd, void *buffer, size_t size, size_t *ret_len);

/*
 * Creates `name` under `dirfd` with exactly `mode`, whole and synced or not at all, and never over
 * an existing file (-EEXIST). Its directory entry is synced too. 0 or -errno.
 */
int fd_create_file(int dirfd, const char *name, mode_t mode, const void *bytes, size_t len);

/* The same, but takes the place of an existing file in one rename. */
int fd_replace_file(int dirfd, const char *name, mode_t mode, const void *bytes, size_t len);

/* Whether the file system behind `fd` is tmpfs or ramfs (statfs(2), f_type). */
bool fd_is_memory(int fd);

#endif
