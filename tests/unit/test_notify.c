/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "notify.h"
#include "tacit/err.h"

static char dir[] = "/tmp/tacit-test-XXXXXX";
static int manager;

/* A service manager's end, at a path or (with a name) in the abstract namespace. */
static void manager_listen(const char *abstract)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(address);
	char text[sizeof(address.sun_path) + 1];

	if (abstract) {
		(void)snprintf(text, sizeof(text), "@%s-%d", abstract, (int)getpid());
		memcpy(address.sun_path + 1, text + 1, strlen(text + 1));
		len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text));
	} else {
		(void)snprintf(text, sizeof(text), "%s/notify", dir);
		memcpy(address.sun_path, text, strlen(text) + 1);
	}
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(manager, (struct sockaddr *)&address, len), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", text, 1), 0);
}

static void manager_end(void)
{
	notify_end();
	(void)close(manager);
}

static const char *heard(void)
{
	static char text[1024];
	ssize_t len = recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[len < 0 ? 0 : len] = '\0';
	return text;
}

static void each_state_is_told(void **state)
{
	long long now_us;

	(void)state;
	manager_listen(NULL);
	assert_int_equal(notify_begin(), 0);
	assert_null(getenv("NOTIFY_SOCKET"));
	notify_ready("Listening on x");
	assert_string_equal(heard(), "READY=1\nSTATUS=Listening on x\n");
	notify_reloading();
	assert_int_equal(sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%lld\n", &now_us), 1);
	assert_true(now_us > 0);
	notify_stopping();
	assert_string_equal(heard(), "STOPPING=1\nSTATUS=Stopping\n");
	manager_end();
}

static void an_abstract_name_has_no_nul_behind_it(void **state)
{
	(void)state;
	manager_listen("tacit-test");
	assert_int_equal(notify_begin(), 0);
	notify_ready("x");
	assert_string_equal(heard(), "READY=1\nSTATUS=x\n");
	manager_end();
}

static void the_watchdog_is_fed_only_when_it_is_for_us(void **state)
{
	const struct {
		const char *interval, *pid;
		int64_t patience_ms;
	} rows[] = {
	    {"30000000", NULL, 10000},
	    {"30000000", "ours", 10000},
	    {"30000000", "1", 60000},
	    {"600000000", NULL, 60000},
	    {"0", NULL, 60000},
	    {"-5", NULL, 60000},
	    {NULL, NULL, 60000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char pid[24];

		(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
		manager_listen("tacit-watchdog");
		if (rows[i].interval)
			(void)setenv("WATCHDOG_USEC", rows[i].interval, 1);
		if (rows[i].pid)
			(void)setenv(
			    "WATCHDOG_PID", strcmp(rows[i].pid, "ours") ? rows[i].pid : pid, 1);
		assert_int_equal(notify_begin(), 0);
		assert_null(getenv("WATCHDOG_USEC"));
		assert_null(getenv("WATCHDOG_PID"));
		assert_int_equal(notify_patience_ms(), rows[i].patience_ms);
		notify_alive();
		assert_string_equal(heard(), i < 2 || i == 3 ? "WATCHDOG=1\n" : "");
		manager_end();
	}
}

static void without_a_service_manager_nothing_is_done(void **state)
{
	(void)state;
	(void)unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_begin(), 0);
	notify_ready("x");
	notify_stopping();
	(void)setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(notify_begin(), 0);
}

static void an_address_that_is_none_is_refused(void **state)
{
	char long_path[200];

	(void)state;
	memset(long_path, 'a', sizeof(long_path));
	long_path[0] = '/';
	long_path[sizeof(long_path) - 1] = '\0';
	(void)setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(notify_begin(), -TACIT_E_MALFORMED);
	(void)setenv("NOTIFY_SOCKET", "@", 1);
	assert_int_equal(notify_begin(), -TACIT_E_MALFORMED);
	(void)setenv("NOTIFY_SOCKET", long_path, 1);
	assert_int_equal(notify_begin(), -TACIT_E_MALFORMED);
	(void)setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
	assert_int_equal(notify_begin(), -ENOENT);
}

/* A service manager that does not read must not hold us up. */
static void a_deaf_service_manager_is_not_waited_for(void **state)
{
	(void)state;
	manager_listen("tacit-deaf");
	assert_int_equal(notify_begin(), 0);
	for (int i = 0; i < 5000; i++)
		notify_ready("x");
	manager_end();
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char path[64];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/notify", dir);
	(void)unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_state_is_told),
	    cmocka_unit_test(an_abstract_name_has_no_nul_behind_it),
	    cmocka_unit_test(the_watchdog_is_fed_only_when_it_is_for_us),
	    cmocka_unit_test(without_a_service_manager_nothing_is_done),
	    cmocka_unit_test(an_address_that_is_none_is_refused),
	    cmocka_unit_test(a_deaf_service_manager_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
