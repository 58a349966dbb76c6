/* SPDX-License-Identifier: MIT */
#include "launch.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tacit/fd.h"

/* What Docker sets where an image sets none. */
#define DEFAULT_SEARCH_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#define HEAD_BYTES          4096

static const char *environment_find(char *const environment[], const char *name)
{
	size_t name_len = strlen(name);

	for (; *environment; environment++)
		if (!strncmp(*environment, name, name_len) && (*environment)[name_len] == '=')
			return *environment + name_len + 1;

	return NULL;
}

static void script_interpreter(const char *text, size_t len, char *ret_path, size_t size)
{
	size_t start = 2;
	size_t end;

	while (start < len && (text[start] == ' ' || text[start] == '\t'))
		start++;
	end = start;
	while (end < len && !strchr(" \t\r\n", text[end]))
		end++;

	/* `\r` belongs to the path for the kernel, so a CRLF script fails; show that. */
	(void)snprintf(ret_path, size, "%.*s%s", (int)(end - start), text + start,
	    end < len && text[end] == '\r' ? " (the line ends with CR LF)" : "");
}

static void elf_interpreter(const uint8_t *bytes, size_t len, char *ret_path, size_t size)
{
	Elf64_Ehdr head;

	if (len < sizeof(head))
		return;

	memcpy(&head, bytes, sizeof(head));
	for (size_t i = 0; head.e_ident[EI_CLASS] == ELFCLASS64 && i < head.e_phnum; i++) {
		Elf64_Phdr segment;
		uint64_t at = head.e_phoff + i * sizeof(segment);

		if (head.e_phoff > len || at + sizeof(segment) > len)
			return;
		memcpy(&segment, bytes + at, sizeof(segment));
		if (segment.p_type != PT_INTERP)
			continue;
		if (segment.p_offset < len && segment.p_filesz <= len - segment.p_offset)
			(void)snprintf(ret_path, size, "%.*s", (int)segment.p_filesz,
			    (const char *)bytes + segment.p_offset);
		return;
	}
}

void launch_find_interpreter(const void *bytes, size_t len, char *ret_path, size_t size)
{
	ret_path[0] = '\0';
	if (len >= 2 && memcmp(bytes, "#!", 2) == 0)
		script_interpreter(bytes, len, ret_path, size);
	else if (len >= SELFMAG && memcmp(bytes, ELFMAG, SELFMAG) == 0)
		elf_interpreter(bytes, len, ret_path, size);
}

/* ENOENT for a file that exists means that its interpreter does not: say which one. */
static void explain_missing(const char *path, struct fault *fault)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char head[HEAD_BYTES];
	char interpreter[160];
	size_t len;

	if (fd < 0 || fd_read_full(fd, head, sizeof(head), &len) < 0)
		return;

	launch_find_interpreter(head, len, interpreter, sizeof(interpreter));
	(void)snprintf(fault->why, sizeof(fault->why),
	    "the file is there, but its interpreter %s%sis not in this image", interpreter,
	    interpreter[0] ? " " : "");
}

static int exec_path(
    const char *path, char *const command[], char *const environment[], struct fault *fault)
{
	int err;

	(void)execve(path, command, environment);
	err = -errno;
	(void)fault_set(fault, err, "%s", path);
	if (err == -ENOENT && access(path, F_OK) == 0 && fault)
		explain_missing(path, fault);

	return err;
}

/* Whether the search goes on: nothing there, or nothing that may be executed. */
static bool is_miss(int err)
{
	return err == -ENOENT || err == -ENOTDIR || err == -EACCES;
}

/* One directory of PATH; an empty one is the current directory. */
static int exec_in_dir(const char *dir, size_t dir_len, char *const command[],
    char *const environment[], struct fault *fault)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%.*s%s%s", (int)dir_len, dir,
	    dir_len > 0 ? "/" : "./", command[0]);

	if (len < 0 || (size_t)len >= sizeof(path))
		return fault_set(fault, -ENOENT, "%s", command[0]);

	return exec_path(path, command, environment, fault);
}

static int exec_search(char *const command[], char *const environment[], struct fault *fault)
{
	const char *dir = environment_find(environment, "PATH");
	struct fault worst = {0};

	for (dir = dir ? dir : DEFAULT_SEARCH_PATH;; dir++) {
		size_t dir_len = strcspn(dir, ":");
		struct fault next = {0};
		int r = exec_in_dir(dir, dir_len, command, environment, &next);

		if (!is_miss(r)) {
			worst = next;
			break;
		}
		/* Of the misses the telling one is kept: no permission, or no interpreter. */
		if (worst.err != -EACCES && (r == -EACCES || next.why[0]))
			worst = next;
		dir += dir_len;
		if (!*dir)
			break;
	}

	if (worst.err == 0)
		return fault_set_why(fault, -ENOENT, "command not found in PATH", "%s", command[0]);
	if (fault)
		*fault = worst;

	return worst.err;
}

int launch_exec(char *const command[], char *const environment[], struct fault *fault)
{
	if (!command[0][0])
		return fault_set_why(fault, -ENOENT, "command not found", "''");
	if (strchr(command[0], '/'))
		return exec_path(command[0], command, environment, fault);

	return exec_search(command, environment, fault);
}

int launch_exit_code(int err)
{
	return err == -ENOENT || err == -ENOTDIR ? EXIT_COMMAND_NOTFOUND : EXIT_CANNOT_EXECUTE;
}
