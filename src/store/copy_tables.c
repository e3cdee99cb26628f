// See copy_tables.h. Left out is what describes the database itself, and the runs of the service on it.
#include "store/copy_tables.h"

#include "base/require.h"
#include "store/copy_mark.h"

const struct copy_table copy_tables[] = {
    {"meta", "name", COPY_NOT_THE_MARK, "WHERE name = 'master_key_id'"},
    {"merchants", "id"},
    {"api_keys", "id"},
    {"key_uses", "key_id"},
    {"credentials", "id"},
    {"credential_versions", "id"},
    {"customers", "id"},
    {"cards", "id"},
    {"payments", "id"},
    {"refunds", "id"},
    {"disputes", "id"},
    {"payment_history", "payment_id, id"},
    {"idempotency_keys", "merchant_id, livemode, kind, key"},
    {"replies", "subject_id"},
    {"operations", "subject_id, kind", .has_leases = true},
    {"outbox", "id", .has_leases = true},
    {"failing_endpoints", "merchant_id"},
    {"inbox", "merchant_id, livemode, event_id"},
    {"event_feeds", "credential_id"},
    {"catch_ups", "credential_id"},
    {"audit_log", "seq"},
    {"audit_gaps", "first_seq"},
};
const size_t copy_table_count = COUNT_OF(copy_tables);

const char *const copy_tables_left_out[] = {"schema_version", "generation", "nodes",
                                            "commits",        "notices",    NULL};
