/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "audit_mark.h"
#include "audit_verify.h"
#include "commands.h"
#include "config.h"
#include "home.h"
#include "tacit/json.h"

const struct option_row command_check_options[] = {
    {"dir", "DIR", "the store's directory (/var/lib/tacit)"},
    KEY_OPTION_ROWS,
    {"json", NULL, "print the findings as JSON"},
    {0},
};

struct findings {
	uint64_t rows;
	uint64_t versions;
	struct audit_findings audit;
};

static int check_audit(struct home *home, struct findings *ret_findings, struct fault *fault)
{
	struct vault *vault = home->server.vault;
	struct audit_mark mark;
	int r = audit_mark_load(vault, &mark);

	if (r < 0)
		return fault_set(fault, r, "mark of " AUDIT_FILE);

	return audit_verify(home->dirfd, vault_keys(vault), &mark, &ret_findings->audit, fault);
}

static int check(struct home *home, struct findings *ret_findings, struct fault *fault)
{
	int r = vault_check_store(home->server.vault, fault);

	if (r == 0)
		r = vault_check_set(home->server.vault, VAULT_WHOLE, &ret_findings->rows, fault);
	if (r == 0)
		r = secrets_check(home->server.secrets, &ret_findings->versions, fault);

	return r < 0 ? r : check_audit(home, ret_findings, fault);
}

static void print_findings(
    const struct config *config, const struct home *home, const struct findings *findings)
{
	unsigned long long revision = vault_revision(home->server.vault);
	size_t secrets = secrets_count(home->server.secrets);
	size_t clients = clients_count(home->server.clients);

	if (config->json)
		(void)printf("{\"ok\":true,\"revision\":%llu,\"records\":%llu,\"secrets\":%zu,"
		             "\"versions\":%llu,\"clients\":%zu,\"audit_lines\":%llu,"
		             "\"audit_gaps\":%llu,\"audit_files\":%llu}\n",
		    revision, (unsigned long long)findings->rows, secrets,
		    (unsigned long long)findings->versions, clients,
		    (unsigned long long)findings->audit.lines,
		    (unsigned long long)findings->audit.gaps,
		    (unsigned long long)findings->audit.files);
	else
		(void)printf("ok: revision %llu, %llu records, %zu secrets in %llu versions, %zu "
		             "clients, %llu audit lines\n",
		    revision, (unsigned long long)findings->rows, secrets,
		    (unsigned long long)findings->versions, clients,
		    (unsigned long long)findings->audit.lines);
	if (!config->json && findings->audit.gaps > 0)
		(void)printf("note: lines of the audit log were lost; %llu times a line "
		             "audit.restarted says which\n",
		    (unsigned long long)findings->audit.gaps);
}

int command_check(const struct command *command, int argc, char *argv[])
{
	struct config config;
	struct fault fault = {0};
	struct findings findings = {0};
	struct home home;
	struct audit_state audit;
	int r, exit_code = config_parse(command, argc, argv, &config);

	if (exit_code >= 0)
		return exit_code;
	if (home_open(&config, HOME_CHECK, &home, &audit, &fault) < 0) {
		fault_report(PROGRAM_NAME, &fault);
		return 1;
	}

	r = check(&home, &findings, &fault);
	if (r < 0)
		fault_report(PROGRAM_NAME, &fault);
	else
		print_findings(&config, &home, &findings);
	home_close(&home);
	return r < 0 ? 1 : 0;
}
