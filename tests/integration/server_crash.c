/* SPDX-License-Identifier: MIT */
/*
 * `server_crash TACIT-SERVER [ROUNDS [SEED]]`: writers put secrets over kept connections while the
 * server is killed at a random moment, again and again. What was acknowledged must be there after
 * every restart, with its bytes and its version; the one write of each writer that was under way
 * may be there, whole, or not. Prints TAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tacit/deadline.h"
#include "tacit/fd.h"
#include "tacit/http_client.h"

#define WRITERS         4
#define NAMES           6 /* of each writer */
#define VALUE_MAX_BYTES 40000
#define KILL_MAX_MS     200 /* after the first write of a round was acknowledged */
#define REQUEST_MS      10000

/* A value is a function of its seed, so that the seed is all that has to be remembered. */
struct write {
	uint32_t version; /* 0: none */
	uint64_t seed;
};

struct name_state {
	char path[PROTO_PATH_MAX_BYTES];
	struct write acknowledged;
	struct write before;    /* the acknowledged one before that */
	struct write under_way; /* sent, and no answer came */
};

struct writer {
	const struct scene *scene;
	uint64_t random;
	struct name_state names[NAMES];
	atomic_ulong acknowledged;
	char complaint[256]; /* "" */
};

struct scene {
	const char *program;
	char dir[64];
	char url[64];
	pid_t server;
	struct identity *identity;
	uint64_t random;
	struct writer writers[WRITERS];
};

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators". */
static uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static size_t value_make(uint64_t seed, uint8_t ret_value[static VALUE_MAX_BYTES])
{
	uint64_t state = seed | 1;
	size_t len = random_next(&state) % (seed % 8 == 0 ? VALUE_MAX_BYTES : 300);

	for (size_t i = 0; i < len; i += 8) {
		uint64_t word = random_next(&state);

		memcpy(ret_value + i, &word, len - i < 8 ? len - i : 8);
	}

	return len;
}

static bool value_is(const struct secret *value, uint64_t seed)
{
	uint8_t expected[VALUE_MAX_BYTES];
	size_t len = value_make(seed, expected);

	return secret_equals(value, expected, len);
}

static uint32_t etag_version(const struct http_response *response)
{
	unsigned long version = 0;

	return sscanf(response->etag, "\"v%lu\"", &version) == 1 ? (uint32_t)version : 0;
}

/* One put. False when the writer has to stop: the server is gone, or has said something odd. */
static bool write_once(struct writer *writer, struct http_client *client, struct name_state *name)
{
	uint8_t value[VALUE_MAX_BYTES];
	cleanup_response struct http_response response = {0};
	struct write write = {
	    .version = name->acknowledged.version + 1, .seed = random_next(&writer->random)};
	size_t len = value_make(write.seed, value);
	const struct http_request request = {
	    .method = "PUT", .path = name->path, .body = value, .body_len = len};

	name->under_way = write;
	if (http_client_send(client, &request, deadline_in_ms(REQUEST_MS), 65536, &response, NULL) <
	    0)
		return false;

	if (response.status / 100 != 2 || etag_version(&response) != write.version) {
		(void)snprintf(writer->complaint, sizeof(writer->complaint),
		    "%.100s: status %d, entity tag %s where version %" PRIu32 " was due",
		    name->path, response.status, response.etag, write.version);
		return false;
	}

	name->before = name->acknowledged;
	name->acknowledged = write;
	name->under_way.version = 0;
	(void)atomic_fetch_add(&writer->acknowledged, 1);
	return true;
}

static void *write_until_killed(void *context)
{
	struct writer *writer = context;
	cleanup_http_client struct http_client *client = NULL;

	if (http_client_new(writer->scene->identity, writer->scene->url, &client, NULL) < 0)
		return NULL;
	while (write_once(writer, client, &writer->names[random_next(&writer->random) % NAMES]))
		;

	return NULL;
}

/* --- the server ------------------------------------------------------------------------------ */

static pid_t spawn(char *const argv[], int stdout_fd)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid > 0)
		return pid;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(stdout_fd, STDOUT_FILENO) >= 0)
		execv(argv[0], argv);
	_exit(127);
}

static int run(char *const argv[])
{
	int status, null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	pid_t pid = spawn(argv, null);

	(void)close(null);
	if (waitpid(pid, &status, 0) < 0)
		die("waitpid");

	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static char *argument(const char *text)
{
	return (char *)(uintptr_t)text;
}

static int server_command(struct scene *scene, const char *command)
{
	char *const argv[] = {argument(scene->program), argument(command), argument("--dir"),
	    scene->dir, strcmp(command, "init") != 0 ? NULL : argument("--url"),
	    argument("https://127.0.0.1:8443"), NULL};

	return run(argv);
}

static void server_start(struct scene *scene)
{
	char *const argv[] = {argument(scene->program), argument("serve"), argument("--dir"),
	    scene->dir, argument("--listen"), argument("127.0.0.1:0"), NULL};
	char line[128];
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		die("pipe");
	scene->server = spawn(argv, ends[1]);
	(void)close(ends[1]);

	cleanup_file FILE *output = fdopen(ends[0], "re");

	if (!output || !fgets(line, sizeof(line), output) ||
	    sscanf(line, "listening on %63s", scene->url) != 1) {
		printf("Bail out! the server does not start\n");
		exit(1);
	}
}

static void server_end(struct scene *scene, int signal_number)
{
	(void)kill(scene->server, signal_number);
	(void)waitpid(scene->server, NULL, 0);
}

/* Also the moments before it listens are good for a crash. */
static void server_kill_while_starting(struct scene *scene)
{
	char *const argv[] = {argument(scene->program), argument("serve"), argument("--dir"),
	    scene->dir, argument("--listen"), argument("127.0.0.1:0"), NULL};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	scene->server = spawn(argv, null);
	(void)close(null);
	(void)usleep((useconds_t)(random_next(&scene->random) % 40000));
	server_end(scene, SIGKILL);
}

/* --- what must be there ---------------------------------------------------------------------- */

static bool complain(const struct name_state *name, const char *what, uint32_t version)
{
	printf("# %s: version %" PRIu32 ": %s (acknowledged %" PRIu32 ")\n", name->path, version,
	    what, name->acknowledged.version);
	return false;
}

static int fetch(struct http_client *client, const struct name_state *name, uint32_t version,
    struct http_response *ret_response)
{
	char path[PROTO_PATH_MAX_BYTES + 32];
	const struct http_request request = {.method = "GET", .path = path};

	(void)snprintf(
	    path, sizeof(path), version ? "%s?version=%" PRIu32 : "%s", name->path, version);
	return http_client_send(client, &request, deadline_in_ms(REQUEST_MS),
	    PROTO_ANSWER_MAX_BYTES, ret_response, NULL);
}

static bool check_before(struct http_client *client, const struct name_state *name)
{
	cleanup_response struct http_response response = {0};

	if (!name->before.version)
		return true;
	if (fetch(client, name, name->before.version, &response) < 0 || response.status != 200 ||
	    !value_is(response.body, name->before.seed))
		return complain(name, "an older value is lost", name->before.version);

	return true;
}

static bool check_name(struct http_client *client, struct name_state *name)
{
	cleanup_response struct http_response response = {0};
	uint32_t version = 0;

	if (fetch(client, name, 0, &response) < 0)
		return complain(name, "no answer", 0);
	if (response.status == 200)
		version = etag_version(&response);
	else if (response.status != 404)
		return complain(name, "not to be had", (uint32_t)response.status);

	if (name->under_way.version && version == name->under_way.version) {
		name->before = name->acknowledged;
		name->acknowledged = name->under_way;
	}
	name->under_way.version = 0;
	if (version != name->acknowledged.version)
		return complain(name, "an acknowledged write is lost", version);
	if (version && !value_is(response.body, name->acknowledged.seed))
		return complain(name, "other bytes", version);

	return check_before(client, name);
}

static bool check_all(struct scene *scene)
{
	cleanup_http_client struct http_client *client = NULL;
	bool good = true;

	if (http_client_new(scene->identity, scene->url, &client, NULL) < 0)
		return false;
	for (size_t i = 0; i < WRITERS; i++) {
		struct writer *writer = &scene->writers[i];

		if (writer->complaint[0]) {
			printf("# %s\n", writer->complaint);
			good = false;
		}
		for (size_t j = 0; j < NAMES; j++)
			good &= check_name(client, &writer->names[j]);
	}

	return good;
}

static unsigned long acknowledged_count(struct scene *scene)
{
	unsigned long count = 0;

	for (size_t i = 0; i < WRITERS; i++)
		count += atomic_load(&scene->writers[i].acknowledged);

	return count;
}

/* Writes until the server is dead; it is killed in the middle. */
static uint64_t stream_and_kill(struct scene *scene)
{
	pthread_t threads[WRITERS];
	unsigned long before = acknowledged_count(scene);
	uint64_t after_ms = random_next(&scene->random) % KILL_MAX_MS;

	for (size_t i = 0; i < WRITERS; i++)
		if (pthread_create(&threads[i], NULL, write_until_killed, &scene->writers[i]) != 0)
			die("pthread_create");
	for (int i = 0; i < REQUEST_MS && acknowledged_count(scene) == before; i++)
		(void)usleep(1000);
	(void)usleep((useconds_t)(after_ms * 1000));
	server_end(scene, SIGKILL);
	for (size_t i = 0; i < WRITERS; i++)
		(void)pthread_join(threads[i], NULL);

	return after_ms;
}

static bool round_run(struct scene *scene, unsigned number)
{
	unsigned long before = acknowledged_count(scene);
	uint64_t after_ms = stream_and_kill(scene);
	bool checks, good;

	if (number % 5 == 0)
		server_kill_while_starting(scene);
	checks = server_command(scene, "check") == 0;
	if (!checks)
		printf("# tacit-server check fails\n");
	server_start(scene);
	good = check_all(scene) && checks;
	printf("%s %u - every acknowledged write is there: killed after %" PRIu64
	       " ms and %lu of them\n",
	    good ? "ok" : "not ok", number, after_ms, acknowledged_count(scene) - before);
	(void)fflush(stdout);
	return good;
}

static void scene_load_identity(struct scene *scene)
{
	char path[128];
	struct fault fault = {0};

	(void)snprintf(path, sizeof(path), "%s/admin.pem", scene->dir);
	if (identity_load(path, &scene->identity, &fault) < 0) {
		printf("Bail out! %s: %s\n", fault.what, err_text(fault.err));
		exit(1);
	}
}

static void scene_begin(struct scene *scene)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(
	    scene->dir, sizeof(scene->dir), "%.32s/tacit-crash-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(scene->dir))
		die(scene->dir);
	if (server_command(scene, "init") != 0)
		die("init");
	scene_load_identity(scene);
	for (unsigned i = 0; i < WRITERS; i++) {
		struct writer *writer = &scene->writers[i];

		writer->scene = scene;
		writer->random = random_next(&scene->random) | 1;
		for (unsigned j = 0; j < NAMES; j++)
			(void)snprintf(writer->names[j].path, sizeof(writer->names[j].path),
			    "/v1/secrets/writer-%u%%2Fname-%u", i, j);
	}
	server_start(scene);
}

static void scene_end(struct scene *scene)
{
	char *const argv[] = {argument("/bin/rm"), argument("-rf"), scene->dir, NULL};

	identity_free(scene->identity);
	(void)run(argv);
}

int main(int argc, char *argv[])
{
	static struct scene scene;
	unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 50;
	bool good = true;

	if (argc < 2)
		return 2;

	scene.program = argv[1];
	scene.random = argc > 3 ? strtoull(argv[3], NULL, 10) : (uint64_t)time(NULL);
	printf("1..%u\n# seed %" PRIu64 "\n", rounds + 2, scene.random);
	scene.random = scene.random * 2 + 1;
	scene_begin(&scene);
	for (unsigned i = 1; i <= rounds; i++)
		good &= round_run(&scene, i);

	server_end(&scene, SIGTERM);
	if (server_command(&scene, "check") != 0)
		good = false;
	printf("%s %u - the store checks after a clean end\n", good ? "ok" : "not ok", rounds + 1);
	/* Or else the rounds above have shown nothing. */
	printf("%s %u - there was a stream of writes: %lu\n",
	    acknowledged_count(&scene) > 10UL * rounds ? "ok" : "not ok", rounds + 2,
	    acknowledged_count(&scene));
	if (good)
		scene_end(&scene);
	else
		printf("# the store is left in %s\n", scene.dir);
	return good ? 0 : 1;
}
