/* SPDX-License-Identifier: MIT */
#ifndef TACIT_AGENT_FACTS_H
#define TACIT_AGENT_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What can be seen from inside a container, as the texts that the kernel gives. They are read in
 * one sweep, so that the checks (doctor_checks.h) are pure.
 */
enum fact {
	FACT_STATUS,
	FACT_MOUNTINFO,
	FACT_CGROUP,
	FACT_LIMITS,
	FACT_UID_MAP,
	FACT_SWAPS,
	FACT_NET_DEV,
	FACT_SECOND_PROCESS, /* the name of PID 2 */
	FACT_PID_NAMESPACE,  /* "pid:[4026531836]" */
	FACT_NET_NAMESPACE,
	FACT_IPC_NAMESPACE,
	FACT_FIRST_ARGUMENTS, /* of PID 1, one behind the other, each with FACT_ARGUMENT_END */
	FACT_OWN_ARGUMENTS,
	FACT_MEMORY_LIMIT, /* of the group, or of the nearest one above it that has one */
	FACT_SWAP_LIMIT,   /* version 1: of memory and swap together */
	FACT_CPU_LIMIT,
	FACT_PIDS_LIMIT,
	FACT_COUNT,
};

/* A byte that no text has on purpose stands for the NUL behind each argument. */
#define FACT_ARGUMENT_END '\x01'

struct facts {
	char *texts[FACT_COUNT];  /* owned; NULL: cannot be read */
	char *const *environment; /* borrowed, ends with NULL */
	const char *dir;          /* borrowed: where secrets are to go; NULL: the default */
	const char *socket;       /* an engine's socket that is there; NULL: none */
	bool swap_limit_is_v2;
	int64_t packages_s; /* when the package database was written; 0: there is none */
	int64_t now_s;
};

/*
 * Reads everything below `root` ("" for the real one, or a tree with fixtures). What cannot be
 * read is left out: there is no error. `environment` is the one to judge, since a process that
 * closed itself up cannot read its own any more.
 */
void facts_read(const char *root, char *const *environment, struct facts *ret_facts);

/* Wipes and frees. */
void facts_free(struct facts *facts);
#define cleanup_facts __attribute__((cleanup(facts_free)))

#endif
