/* SPDX-License-Identifier: MIT */
#include "service.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "log.h"
#include "notify.h"
#include "sealed_doors.h"
#include "signals.h"
#include "tacit/deadline.h"

#define WAKE_MIN_MS     50
#define LOCK_PATIENCE_S 2
#define RETRY_MAX_S     3600

static void time_text(int64_t seconds, char *text, size_t size)
{
	time_t when = (time_t)seconds;
	struct tm utc;

	(void)gmtime_r(&when, &utc);
	(void)strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static void certificate_make(struct service *service)
{
	struct server *server = service->server;
	struct fault fault = {0};
	int r;

	(void)pthread_mutex_lock(&server->mutex);
	r = authority_reissue(server->authority, &fault);
	(void)pthread_mutex_unlock(&server->mutex);
	if (r < 0)
		log_fault(&fault);
	else
		metrics_add(&server->metrics.certificate_renewals);
}

/* One that could be made but not stored is shown all the same: the next start makes another. */
static void certificate_replace(struct service *service, const char *done)
{
	struct fault fault = {0};
	char until[32];

	certificate_make(service);
	sealed_doors_renew(service->dirfd, service->server->authority);
	for (size_t i = 0; i < 2 && service->listeners[i]; i++) {
		if (listener_reload(service->listeners[i], &fault) < 0) {
			log_fault(&fault);
			return;
		}
	}

	time_text(authority_server_expiry(service->server->authority), until, sizeof(until));
	log_event(done, "%s: the server's certificate is valid until %s", done, until);
}

/* What was moved away, as logrotate does, is gone on from in a new file. */
static void audit_log_reopen(struct audit *audit)
{
	struct fault fault = {0};
	int r = audit_reopen(audit);

	if (r < 0) {
		(void)fault_set(&fault, r, AUDIT_FILE);
		log_fault(&fault);
	}
}

void service_reload(struct service *service)
{
	notify_reloading();
	audit_log_reopen(service->server->audit);
	certificate_replace(service, "reloaded");
	metrics_add(&service->server->metrics.reloads);
	notify_ready(service->status);
}

/* When to try again: a tenth of what is left, so that it is tried often enough in any case. */
static int64_t retry_in_ms(const struct service *service)
{
	int64_t left_s = authority_server_expiry(service->server->authority) - time(NULL);
	int64_t wait_s = left_s / 10 < RETRY_MAX_S ? left_s / 10 : RETRY_MAX_S;

	return wait_s > 1 ? wait_s * 1000 : 1000;
}

/* Renews what has to be; returns how long nothing has to be done. */
static int64_t renew_in_time(struct service *service, int64_t *retry_ms)
{
	int64_t left_s = authority_renewal_time(service->server->authority) - time(NULL);

	if (left_s > 0)
		return left_s * 1000;
	if (*retry_ms != 0 && deadline_left_ms(*retry_ms) > 0)
		return deadline_left_ms(*retry_ms);

	*retry_ms = deadline_in_ms(retry_in_ms(service));
	certificate_replace(service, "renewed");
	return 0;
}

/* A server whose routes are stuck is not alive, though its main thread is. */
static void watchdog_feed(struct service *service)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LOCK_PATIENCE_S;
	if (pthread_mutex_clocklock(&service->server->mutex, CLOCK_MONOTONIC, &until) != 0)
		return;

	(void)pthread_mutex_unlock(&service->server->mutex);
	notify_alive();
}

/* The clock may be set meanwhile, so nothing is slept through. */
static int64_t clamp(int64_t wait_ms)
{
	int64_t patience_ms = notify_patience_ms();

	if (wait_ms > patience_ms)
		return patience_ms;

	return wait_ms < WAKE_MIN_MS ? WAKE_MIN_MS : wait_ms;
}

void service_run(struct service *service)
{
	int64_t retry_ms = 0;
	int number;

	do {
		watchdog_feed(service);
		number = signals_wait(clamp(renew_in_time(service, &retry_ms)));
		if (number == SIGHUP)
			service_reload(service);
	} while (number != SIGTERM && number != SIGINT);
}
