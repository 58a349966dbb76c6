/* SPDX-License-Identifier: MIT */
#include "master.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "tacit/fd.h"

#define PASSPHRASE_MAX_BYTES 4096

static const char *credentials_dir(void)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	return dir && dir[0] == '/' ? dir : NULL;
}

/* Compared as text: whoever could plant a link there could plant the key as well. */
static bool is_credential(const char *path)
{
	const char *dir = credentials_dir();
	size_t len = dir ? strlen(dir) : 0;

	return dir && !strncmp(path, dir, len) && path[len] == '/' && !strstr(path, "/../");
}

/* systemd's way of handing a key over: systemd.exec(5), CREDENTIALS. -ENOENT: there is none. */
static int credential_path(char *ret_path, size_t size)
{
	const char *dir = credentials_dir();

	if (!dir || (size_t)snprintf(ret_path, size, "%s/tacit-master-key", dir) >= size)
		return -ENOENT;

	return access(ret_path, R_OK) < 0 ? -errno : 0;
}

/* A pipe or a terminal belongs to whoever has opened it; a file is what it is for everybody. */
static int mode_check(int fd, const char *path)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (S_ISREG(status.st_mode) && (status.st_mode & 077) != 0 && !is_credential(path))
		return -TACIT_E_KEY_MODE;

	return 0;
}

static int file_open(int dirfd, const char *path)
{
	cleanup_fd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r = fd < 0 ? -errno : mode_check(fd, path);

	return r < 0 ? r : fd_take(&fd);
}

/* The descriptor stays open: it is the caller's. */
static int descriptor_of(const char *number)
{
	char *end;
	long fd = strtol(number, &end, 10);

	return !number[0] || *end || fd < 0 || fd > INT_MAX ? -EBADF : (int)fd;
}

static int key_read(int fd, const char *what, struct secret **ret_material, struct fault *fault)
{
	cleanup_secret struct secret *content = NULL;
	int r = fd < 0 ? fd : secret_read(fd, ENVELOPE_KEY_BYTES, &content);

	if (r == -TACIT_E_TOO_LARGE || (r == 0 && secret_len(content) != ENVELOPE_KEY_BYTES))
		return fault_set_why(
		    fault, -TACIT_E_WRONG_KEY, "a master key is exactly 32 bytes", "%s", what);
	if (r < 0)
		return fault_set(fault, r, "master key %s", what);

	*ret_material = secret_take(&content);
	return 0;
}

int master_read_file(int dirfd, const char *path, struct secret **ret_material, struct fault *fault)
{
	cleanup_fd int fd = file_open(dirfd, path);

	return key_read(fd, path, ret_material, fault);
}

static int key_read_fd(const char *number, struct secret **ret_material, struct fault *fault)
{
	char what[32];

	(void)snprintf(what, sizeof(what), "descriptor %s", number);
	return key_read(descriptor_of(number), what, ret_material, fault);
}

/* Editors and `echo` end a file with a newline, which nobody means as part of the passphrase. */
static int passphrase_trim(const struct secret *content, struct secret **ret_passphrase)
{
	size_t len = secret_len(content);

	while (len > 0 && strchr("\r\n", secret_bytes(content)[len - 1]))
		len--;
	if (len == 0)
		return -TACIT_E_WRONG_KEY;

	return secret_new_from(secret_bytes(content), len, ret_passphrase);
}

static int passphrase_read(
    int fd, const char *what, struct secret **ret_passphrase, struct fault *fault)
{
	cleanup_secret struct secret *content = NULL;
	int r = fd < 0 ? fd : secret_read(fd, PASSPHRASE_MAX_BYTES, &content);

	if (r == 0)
		r = passphrase_trim(content, ret_passphrase);
	if (r == -TACIT_E_WRONG_KEY)
		return fault_set_why(fault, r, "empty", "passphrase %s", what);

	return r < 0 ? fault_set(fault, r, "passphrase %s", what) : 0;
}

static int passphrase_read_file(
    const char *path, struct secret **ret_passphrase, struct fault *fault)
{
	cleanup_fd int fd = file_open(AT_FDCWD, path);
	char what[PATH_MAX + 8];

	(void)snprintf(what, sizeof(what), "file %s", path);
	return passphrase_read(fd, what, ret_passphrase, fault);
}

static int passphrase_read_fd(
    const char *number, struct secret **ret_passphrase, struct fault *fault)
{
	char what[32];

	(void)snprintf(what, sizeof(what), "descriptor %s", number);
	return passphrase_read(descriptor_of(number), what, ret_passphrase, fault);
}

/*
 * A signal must not end us while the terminal is silent. It waits instead, and we look for it while
 * we wait for the line.
 */
static void block_signals(sigset_t *ret_blocked, sigset_t *ret_saved)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};

	(void)sigemptyset(ret_blocked);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)sigaddset(ret_blocked, signals[i]);
	(void)sigprocmask(SIG_BLOCK, ret_blocked, ret_saved);
}

static bool signal_waits(const sigset_t *blocked)
{
	sigset_t pending;

	if (sigpending(&pending) < 0)
		return false;
	for (int number = 1; number < NSIG; number++)
		if (sigismember(&pending, number) == 1 && sigismember(blocked, number) == 1)
			return true;

	return false;
}

static int terminal_read_line(int fd, const sigset_t *blocked, struct secret **ret_line)
{
	cleanup_secret struct secret *line = NULL;
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	uint8_t *space;
	ssize_t got;

	if (secret_new(PASSPHRASE_MAX_BYTES, &line) < 0)
		return -ENOMEM;
	while (poll(&ready, 1, 100) == 0)
		if (signal_waits(blocked))
			return -EINTR;

	space = secret_space(line, PASSPHRASE_MAX_BYTES);
	got = read(fd, space, PASSPHRASE_MAX_BYTES); /* canonical mode: one line */
	if (got < 0)
		return -errno;

	secret_grew(line, (size_t)got);
	return passphrase_trim(line, ret_line);
}

/* What was typed before the question is not an answer to it: hence the flush, and before it. */
static int terminal_ask(int fd, const char *prompt, const struct termios *saved,
    struct secret **ret_passphrase, struct fault *fault)
{
	struct termios silent = *saved;
	sigset_t blocked, mask;
	int r;

	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	silent.c_lflag |= ICANON | ISIG;
	block_signals(&blocked, &mask);
	(void)tcsetattr(fd, TCSAFLUSH, &silent);
	(void)fd_write_all(fd, prompt, strlen(prompt));
	r = terminal_read_line(fd, &blocked, ret_passphrase);
	(void)tcsetattr(fd, TCSAFLUSH, saved);
	(void)fd_write_all(fd, "\n", 1);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	return r < 0 ? fault_set(fault, r, "passphrase") : 0;
}

static int passphrase_ask(const char *prompt, struct secret **ret_passphrase, struct fault *fault)
{
	cleanup_fd int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios saved;

	if (fd < 0 || tcgetattr(fd, &saved) < 0)
		return fault_set_why(fault, -TACIT_E_WRONG_KEY,
		    "no terminal to ask on; use --passphrase-file or --passphrase-fd",
		    "passphrase");

	return terminal_ask(fd, prompt, &saved, ret_passphrase, fault);
}

int master_ask_new(struct secret **ret_material, struct fault *fault)
{
	cleanup_secret struct secret *first = NULL;
	cleanup_secret struct secret *second = NULL;
	int r = passphrase_ask("New passphrase: ", &first, fault);

	if (r == 0)
		r = passphrase_ask("The same again: ", &second, fault);
	if (r < 0)
		return r;
	if (!secret_equals(first, secret_bytes(second), secret_len(second)))
		return fault_set_why(
		    fault, -TACIT_E_WRONG_KEY, "the two are not the same", "new passphrase");

	*ret_material = secret_take(&first);
	return 0;
}

static int passphrase_find(
    const struct key_source *source, struct secret **ret_material, struct fault *fault)
{
	char credential[PATH_MAX];

	if (source->passphrase_file)
		return passphrase_read_file(source->passphrase_file, ret_material, fault);
	if (source->passphrase_fd)
		return passphrase_read_fd(source->passphrase_fd, ret_material, fault);
	if (credential_path(credential, sizeof(credential)) != -ENOENT)
		return passphrase_read_file(credential, ret_material, fault);

	return passphrase_ask("Passphrase of the store: ", ret_material, fault);
}

static int key_find(int dirfd, const struct key_source *source, const struct seal *seal,
    struct secret **ret_material, struct fault *fault)
{
	char credential[PATH_MAX];

	if (source->key_file)
		return master_read_file(AT_FDCWD, source->key_file, ret_material, fault);
	if (source->key_fd)
		return key_read_fd(source->key_fd, ret_material, fault);
	/* One that is there and cannot be read says so: another key would be the wrong one. */
	if (credential_path(credential, sizeof(credential)) != -ENOENT)
		return master_read_file(AT_FDCWD, credential, ret_material, fault);

	if (!seal->key_file[0])
		return fault_set_why(fault, -TACIT_E_WRONG_KEY,
		    "it came by descriptor; hand it over again with --key-fd or --key-file",
		    "master key");

	return master_read_file(dirfd, seal->key_file, ret_material, fault);
}

bool master_is_in_dir(const struct key_source *source, const struct seal *seal)
{
	char credential[PATH_MAX];

	return !seal->by_passphrase && !strcmp(seal->key_file, MASTER_KEY_FILE) &&
	       !source->key_file && !source->key_fd &&
	       credential_path(credential, sizeof(credential)) == -ENOENT;
}

bool master_is_credential(const struct key_source *source)
{
	char credential[PATH_MAX];

	return !source->key_file && !source->key_fd && !source->passphrase_file &&
	       !source->passphrase_fd && credential_path(credential, sizeof(credential)) == 0;
}

int master_find(int dirfd, const struct key_source *source, const struct seal *seal,
    struct secret **ret_material, struct fault *fault)
{
	return seal->by_passphrase ? passphrase_find(source, ret_material, fault)
	                           : key_find(dirfd, source, seal, ret_material, fault);
}

/* fd_create_file() wants the very directory that the file is to lie in. */
static int open_parent(int dirfd, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *parent = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd;

	if (!parent)
		return -ENOMEM;

	*ret_name = slash ? slash + 1 : path;
	fd = openat(dirfd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int master_make_file(int dirfd, const char *path, struct secret **ret_material, struct fault *fault)
{
	const char *name;
	cleanup_fd int parent = open_parent(dirfd, path, &name);
	cleanup_secret struct secret *key = NULL;
	int r = parent < 0 ? parent : secret_new(ENVELOPE_KEY_BYTES, &key);

	if (r == 0) {
		envelope_new_key(secret_space(key, ENVELOPE_KEY_BYTES));
		secret_grew(key, ENVELOPE_KEY_BYTES);
		r = fd_create_file(parent, name, 0400, secret_bytes(key), ENVELOPE_KEY_BYTES);
	}
	if (r < 0)
		return fault_set(fault, r, "master key %s", path);

	*ret_material = secret_take(&key);
	return 0;
}

/* Later commands run in other directories: the path is kept absolute. */
static int seal_keep_path(struct seal *seal, const char *path, struct fault *fault)
{
	cleanup_free char *absolute = realpath(path, NULL);

	if (!absolute)
		return fault_set(fault, -errno, "%s", path);

	(void)snprintf(seal->key_file, sizeof(seal->key_file), "%s", absolute);
	return 0;
}

static int key_make(int dirfd, const struct key_source *source, struct seal *seal,
    struct secret **ret_material, struct fault *fault)
{
	const char *path = source->key_file ? source->key_file : MASTER_KEY_FILE;
	int at = source->key_file ? AT_FDCWD : dirfd;
	int r;

	if (source->key_fd)
		return key_read_fd(source->key_fd, ret_material, fault);

	r = faccessat(at, path, F_OK, 0) == 0 ? master_read_file(at, path, ret_material, fault)
	                                      : master_make_file(at, path, ret_material, fault);
	if (r < 0 || source->key_file)
		return r < 0 ? r : seal_keep_path(seal, path, fault);

	(void)snprintf(seal->key_file, sizeof(seal->key_file), "%s", path);
	return 0;
}

int master_make(int dirfd, const struct key_source *source, struct seal *seal,
    struct secret **ret_material, struct fault *fault)
{
	seal->by_passphrase = source->passphrase_file || source->passphrase_fd;
	seal->key_file[0] = '\0';
	if (seal->by_passphrase)
		return passphrase_find(source, ret_material, fault);

	return key_make(dirfd, source, seal, ret_material, fault);
}

static int passphrase_derive(const struct seal *seal, const struct secret *passphrase,
    uint8_t ret_master[static ENVELOPE_KEY_BYTES])
{
	int r =
	    crypto_pwhash(ret_master, ENVELOPE_KEY_BYTES, (const char *)secret_bytes(passphrase),
	        secret_len(passphrase), seal->salt, (unsigned long long)seal->argon2_passes,
	        (size_t)seal->argon2_bytes, crypto_pwhash_ALG_ARGON2ID13);

	return r < 0 ? -ENOMEM : 0;
}

int master_derive(const struct seal *seal, const struct secret *material,
    uint8_t ret_master[static ENVELOPE_KEY_BYTES])
{
	if (seal->by_passphrase)
		return secret_len(material) > 0 ? passphrase_derive(seal, material, ret_master)
		                                : -TACIT_E_WRONG_KEY;
	if (secret_len(material) != ENVELOPE_KEY_BYTES)
		return -TACIT_E_WRONG_KEY;

	memcpy(ret_master, secret_bytes(material), ENVELOPE_KEY_BYTES);
	return 0;
}
