// The tables. Ids are 16-byte UUIDv7, in order of time so that inserts append. Times are integer
// microseconds, and money is integers of the currency's minor unit. Text columns with a fixed set of values
// hold the API's words. A column that may hold a secret holds it sealed. Small rows are clustered on their
// key (WITHOUT ROWID), large ones are not.
//
// Nodes of the version before run beside those of this one while they are upgraded, so a step only adds: a
// column that has a default, a table, an index. One that cannot ends with
//     INSERT INTO meta (name, value) VALUES ('oldest_schema', CAST('N' AS BLOB))
//     ON CONFLICT (name) DO UPDATE SET value = excluded.value;
// where N is its own number. Then all nodes must be stopped before the upgrade.
#include "store/schema.h"

#include "base/require.h"

// After the id of an index by which lists are read: PostgreSQL's has it in the order of NEWEST_FIRST (db.h),
// backwards. To SQLite this is a comment.
#define NEWEST_LAST " /*NULLS FIRST*/"

static const char step_1[] =
    // The ids of the keys that seal and hash the database's values, and the times of the service's runs.
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"

    "CREATE TABLE merchants ("
    " id BLOB PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, is_active INTEGER NOT NULL,"
    " webhook_url TEXT, webhook_secret BLOB, webhook_secret_old BLOB, webhook_secret_old_until_us INTEGER,"
    " webhook_stopped INTEGER NOT NULL," // the endpoint answered 410: wait until the URL is set again
    " created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

    "CREATE TABLE api_keys ("
    " id BLOB PRIMARY KEY, merchant_id BLOB NOT NULL REFERENCES merchants(id), hash BLOB NOT NULL UNIQUE,"
    " prefix TEXT NOT NULL, scopes INTEGER NOT NULL, livemode INTEGER NOT NULL, name TEXT,"
    " expires_us INTEGER, revoked_us INTEGER, created_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX api_keys_by_merchant ON api_keys(merchant_id);"

    // One row for each merchant, provider and mode. Every secret key that it ever had is a version, which is
    // wiped once no open operation needs it.
    "CREATE TABLE credentials ("
    " id BLOB PRIMARY KEY, merchant_id BLOB NOT NULL REFERENCES merchants(id), provider TEXT NOT NULL,"
    " livemode INTEGER NOT NULL, is_active INTEGER NOT NULL, version_id BLOB NOT NULL, webhook_secret BLOB,"
    " created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL,"
    " UNIQUE (merchant_id, provider, livemode)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE credential_versions ("
    " id BLOB PRIMARY KEY, credential_id BLOB NOT NULL, secret_key BLOB, created_us INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX credential_versions_kept ON credential_versions(credential_id)"
    " WHERE secret_key IS NOT NULL;"

    "CREATE TABLE payments ("
    " id BLOB PRIMARY KEY, merchant_id BLOB NOT NULL, livemode INTEGER NOT NULL,"
    " amount_minor INTEGER NOT NULL, amount_thousandths INTEGER NOT NULL," // compared whatever the currency
    " currency TEXT NOT NULL, status TEXT NOT NULL, provider TEXT NOT NULL, provider_ref TEXT,"
    " saved_card_id BLOB, idempotency_key TEXT NOT NULL, payment_method TEXT, return_url TEXT, description "
    "TEXT, metadata TEXT,"
    " capture_manual INTEGER NOT NULL, customer_email TEXT, captured_minor INTEGER NOT NULL,"
    " refunded_minor INTEGER NOT NULL, capturable INTEGER NOT NULL, action_given INTEGER NOT NULL,"
    " next_action TEXT,"
    " action_secret BLOB, failure_code TEXT, failure_decline_code TEXT,"
    " failure_message TEXT,"
    " credential_version_id BLOB NOT NULL, created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL,"
    " CHECK (amount_minor > 0), CHECK (captured_minor BETWEEN 0 AND amount_minor),"
    " CHECK (refunded_minor BETWEEN 0 AND captured_minor)) STRICT;"
    // The columns after the id never change, and lists filter by them: rows that do not match are skipped
    // without reading them.
    "CREATE INDEX payments_by_merchant ON payments(merchant_id, livemode, id" NEWEST_LAST
    ", currency, amount_thousandths);"
    // For lists of statuses that are rare among a merchant's payments. An index over every status would
    // double the cost of a payment's writes.
    "CREATE INDEX payments_rare ON payments(merchant_id, livemode, status, id" NEWEST_LAST
    ") WHERE status <> 'completed';"
    "CREATE INDEX payments_by_card ON payments(merchant_id, livemode, saved_card_id, id" NEWEST_LAST ")"
    " WHERE saved_card_id IS NOT NULL;"
    "CREATE UNIQUE INDEX payments_by_ref ON payments(provider_ref, merchant_id, livemode)"
    " WHERE provider_ref IS NOT NULL;"

    // The owners of the cards. The form that creates a customer at the provider is kept, because its
    // idempotency key stands for exactly that form. A customer that was deleted there is gone, and its e-mail
    // is free for another.
    "CREATE TABLE customers ("
    " id BLOB PRIMARY KEY, merchant_id BLOB NOT NULL, livemode INTEGER NOT NULL, email TEXT, body TEXT NOT "
    "NULL,"
    " provider_ref TEXT, credential_version_id BLOB NOT NULL, gone_us INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, UNIQUE (merchant_id, livemode, email, gone_us)) STRICT;"
    "CREATE INDEX customers_by_ref ON customers(provider_ref, merchant_id, livemode)"
    " WHERE provider_ref IS NOT NULL;"
    "CREATE TABLE cards ("
    " id BLOB PRIMARY KEY, merchant_id BLOB NOT NULL, customer_id BLOB NOT NULL REFERENCES customers(id),"
    " livemode INTEGER NOT NULL, status TEXT NOT NULL, provider TEXT NOT NULL, method_sent TEXT NOT NULL,"
    " provider_ref TEXT, brand TEXT, last4 TEXT, exp_month INTEGER NOT NULL, exp_year INTEGER NOT NULL,"
    " customer_email TEXT, customer_name TEXT, is_default INTEGER NOT NULL, failure_code TEXT, "
    "failure_message TEXT,"
    " credential_version_id BLOB NOT NULL, created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL) STRICT;"
    "CREATE INDEX cards_by_merchant ON cards(merchant_id, livemode, id" NEWEST_LAST
    ") WHERE status = 'active';"
    "CREATE INDEX cards_saving ON cards(merchant_id, livemode, method_sent) WHERE status = 'saving';"
    "CREATE INDEX cards_by_ref ON cards(provider_ref, merchant_id, livemode) WHERE provider_ref IS NOT NULL;"
    "CREATE INDEX cards_by_customer ON cards(customer_id, id);"

    // A pending refund reserves its amount. What is left of a payment is computed from these rows alone.
    "CREATE TABLE refunds ("
    " id BLOB PRIMARY KEY, payment_id BLOB NOT NULL REFERENCES payments(id), merchant_id BLOB NOT NULL,"
    " livemode INTEGER NOT NULL, amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, status TEXT NOT NULL,"
    " provider_ref TEXT, reason TEXT, failure_code TEXT, failure_message TEXT,"
    " credential_version_id BLOB NOT NULL, created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL,"
    " CHECK (amount_minor > 0)) STRICT;"
    "CREATE INDEX refunds_by_payment ON refunds(payment_id, id);"
    "CREATE INDEX refunds_by_merchant ON refunds(merchant_id, livemode, id" NEWEST_LAST ");"
    "CREATE INDEX refunds_rare ON refunds(merchant_id, livemode, status, id" NEWEST_LAST
    ") WHERE status <> 'completed';"
    "CREATE UNIQUE INDEX refunds_by_ref ON refunds(provider_ref, merchant_id, livemode)"
    " WHERE provider_ref IS NOT NULL;"

    // What changed, when and why. Only ever appended to.
    "CREATE TABLE payment_history ("
    " payment_id BLOB NOT NULL, id BLOB NOT NULL, at_us INTEGER NOT NULL, what TEXT NOT NULL,"
    " status TEXT NOT NULL,"
    " cause TEXT NOT NULL, cause_ref TEXT, PRIMARY KEY (payment_id, id)) STRICT, WITHOUT ROWID;"

    // A key belongs to its request for ever; the answer's bytes may be pruned.
    "CREATE TABLE idempotency_keys ("
    " merchant_id BLOB NOT NULL, livemode INTEGER NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL,"
    " request_hash BLOB NOT NULL, subject_id BLOB NOT NULL, created_us INTEGER NOT NULL,"
    " PRIMARY KEY (merchant_id, livemode, kind, key)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE replies ("
    " subject_id BLOB PRIMARY KEY, status INTEGER NOT NULL, body BLOB NOT NULL,"
    " created_us INTEGER NOT NULL) STRICT;"

    // A row is an open operation, which still needs a call to the provider. Once its outcome is known, the
    // row is deleted.
    "CREATE TABLE operations ("
    " subject_id BLOB NOT NULL, kind TEXT NOT NULL, merchant_id BLOB NOT NULL, livemode INTEGER NOT NULL,"
    " credential_version_id BLOB NOT NULL, body TEXT, attempts INTEGER NOT NULL, unresolved INTEGER NOT NULL,"
    " look_up INTEGER NOT NULL, absent_us INTEGER, next_attempt_us INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL,"
    " PRIMARY KEY (subject_id, kind)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX operations_due ON operations(next_attempt_us);"
    "CREATE INDEX operations_by_version ON operations(credential_version_id);"

    // Events to the merchant, written with the change that they report. A row is also the state of its
    // delivery.
    "CREATE TABLE outbox ("
    " id BLOB PRIMARY KEY, merchant_id BLOB NOT NULL, livemode INTEGER NOT NULL, transaction_id BLOB,"
    " type TEXT NOT NULL,"
    " body TEXT NOT NULL, status TEXT NOT NULL, attempts INTEGER NOT NULL, next_attempt_us INTEGER,"
    " last_status_code INTEGER, last_error TEXT, delivered_us INTEGER, created_us INTEGER NOT NULL) STRICT;"
    // Events with a time, and parked events: see outbox.h. Blocked events (9223372036854775807) are in
    // neither index.
    "CREATE INDEX outbox_open ON outbox(merchant_id, next_attempt_us)"
    " WHERE next_attempt_us < 9223372036854775806;"
    "CREATE INDEX outbox_waiting ON outbox(merchant_id, created_us)"
    " WHERE next_attempt_us = 9223372036854775806;"
    "CREATE INDEX outbox_by_transaction ON outbox(transaction_id, id);"
    "CREATE INDEX outbox_by_merchant ON outbox(merchant_id, livemode, id" NEWEST_LAST ");"
    // For lists of what is rare among delivered events.
    "CREATE INDEX outbox_unfinished ON outbox(merchant_id, livemode, id" NEWEST_LAST
    ") WHERE next_attempt_us IS NOT NULL;"
    "CREATE INDEX outbox_dead ON outbox(merchant_id, livemode, id" NEWEST_LAST ") WHERE status = 'dead';"

    // Events from the provider: one row for each, kept for longer than the provider repeats it. The body is
    // kept only until it can be applied.
    "CREATE TABLE inbox ("
    " merchant_id BLOB NOT NULL, livemode INTEGER NOT NULL, event_id TEXT NOT NULL, type TEXT NOT NULL,"
    " payment_id BLOB, body BLOB, received_us INTEGER NOT NULL,"
    " PRIMARY KEY (merchant_id, livemode, event_id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX inbox_by_age ON inbox(received_us);"
    "CREATE INDEX inbox_kept ON inbox(merchant_id, payment_id, received_us) WHERE body IS NOT NULL;"

    // How far they have been fetched, and where the present round stands: event_feeds.h.
    "CREATE TABLE event_feeds ("
    " credential_id BLOB PRIMARY KEY, since_s INTEGER NOT NULL, at_s INTEGER NOT NULL,"
    " width_s INTEGER NOT NULL, page TEXT) STRICT, WITHOUT ROWID;"

    "CREATE TABLE audit_log ("
    " seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, event_type TEXT NOT NULL, severity TEXT NOT NULL,"
    " actor_ip TEXT,"
    " merchant_id BLOB, key_prefix TEXT, detail TEXT NOT NULL, metadata TEXT NOT NULL,"
    " created_us INTEGER NOT NULL,"
    " mac BLOB NOT NULL) STRICT;"
    "CREATE INDEX audit_log_by_merchant ON audit_log(merchant_id, id" NEWEST_LAST ");"
    "CREATE INDEX audit_log_rare ON audit_log(id) WHERE event_type <> 'auth.success';"
    "CREATE INDEX audit_log_rare_by_merchant ON audit_log(merchant_id, id" NEWEST_LAST ")"
    " WHERE event_type <> 'auth.success';";

// For a key whose request found an existing card: the id that its own first answer is stored under. NULL: the
// subject's id.
static const char step_2[] = "ALTER TABLE idempotency_keys ADD COLUMN reply_id BLOB;";

// Cards stayed active although the provider no longer knew their customer.
static const char step_3[] = "UPDATE cards SET status = 'gone', is_default = 0 WHERE status = 'active'"
                             " AND customer_id IN (SELECT id FROM customers WHERE gone_us <> 0);";

// The last attempt whose secret key the provider refused (0: none), and the merchant's version then.
static const char step_4[] = "ALTER TABLE operations ADD COLUMN refused_attempt INTEGER NOT NULL DEFAULT 0;"
                             "ALTER TABLE operations ADD COLUMN refused_version_id BLOB;";

// Only the ASCII letters of e-mails were folded. If two customers turn out to have the same address, one
// keeps its old spelling: it keeps its cards, but no further card is saved for it.
static const char step_5[] =
    "UPDATE OR IGNORE customers SET email = email_fold(email) WHERE email <> email_fold(email);";

// Cards that the payer sets up, cards that are saved while paying, and the fingerprint that tells whether two
// saves are of one card.
static const char step_6[] =
    "ALTER TABLE cards ADD COLUMN return_url TEXT;"
    "ALTER TABLE cards ADD COLUMN setup_ref TEXT;"
    "ALTER TABLE cards ADD COLUMN next_action TEXT;"
    "ALTER TABLE cards ADD COLUMN action_secret BLOB;"
    "ALTER TABLE cards ADD COLUMN fingerprint TEXT;"
    "ALTER TABLE payments ADD COLUMN customer_id BLOB;"
    "CREATE INDEX cards_pending ON cards(merchant_id, livemode, method_sent) WHERE status = 'pending';"
    "CREATE INDEX cards_by_setup ON cards(setup_ref, merchant_id, livemode) WHERE setup_ref IS NOT NULL;";

// The expiry (year * 12 + month; 0: none) that the merchant was last told of, and an index of the cards whose
// expiry it was not told of yet.
static const char step_7[] =
    "ALTER TABLE cards ADD COLUMN expiring_told INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX cards_expiring ON cards((exp_year * 12 + exp_month))"
    " WHERE status = 'active' AND exp_month > 0 AND expiring_told < exp_year * 12 + exp_month;";

// Which accounts are asked for what this database lacks, and how far that has come: catch_ups.h.
static const char step_8[] =
    "CREATE TABLE catch_ups ("
    " credential_id BLOB PRIMARY KEY, from_s INTEGER NOT NULL, begun_us INTEGER NOT NULL,"
    " known INTEGER NOT NULL,"
    " payments_read INTEGER NOT NULL, page TEXT, payments INTEGER NOT NULL, refunds INTEGER NOT NULL,"
    " left_out INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

// Runs of entries that were deleted by age: audit_chain.c.
static const char step_9[] =
    "CREATE TABLE audit_gaps ("
    " first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, mac BLOB NOT NULL, seal BLOB NOT NULL)"
    " STRICT;";

// A value that changes with every row of the tables whose rows are kept: kept_rows.h.
#define GENERATION_WITH(table, change)                                                                       \
    "CREATE TRIGGER " table "_" change " AFTER " change " ON " table                                         \
    " BEGIN UPDATE generation SET value = randomblob(16); END;"
#define GENERATION_OF(table)                                                                                 \
    GENERATION_WITH(table, "INSERT") GENERATION_WITH(table, "UPDATE") GENERATION_WITH(table, "DELETE")
static const char step_10[] =
    "CREATE TABLE generation (value BLOB NOT NULL) STRICT;"
    "INSERT INTO generation (value) VALUES (randomblob(16));" GENERATION_OF("api_keys")
        GENERATION_OF("merchants") GENERATION_OF("credentials") GENERATION_OF("credential_versions");

// Each operation was written to it twice, and only a merchant's new secret key read it.
static const char step_11[] = "DROP INDEX operations_by_version;";

// The merchants whose last webhook failed. Not a column of merchants, whose changes advance the generation.
static const char step_12[] =
    "CREATE TABLE failing_endpoints (merchant_id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;"
    "INSERT INTO failing_endpoints SELECT DISTINCT merchant_id FROM outbox"
    " WHERE next_attempt_us < 9223372036854775806 AND attempts > 0;";

// With what lists filter by, like payments_by_merchant.
static const char step_13[] =
    "DROP INDEX payments_rare;"
    "CREATE INDEX payments_rare ON payments(merchant_id, livemode, status, id" NEWEST_LAST
    ", currency, amount_thousandths)"
    " WHERE status <> 'completed';";

// The processes that share a database (nodes.h), and which of them holds a row's lease.
static const char step_14[] =
    "CREATE TABLE nodes ("
    " id BLOB PRIMARY KEY, name TEXT NOT NULL, started_us INTEGER NOT NULL, beat INTEGER NOT NULL,"
    " beat_us INTEGER NOT NULL, trusts INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "ALTER TABLE operations ADD COLUMN node_id BLOB;"
    "ALTER TABLE outbox ADD COLUMN node_id BLOB;"
    // One node at a time does the work that has such a row: meta_take_turn.
    "INSERT INTO meta (name, value) VALUES ('janitor', CAST('' AS BLOB)), ('retention', CAST('' AS BLOB));";

// The transactions of which a database with a connection to lose keeps a record: postgres/commit.c. Ids are
// in order of time. committed 0: the transaction was ruled out. And the next step lets a card be saved only
// once at a time: of those that are being saved twice, the first goes on.
static const char step_15[] =
    "CREATE TABLE commits (id BLOB PRIMARY KEY, committed INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "UPDATE cards SET status = 'gone', is_default = 0, failure_code = 'duplicate',"
    " failure_message = 'This card was being saved twice.'"
    " WHERE status = 'saving' AND setup_ref IS NULL AND EXISTS (SELECT 1 FROM cards c"
    " WHERE c.status = 'saving' AND c.setup_ref IS NULL AND c.merchant_id = cards.merchant_id"
    " AND c.livemode = cards.livemode AND c.method_sent = cards.method_sent"
    " AND coalesce(c.customer_email, '') = coalesce(cards.customer_email, '') AND c.id < cards.id);";

// Two nodes that get the same card at once must not both save it: the second waits, and finds the first
// one's. And the row that a node locks before it appends to the audit log.
static const char step_16[] =
    "CREATE UNIQUE INDEX cards_one_saving ON cards(merchant_id, livemode, method_sent,"
    " (coalesce(customer_email, ''))) WHERE status = 'saving' AND setup_ref IS NULL;"
    "INSERT INTO meta (name, value) VALUES ('audit_log', CAST('' AS BLOB));";

// What the nodes tell each other: notices.h.
static const char step_17[] =
    "CREATE TABLE notices (topic TEXT NOT NULL, about BLOB NOT NULL, value INTEGER NOT NULL,"
    " node_id BLOB NOT NULL, number INTEGER NOT NULL UNIQUE, PRIMARY KEY (topic, about))"
    " STRICT, WITHOUT ROWID;";

// One row for each dispute at the provider, as the newest report shows it: disputes.h.
static const char step_18[] =
    "CREATE TABLE disputes ("
    " id BLOB PRIMARY KEY, payment_id BLOB NOT NULL REFERENCES payments(id), merchant_id BLOB NOT NULL,"
    " livemode INTEGER NOT NULL, provider_ref TEXT NOT NULL, status TEXT, reason TEXT, amount_minor INTEGER,"
    " currency TEXT, evidence_due_us INTEGER, reported_s INTEGER NOT NULL, created_us INTEGER NOT NULL,"
    " updated_us INTEGER NOT NULL) STRICT;"
    "CREATE INDEX disputes_by_payment ON disputes(payment_id, id);"
    "CREATE INDEX disputes_by_merchant ON disputes(merchant_id, livemode, id" NEWEST_LAST ");"
    "CREATE INDEX disputes_rare ON disputes(merchant_id, livemode, status, id" NEWEST_LAST
    ") WHERE status <> 'lost';"
    "CREATE UNIQUE INDEX disputes_by_ref ON disputes(provider_ref, merchant_id, livemode);";

// When API keys were last used. Not a column of api_keys, whose changes advance the generation.
static const char step_19[] =
    "CREATE TABLE key_uses (key_id BLOB PRIMARY KEY, used_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

// For the list, which has this condition. Without it, PostgreSQL's planner would use the index to look a
// customer up by e-mail, too, as long as it has no statistics, and read all customers of the merchant.
static const char step_20[] =
    "CREATE INDEX customers_by_merchant ON customers(merchant_id, livemode, id" NEWEST_LAST
    ") WHERE provider_ref IS NOT NULL;";

// What became of the provider's events, in a list: inbox.h. The events of before have no id and are not
// listed.
static const char step_21[] =
    "ALTER TABLE inbox ADD COLUMN id BLOB;"
    "ALTER TABLE inbox ADD COLUMN outcome TEXT;"
    "ALTER TABLE inbox ADD COLUMN reason TEXT;"
    "CREATE INDEX inbox_by_merchant ON inbox(merchant_id, livemode, id" NEWEST_LAST ") WHERE id IS NOT NULL;"
    "CREATE INDEX inbox_by_payment ON inbox(merchant_id, livemode, payment_id, id" NEWEST_LAST
    ") WHERE id IS NOT NULL AND payment_id IS NOT NULL;"
    "CREATE INDEX inbox_rare ON inbox(merchant_id, livemode, outcome, id" NEWEST_LAST
    ") WHERE id IS NOT NULL AND outcome <> 'applied';";

const char *const schema_steps[] = {step_1,  step_2,  step_3,  step_4,  step_5,  step_6,  step_7,
                                    step_8,  step_9,  step_10, step_11, step_12, step_13, step_14,
                                    step_15, step_16, step_17, step_18, step_19, step_20, step_21};
const size_t schema_step_count = COUNT_OF(schema_steps);
