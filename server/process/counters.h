/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_COUNTERS_H
#define TACIT_SERVER_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * What has happened since the server started, for those who watch it. They only ever grow, and may
 * be read at any time without a lock.
 */
struct counters {
	atomic_uint_fast64_t enrolled;      /* certificates for a join token */
	atomic_uint_fast64_t enrol_refused; /* tokens that were not good, requests that were not */
	atomic_uint_fast64_t enrol_limited; /* refusals that came too fast to be looked into */
	atomic_uint_fast64_t tokens_reused; /* used-up tokens that were presented again: an alarm */
	atomic_uint_fast64_t tokens_created;
	atomic_uint_fast64_t renewed; /* certificates for a certificate */
	atomic_uint_fast64_t renew_limited;
};

#endif
