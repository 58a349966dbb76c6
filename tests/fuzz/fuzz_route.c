/* SPDX-License-Identifier: MIT */
/*
 * Requests to a real store in memory, without a socket. An input is a few requests, each
 *
 *   CALLER METHOD PATH [MEMBER=VALUE]...     callers: none, admin, operator, web, nobody, old, and
 *                                            outside, who comes by the enrolment listener
 *   the body, up to a line `--`
 *
 * State is kept from one input to the next and thrown away now and then.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "home.h"
#include "must.h"
#include "tacit/fd.h"

#define MARKER       "MARKER-that-only-web-and-admin-may-see"
#define MARKER_B64   "TUFSS0VSLXRoYXQtb25seS13ZWItYW5kLWFkbWluLW1heS1zZWU"
#define INPUTS_MAX   4000 /* on one store */
#define REQUESTS_MAX 8    /* in one input */

static struct config config = {.url = "https://127.0.0.1:8443"};
static struct home home;
static unsigned inputs;
static bool tame; /* nobody in this input could give rights away */

static void store_remove(void)
{
	static const char *const files[] = {"seal.json", "master.key", STORE_FILE,
	    STORE_FILE "-wal", STORE_FILE "-shm", AUDIT_FILE, ADMIN_FILE, LOCK_FILE};
	char path[PATH_MAX + 32];

	if (!config.dir[0])
		return;

	home_close(&home);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", config.dir, files[i]);
		(void)unlink(path);
	}
	(void)rmdir(config.dir);
	config.dir[0] = '\0';
}

static void store_put(const char *name)
{
	cleanup_secret struct secret *value = NULL;
	const struct secret_metadata none = {0};
	const struct secret_entry *entry;

	must(secret_new_from(MARKER, strlen(MARKER), &value) == 0);
	must(secrets_put(home.server.secrets, name, value, &none, &entry) == 0);
}

static void store_make(void)
{
	struct audit_state state;
	struct clients *clients;

	(void)snprintf(config.dir, sizeof(config.dir), "%s/tacit-fuzz-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	must(mkdtemp(config.dir) && home_create(&config, NULL) == 0);
	must(home_open(&config, HOME_SERVE, &home, &state, NULL) == 0);
	(void)snprintf(home.server.enroll_url, sizeof(home.server.enroll_url), "https://h:1");
	store_put("web/a");
	store_put("web/versions");
	store_put("other");
	clients = home.server.clients;
	must(clients_put(clients, "operator", ROLE_OPERATOR, 0) == 0);
	must(clients_put(clients, "web", ROLE_CLIENT, 0) == 0);
	must(clients_put(clients, "nobody", ROLE_CLIENT, 0) == 0);
	must(clients_put(clients, "old", ROLE_ADMIN, 0) == 0);
	must(clients_revoke(clients, "old") == 0);
	must(clients_grant(clients, "web", "web/**", true) == 0);
}

static void store_keep_fresh(void)
{
	static bool registered;

	if (!registered)
		(void)atexit(store_remove);
	registered = true;
	if (inputs++ % INPUTS_MAX != 0)
		return;

	store_remove();
	store_make();
}

/* The next word of a line, or NULL. */
static char *word_take(char **line)
{
	char *word = *line, *end;

	if (!word || !*word)
		return NULL;

	end = strchr(word, ' ');
	*line = end ? end + 1 : NULL;
	if (end)
		*end = '\0';
	return word;
}

static void member_fill(struct request *request, char *word)
{
	static const struct {
		const char *name;
		size_t offset;
	} members[] = {
	    {"accept", offsetof(struct request, accept)},
	    {"if-match", offsetof(struct request, if_match)},
	    {"if-none-match", offsetof(struct request, if_none_match)},
	    {"prefix", offsetof(struct request, prefix)},
	    {"after", offsetof(struct request, after)},
	    {"limit", offsetof(struct request, limit)},
	    {"version", offsetof(struct request, version)},
	    {"file", offsetof(struct request, file)},
	    {"env", offsetof(struct request, env)},
	    {"mode", offsetof(struct request, mode)},
	    {"keep_versions", offsetof(struct request, keep_versions)},
	    {"pattern", offsetof(struct request, pattern)},
	    {"id", offsetof(struct request, token_id)},
	    {"seal_to", offsetof(struct request, seal_to)},
	    {"since", offsetof(struct request, since)},
	    {"client", offsetof(struct request, by_client)},
	    {"secret", offsetof(struct request, of_secret)},
	    {"cursor", offsetof(struct request, cursor)},
	    {"instance", offsetof(struct request, instance)},
	    {"instance-id", offsetof(struct request, instance_id)},
	};
	char *value = strchr(word, '=');

	if (!value)
		return;

	*value++ = '\0';
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (!strcmp(members[i].name, word))
			memcpy((char *)request + members[i].offset, &value, sizeof(value));
}

static const struct certificate_identity *identity_of(
    const char *caller, struct certificate_identity *identity)
{
	const struct client *client = clients_find(home.server.clients, caller);

	if (!client)
		return NULL;

	*identity = (struct certificate_identity){
	    .generation = client->generation,
	    .not_before = time(NULL) - 60,
	    .not_after = time(NULL) + 60,
	};
	(void)snprintf(identity->client, sizeof(identity->client), "%s", caller);
	return identity;
}

static bool body_holds(const struct response *response, const char *text)
{
	return memmem(secret_bytes(response->body), secret_len(response->body), text, strlen(text));
}

static void check_problem(const struct response *response)
{
	char detail[256];
	int err;

	must(!strcmp(response->content_type, "application/problem+json"));
	must(proto_problem_parse(secret_bytes(response->body), secret_len(response->body), &err,
	         detail, sizeof(detail)) == 0);
	must(err_http_status(err) == response->status);
	must(response->etag[0] == '\0');
	must((response->status == 405) == (response->allow != NULL && response->allow[0] != '\0'));
}

/* What holds of every answer, and what of those to callers who may see nothing. */
static void check_response(const struct response *response, const char *caller, bool open_path)
{
	bool stranger =
	    !strcmp(caller, "none") || !strcmp(caller, "old") || !strcmp(caller, "outside");
	bool ok = response->status == 200 || response->status == 201 || response->status == 204 ||
	          response->status == 304;

	must(response->body != NULL && !response->waits);
	must(ok || (response->status >= 400 && response->status < 500));
	if (!ok)
		check_problem(response);
	if (response->status == 204 || response->status == 304)
		must(secret_len(response->body) == 0);
	if (!tame && strcmp(caller, "none") != 0 && strcmp(caller, "outside") != 0)
		return;
	if (stranger)
		must(open_path || !ok);
	if (stranger || !strcmp(caller, "nobody"))
		must(!body_holds(response, MARKER) && !body_holds(response, MARKER_B64));
}

static void run_request(char *line, const char *body, size_t body_len)
{
	const char *caller = word_take(&line);
	const char *method = word_take(&line);
	char *path = word_take(&line), *word;
	struct certificate_identity identity;
	cleanup_secret struct secret *content = NULL;
	struct request request = {.method = method, .path = path, .id = "fuzz", .peer = "fuzz"};
	struct response response;
	bool open_path;

	if (!caller || !method || !path || strlen(path) >= PROTO_PATH_MAX_BYTES ||
	    secret_new_from(body, body_len, &content) < 0)
		return;
	while ((word = word_take(&line)))
		member_fill(&request, word);
	if (!strcmp(caller, "outside"))
		request.door = DOOR_ENROLMENT;
	/* As the listener does, which refuses it before it gets here. */
	if (body_len > route_body_max(request.door, method, path))
		return;

	open_path = !strcmp(path, "/v1/health") || !strcmp(path, "/v1/ca");
	request.identity = identity_of(caller, &identity);
	request.body = content;
	must(route_handle(&home.server, &request, &response) == 0);
	check_response(&response, caller, open_path);
	secret_free(response.body);
}

/* Without one of these two nobody comes to rights that he has not. */
static bool text_is_tame(const char *text)
{
	return !strstr(text, "admin ") && !strstr(text, "operator ");
}

/* What an admin may have changed, so that the next input finds what it expects. */
static void clients_restore(void)
{
	struct clients *clients = home.server.clients;

	must(clients_put(clients, "admin", ROLE_ADMIN, 0) == 0);
	must(clients_put(clients, "operator", ROLE_OPERATOR, 0) == 0);
	must(clients_put(clients, "web", ROLE_CLIENT, 0) == 0);
	must(clients_grant(clients, "web", "web/**", true) == 0);
	(void)clients_delete(clients, "nobody");
	must(clients_put(clients, "nobody", ROLE_CLIENT, 0) == 0);
	must(clients_put(clients, "old", ROLE_CLIENT, 0) == 0);
	must(clients_revoke(clients, "old") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_free char *text = malloc(len + 1);
	char *at = text;

	must(text != NULL);
	if (len > 0)
		memcpy(text, bytes, len);
	text[len] = '\0';
	tame = text_is_tame(text);
	store_keep_fresh();
	for (int i = 0; at && *at && i < REQUESTS_MAX; i++) {
		char *line = at, *body = strchr(line, '\n'), *end;

		if (!body)
			break;
		*body++ = '\0';
		end = strstr(body, "--\n");
		at = end ? end + 3 : NULL;
		run_request(line, body, end ? (size_t)(end - body) : strlen(body));
	}
	if (!tame)
		clients_restore();
	return 0;
}
