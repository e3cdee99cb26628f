// See copy_tables.h. Left out is what describes the database itself, and the runs of the service on it.
#include "store/copy_tables.h"

#include "base/require.h"
#include "store/copy_mark.h"

const struct copy_table copy_tables[] = {
    {"meta", "name", COPY_NOT_THE_MARK},
    {"merchants", "id", NULL},
    {"api_keys", "id", NULL},
    {"credentials", "id", NULL},
    {"credential_versions", "id", NULL},
    {"customers", "id", NULL},
    {"cards", "id", NULL},
    {"payments", "id", NULL},
    {"refunds", "id", NULL},
    {"payment_history", "payment_id, id", NULL},
    {"idempotency_keys", "merchant_id, livemode, kind, key", NULL},
    {"replies", "subject_id", NULL},
    {"operations", "subject_id, kind", NULL},
    {"outbox", "id", NULL},
    {"failing_endpoints", "merchant_id", NULL},
    {"inbox", "merchant_id, livemode, event_id", NULL},
    {"event_feeds", "credential_id", NULL},
    {"catch_ups", "credential_id", NULL},
    {"audit_log", "seq", NULL},
    {"audit_gaps", "first_seq", NULL},
};
const size_t copy_table_count = COUNT_OF(copy_tables);

const char *const copy_tables_left_out[] = {"schema_version", "generation", "nodes", "commits", NULL};
