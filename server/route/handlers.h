/* SPDX-License-Identifier: MIT */
#ifndef TACIT_SERVER_HANDLERS_H
#define TACIT_SERVER_HANDLERS_H

#include "exchange.h"

/*
 * The handlers behind the table in route_table.c, one group to a file. By the time a handler runs
 * the caller has been identified and, for the name in the path, allowed.
 */
exchange_handler handle_health, handle_ca, handle_metrics;
exchange_handler handle_bundle;
exchange_handler handle_instance_delete;
exchange_handler handle_secret_list, handle_secret_get, handle_secret_put, handle_secret_delete;
exchange_handler handle_versions_get, handle_rollback, handle_destroy;
exchange_handler handle_metadata_get, handle_metadata_put;
exchange_handler handle_client_list, handle_client_get, handle_client_put, handle_client_delete;
exchange_handler handle_client_revoke;
exchange_handler handle_token_list, handle_token_create, handle_token_revoke;
exchange_handler handle_enroll, handle_renew;
exchange_handler handle_audit, handle_audit_verify;
exchange_handler handle_status;
exchange_handler handle_grants_get, handle_grants_put, handle_grants_delete;

/*
 * Whether the caller may manage a client that is `target` (NULL: not there yet) and is to have
 * this role: -TACIT_E_DENIED.
 */
int exchange_manages(struct exchange *exchange, const struct client *target, enum role wanted);

/* Answers with the name of the path and a version of it, which is the entity tag too. */
int exchange_answer_version(struct exchange *exchange, int status, uint32_t version);

#endif
