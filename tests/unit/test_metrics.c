/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics.h"
#include "tacit/err.h"

static struct metrics metrics;
static struct counters counters;
static char text[65536];

/* Two routes, as route_table.c would describe them. */
static int name_route(size_t route, const char **ret_method, char *ret_path, size_t size)
{
	if (route > 1)
		return -TACIT_E_NOT_FOUND;

	*ret_method = route == 0 ? "GET" : "PUT";
	(void)snprintf(ret_path, size, "%s", route == 0 ? "/v1/bundle" : "/v1/secrets/{name}");
	return 0;
}

static void print(void)
{
	const struct metrics_gauges gauges = {
	    .secrets = 3, .waiters = 5, .memory_locked = 1, .counters = &counters};
	cleanup_secret struct secret *printed = NULL;

	assert_int_equal(metrics_print(&metrics, &gauges, name_route, &printed), 0);
	assert_true(secret_len(printed) < sizeof(text));
	memcpy(text, secret_bytes(printed), secret_len(printed));
	text[secret_len(printed)] = '\0';
}

/* Whether it is one of the lines. */
static void assert_line(const char *line)
{
	char wanted[256];

	(void)snprintf(wanted, sizeof(wanted), "\n%s\n", line);
	if (!strstr(text, wanted))
		print_message("# no line %s\n", line);
	assert_non_null(strstr(text, wanted));
}

static int reset(void **state)
{
	(void)state;
	memset(&metrics, 0, sizeof(metrics));
	memset(&counters, 0, sizeof(counters));
	return 0;
}

static void requests_are_counted_by_route_and_class(void **state)
{
	(void)state;
	metrics_count_request(&metrics, 0, 200, 10);
	metrics_count_request(&metrics, 0, 304, 10);
	metrics_count_request(&metrics, 1, 201, 10);
	metrics_count_request(&metrics, 1, 200, 10);
	metrics_count_request(&metrics, 2, 404, 10); /* behind the last route: none */
	metrics_count_request(&metrics, 1, 9999, 10);
	print();
	assert_line("tacit_requests_total{method=\"GET\",route=\"/v1/bundle\",status=\"2xx\"} 1");
	assert_line("tacit_requests_total{method=\"GET\",route=\"/v1/bundle\",status=\"3xx\"} 1");
	assert_line(
	    "tacit_requests_total{method=\"PUT\",route=\"/v1/secrets/{name}\",status=\"2xx\"} 2");
	assert_line(
	    "tacit_requests_total{method=\"PUT\",route=\"/v1/secrets/{name}\",status=\"5xx\"} 1");
	assert_line("tacit_requests_total{method=\"\",route=\"none\",status=\"4xx\"} 1");
}

static void durations_are_a_histogram(void **state)
{
	(void)state;
	metrics_count_request(&metrics, 0, 200, 50);
	metrics_count_request(&metrics, 0, 200, 51);
	metrics_count_request(&metrics, 0, 200, 999999);
	metrics_count_request(&metrics, 0, 200, 60000000);
	print();
	assert_line("tacit_request_duration_seconds_bucket{le=\"0.00005\"} 1");
	assert_line("tacit_request_duration_seconds_bucket{le=\"0.0001\"} 2");
	assert_line("tacit_request_duration_seconds_bucket{le=\"0.25\"} 2");
	assert_line("tacit_request_duration_seconds_bucket{le=\"1\"} 3");
	assert_line("tacit_request_duration_seconds_bucket{le=\"5\"} 3");
	assert_line("tacit_request_duration_seconds_bucket{le=\"+Inf\"} 4");
	assert_line("tacit_request_duration_seconds_count 4");
	assert_line("tacit_request_duration_seconds_sum 61.000100");
}

static void audit_lines_are_counted(void **state)
{
	(void)state;
	metrics_count_audit(&metrics, 0);
	metrics_count_audit(&metrics, -TACIT_E_AUDIT_UNAVAILABLE);
	metrics_count_audit(&metrics, 0);
	print();
	assert_line("tacit_audit_failures_total 1");
	assert_line("tacit_audit_lines_total 2");
}

static void resumed_handshakes_are_not_counted_twice(void **state)
{
	(void)state;
	metrics.handshakes_accepted = 5;
	metrics.handshakes_resumed = 2;
	metrics.handshakes_refused = 1;
	print();
	assert_line("tacit_handshakes_total{result=\"accepted\"} 3");
	assert_line("tacit_handshakes_total{result=\"resumed\"} 2");
	assert_line("tacit_handshakes_total{result=\"refused\"} 1");
}

static void what_others_count_is_shown(void **state)
{
	(void)state;
	counters.tokens_reused = 7;
	metrics.doors[1].open = 4;
	print();
	assert_line("tacit_token_alarms_total 7");
	assert_line("tacit_connections{listener=\"enroll\"} 4");
	assert_line("tacit_connections{listener=\"main\"} 0");
	assert_line("tacit_secrets 3");
	assert_line("tacit_waiters 5");
	assert_line("tacit_build_info{version=\"" TACIT_VERSION "\"} 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(requests_are_counted_by_route_and_class, reset),
	    cmocka_unit_test_setup(durations_are_a_histogram, reset),
	    cmocka_unit_test_setup(audit_lines_are_counted, reset),
	    cmocka_unit_test_setup(resumed_handshakes_are_not_counted_twice, reset),
	    cmocka_unit_test_setup(what_others_count_is_shown, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
