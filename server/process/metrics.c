/* SPDX-License-Identifier: MIT */
#include "metrics.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* Upper bounds, in microseconds, and as they are printed. */
static const struct {
	int64_t us;
	const char *seconds;
} bounds[METRICS_DURATIONS_MAX] = {
    {50, "0.00005"},
    {100, "0.0001"},
    {250, "0.00025"},
    {500, "0.0005"},
    {1000, "0.001"},
    {2500, "0.0025"},
    {5000, "0.005"},
    {10000, "0.01"},
    {50000, "0.05"},
    {250000, "0.25"},
    {1000000, "1"},
    {5000000, "5"},
};

void metrics_count_request(struct metrics *metrics, size_t route, int status, int64_t duration_us)
{
	size_t class = status >= 100 && status < 100 * METRICS_STATUS_MAX ? (size_t)status / 100
	                                                                  : METRICS_STATUS_MAX - 1;
	size_t bucket = 0;

	if (route >= METRICS_ROUTES_MAX)
		route = METRICS_ROUTES_MAX - 1;
	while (bucket < METRICS_DURATIONS_MAX && duration_us > bounds[bucket].us)
		bucket++;
	metrics_add(&metrics->requests[route][class]);
	metrics_add(&metrics->durations[bucket]);
	(void)atomic_fetch_add_explicit(
	    &metrics->durations_us, (uint64_t)duration_us, memory_order_relaxed);
}

void metrics_count_audit(struct metrics *metrics, int err)
{
	metrics_add(err == 0 ? &metrics->audit_lines : &metrics->audit_failures);
}

/* Prints into a secret, since that is what answers are made of; the first failure is kept. */
struct printer {
	struct secret *text;
	int err;
};

static void print(struct printer *printer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void print(struct printer *printer, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (printer->err == 0)
		printer->err = secret_append_text(printer->text, line);
}

static void print_head(
    struct printer *printer, const char *name, const char *type, const char *help)
{
	print(printer, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A metric that is one number. */
static void print_number(
    struct printer *printer, const char *name, const char *type, const char *help, int64_t number)
{
	print_head(printer, name, type, help);
	print(printer, "%s %lld\n", name, (long long)number);
}

static uint64_t read_counter(const atomic_uint_fast64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void print_requests(
    struct printer *printer, const struct metrics *metrics, metrics_route_name *route_name)
{
	static const char name[] = "tacit_requests_total";
	char path[160];
	const char *method;
	bool last = false;

	print_head(printer, name, "counter", "Requests answered, by route and class of status.");
	for (size_t route = 0; route < METRICS_ROUTES_MAX && !last; route++) {
		last = route_name(route, &method, path, sizeof(path)) < 0;
		for (int class = 1; class < METRICS_STATUS_MAX; class ++) {
			uint64_t count = read_counter(&metrics->requests[route][class]);

			if (count > 0)
				print(printer,
				    "%s{method=\"%s\",route=\"%s\",status=\"%dxx\"} %llu\n", name,
				    last ? "" : method, last ? "none" : path, class,
				    (unsigned long long)count);
		}
	}
}

static void print_durations(struct printer *printer, const struct metrics *metrics)
{
	static const char name[] = "tacit_request_duration_seconds";
	uint64_t us = read_counter(&metrics->durations_us), total = 0;

	print_head(printer, name, "histogram",
	    "From a request's arrival to its answer, without the network and without waiting for a "
	    "change.");
	for (size_t i = 0; i < METRICS_DURATIONS_MAX; i++) {
		total += read_counter(&metrics->durations[i]);
		print(printer, "%s_bucket{le=\"%s\"} %llu\n", name, bounds[i].seconds,
		    (unsigned long long)total);
	}
	total += read_counter(&metrics->durations[METRICS_DURATIONS_MAX]);
	print(printer, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)total);
	print(printer, "%s_sum %llu.%06llu\n", name, (unsigned long long)(us / 1000000),
	    (unsigned long long)(us % 1000000));
	print(printer, "%s_count %llu\n", name, (unsigned long long)total);
}

static void print_handshakes(struct printer *printer, const struct metrics *metrics)
{
	static const char name[] = "tacit_handshakes_total";
	uint64_t accepted = read_counter(&metrics->handshakes_accepted);
	uint64_t resumed = read_counter(&metrics->handshakes_resumed);

	print_head(printer, name, "counter", "TLS handshakes of the main listener.");
	print(printer, "%s{result=\"accepted\"} %llu\n", name,
	    (unsigned long long)(accepted > resumed ? accepted - resumed : 0));
	print(printer, "%s{result=\"resumed\"} %llu\n", name, (unsigned long long)resumed);
	print(printer, "%s{result=\"refused\"} %llu\n", name,
	    (unsigned long long)read_counter(&metrics->handshakes_refused));
}

static void print_connections(struct printer *printer, const struct metrics *metrics)
{
	static const char *const names[METRICS_DOORS] = {"main", "enroll"};
	static const struct {
		const char *name, *type, *help;
	} families[] = {
	    {"tacit_connections_accepted_total", "counter", "Connections accepted."},
	    {"tacit_connections_refused_total", "counter",
	        "Connections refused since their address had too many."},
	    {"tacit_connections", "gauge", "Connections that are open."},
	};

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		print_head(printer, families[i].name, families[i].type, families[i].help);
		for (size_t d = 0; d < METRICS_DOORS; d++) {
			const struct metrics_door *door = &metrics->doors[d];
			const uint64_t numbers[] = {read_counter(&door->accepted),
			    read_counter(&door->refused), (uint64_t)atomic_load(&door->open)};

			print(printer, "%s{listener=\"%s\"} %llu\n", families[i].name, names[d],
			    (unsigned long long)numbers[i]);
		}
	}
}

static void print_counters(
    struct printer *printer, const struct metrics *metrics, const struct counters *counters)
{
	const struct {
		const char *name;
		const atomic_uint_fast64_t *counter;
		const char *help;
	} rows[] = {
	    {"tacit_audit_lines_total", &metrics->audit_lines, "Audit lines written for requests."},
	    {"tacit_audit_failures_total", &metrics->audit_failures,
	        "Requests refused since their audit line could not be written."},
	    {"tacit_enrolments_total", &counters->enrolled, "Certificates for a join token."},
	    {"tacit_enrolments_refused_total", &counters->enrol_refused,
	        "Requests to enrol whose token or body was not good."},
	    {"tacit_enrolments_limited_total", &counters->enrol_limited,
	        "Requests to enrol that came too fast to be looked into."},
	    {"tacit_token_alarms_total", &counters->tokens_reused,
	        "Used-up join tokens that were presented again."},
	    {"tacit_tokens_created_total", &counters->tokens_created, "Join tokens made."},
	    {"tacit_renewals_total", &counters->renewed, "Certificates for a certificate."},
	    {"tacit_renewals_limited_total", &counters->renew_limited,
	        "Requests to renew that came too fast."},
	    {"tacit_reloads_total", &metrics->reloads, "Reloads on SIGHUP."},
	    {"tacit_certificate_renewals_total", &metrics->certificate_renewals,
	        "Certificates that the server has made for itself since it started."},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		print_number(printer, rows[i].name, "counter", rows[i].help,
		    (int64_t)read_counter(rows[i].counter));
}

static void print_gauges(struct printer *printer, const struct metrics_gauges *gauges)
{
	const struct {
		const char *name;
		int64_t number;
		const char *help;
	} rows[] = {
	    {"tacit_waiters", (int64_t)gauges->waiters, "Requests that wait for a change."},
	    {"tacit_secrets", (int64_t)gauges->secrets, "Secrets in the store, deleted ones too."},
	    {"tacit_clients", (int64_t)gauges->clients, "Clients, revoked ones too."},
	    {"tacit_tokens", (int64_t)gauges->tokens, "Join tokens that are remembered."},
	    {"tacit_store_revision", (int64_t)gauges->revision, "Commits to the store, ever."},
	    {"tacit_audit_available", gauges->audit_available,
	        "Whether the audit log can be written."},
	    {"tacit_memory_locked", gauges->memory_locked,
	        "Whether memory that holds values is locked, and so never on swap."},
	    {"tacit_server_certificate_expiry_timestamp_seconds", gauges->server_certificate_expiry,
	        "When the server's certificate ends."},
	    {"tacit_ca_certificate_expiry_timestamp_seconds", gauges->ca_certificate_expiry,
	        "When the CA's certificate ends."},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		print_number(printer, rows[i].name, "gauge", rows[i].help, rows[i].number);
}

/* What Prometheus's own libraries call it. /proc is out of reach, getrusage(2) is not. */
static void print_process(struct printer *printer)
{
	static const char name[] = "process_cpu_seconds_total";
	struct rusage usage;
	long long us;

	if (getrusage(RUSAGE_SELF, &usage) < 0)
		return;

	us = (long long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
	     usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
	print_head(printer, name, "counter", "User and system time spent.");
	print(printer, "%s %lld.%06lld\n", name, us / 1000000, us % 1000000);
	print_number(printer, "tacit_memory_peak_bytes", "gauge",
	    "The most memory that was resident.", (int64_t)usage.ru_maxrss * 1024);
	print_head(printer, "tacit_build_info", "gauge", "The version that runs.");
	print(printer, "tacit_build_info{version=\"%s\"} 1\n", TACIT_VERSION);
}

int metrics_print(const struct metrics *metrics, const struct metrics_gauges *gauges,
    metrics_route_name *route_name, struct secret **ret_text)
{
	struct printer printer = {0};

	if (secret_new(8192, &printer.text) < 0)
		return -ENOMEM;

	print_requests(&printer, metrics, route_name);
	print_durations(&printer, metrics);
	print_handshakes(&printer, metrics);
	print_connections(&printer, metrics);
	print_counters(&printer, metrics, gauges->counters);
	print_gauges(&printer, gauges);
	print_process(&printer);
	if (printer.err < 0) {
		secret_free(printer.text);
		return printer.err;
	}

	*ret_text = printer.text;
	return 0;
}
