// See catch_up.h. An attempt reads one page, newest first: of the payments since this database was known to
// be complete, then of the refunds. What the page lacks here is written in one transaction with the position
// of the next page. A backup holds everything that was settled before it was made, so a payment or refund
// that was settled before this start proves that nothing older is missing. Once something is missing, all
// pages are read. Database threads.
#include "op/kinds/catch_up.h"

#include "base/log.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "op/kinds/import.h"
#include "op/kinds/kinds.h"
#include "op/kinds/step.h"
#include "op/state/catch_up_schedule.h"
#include "store/audit.h"
#include "store/meta.h"
#include "store/payments.h"
#include "store/refunds.h"

// A page with a refund whose payment is not known yet is read again, for an hour at most.
#define LATE_AGAIN_US (2 * US_PER_S)
#define LATE_WITHIN_US (3600 * US_PER_S)

static enum errc accept_restored(const struct engine *engine, struct tx *tx, int64_t now_us, struct err *err)
{
    const struct audit_entry entry = {
        .event_type = "database.accepted",
        .severity = "warn",
        .detail = arena_printf(
            tx->arena,
            "serve --accept-restored: payments that %s knows and this database lacks are not imported",
            engine_options(engine)->provider->ops->display_name),
    };
    LOG(LOG_WARN, "the database is accepted as it is: payments that it lacks are not imported");
    enum errc rc = audit_append(tx->db, engine_options(engine)->keyring->pepper, &entry, now_us, err);
    if (rc == OK) {
        rc = meta_accepted_put(tx->db, now_us, err);
    }
    return rc == OK ? catch_ups_end(tx->db, op_catch_up.name, err) : rc;
}

static enum errc catch_up_start(const struct engine *engine, struct tx *tx, enum engine_start start,
                                int64_t alive_us, struct err *err)
{
    int64_t now_us = tx->now_us;
    int64_t from_s = alive_us > now_us ? now_us / US_PER_S - CATCH_UP_LAST_SLACK_S
                                       : alive_us / US_PER_S - CATCH_UP_CLOCK_SLACK_S;
    enum errc rc = meta_whole_put(tx->db, alive_us, err);
    if (rc == OK && start == START_ACCEPTED) {
        return accept_restored(engine, tx, now_us, err);
    }
    if (rc != OK || start == START_SURE) {
        return rc;
    }
    rc = catch_ups_begin(tx->db, from_s, CATCH_UP_CLOCK_SLACK_S, now_us, err);
    return rc == OK ? catch_ups_ask(tx->db, op_catch_up.name, NULL, now_us, err) : rc;
}

enum errc catch_up_check(struct tx *tx, const struct uuid *merchant_id, enum catch_up_mode mode,
                         struct err *err)
{
    bool open = false;
    enum errc rc = catch_up_is_open(tx->db, merchant_id, mode, op_catch_up.name, &open, err);
    return rc == OK && open ? err_set(err, ERR_CATCHING_UP,
                                      "the service is checking %s for payments that its database may "
                                      "lack; nothing was recorded, try again",
                                      provider_default()->display_name)
                            : rc;
}

enum errc catch_up_resume(struct tx *tx, const struct credential *credential, int64_t now_us, struct err *err)
{
    return catch_ups_ask(tx->db, op_catch_up.name, &credential->id, now_us, err);
}

static enum errc get_account(const struct op *op, struct tx *tx, struct arena *arena,
                             struct credential *account, struct err *err)
{
    return credential_get(tx->db, &op->row.merchant_id, op_provider(op)->name, op->row.livemode, arena,
                          account, err);
}

static enum provider_verb next_verb(const struct catch_up *at)
{
    return at->payments_read ? PROVIDER_REFUNDS_SINCE : PROVIDER_PAYMENTS_SINCE;
}

static enum errc catch_up_plan(struct op *op, struct tx *tx, bool *already_done, struct err *err)
{
    struct credential account = {0};
    struct catch_up at = {0};
    enum errc rc = get_account(op, tx, &op->arena, &account, err);
    if (rc == OK && account.is_active) {
        rc = catch_up_get(tx->db, &account.id, &op->arena, &at, err);
    }
    if (rc == ERR_NOT_FOUND || (rc == OK && !account.is_active)) {
        *already_done = true;
        return OK;
    }
    op->row.credential_version_id = account.version_id;
    op->call.verb = next_verb(&at);
    op->call.created_from_s = at.from_s;
    op->call.page = at.page;
    return rc;
}

// Imports a payment of the page if it is missing. *settled: it is here, and was settled before this start.
static enum errc check_payment(struct tx *tx, const struct credential *account, struct catch_up *at,
                               const struct provider_payment *reported, bool *settled, struct err *err)
{
    struct uuid id;
    struct payment payment = {0};
    bool lost = false;
    if (!import_find_id(reported, account, &id)) {
        return OK;
    }
    enum errc rc = payment_get(tx->db, &id, NULL, tx->arena, &payment, err);
    if (rc == OK) {
        *settled = text_equal(payment.provider_ref, reported->id) && payment.updated_us < at->begun_us;
        return payment.provider_ref == NULL ? import_payment_state(tx, account, &payment, reported, err) : OK;
    }
    if (rc == ERR_NOT_FOUND) {
        rc = catch_up_is_lost(tx, &id, &lost, err);
    }
    if (rc != OK || !lost) {
        return rc;
    }
    catch_up_note_known(at, account);
    struct err why = {0};
    rc = import_payment(tx, account, &id, reported, &why);
    if (rc == ERR_CONFLICT) {
        LOG(LOG_ERROR, "a payment that this database lacks cannot be imported; check it at the provider",
            LOG_STR("provider_ref", reported->id), LOG_STR("reason", why.message));
        at->left_out++;
        return OK;
    }
    if (rc != OK) {
        *err = why;
        return rc;
    }
    at->payments++;
    return OK;
}

// Imports a refund of the page if it is missing: this service made it, its payment is here, and it is not.
// *settled: it is here, and was settled before this start. *late: it could not be imported yet.
static enum errc check_refund(struct tx *tx, const struct credential *account, struct catch_up *at,
                              const struct provider_refund *reported, bool *settled, bool *late,
                              struct err *err)
{
    struct payment payment = {0};
    struct refund refund = {0};
    enum errc rc = import_find_refunded(tx, account, reported, &payment, err);
    if (rc != OK) {
        return rc == ERR_NOT_FOUND ? OK : rc;
    }
    rc = refund_by_ref(tx->db, &account->merchant_id, account->livemode, reported->id, tx->arena, &refund,
                       err);
    if (rc == OK) {
        *settled = refund.updated_us < at->begun_us;
        return OK;
    }
    struct uuid id;
    bool lost = false;
    if (rc == ERR_NOT_FOUND && !uuid_parse(reported->refund_id, &id)) {
        bool unclear = false; // then the list of the payment's refunds is read
        // Made at the dashboard. Its event may have come before the backup's payment was lost.
        return at->known ? import_refund(tx, &payment, reported, &unclear, err) : OK;
    }
    if (rc != ERR_NOT_FOUND) {
        return rc;
    }
    rc = refund_get(tx->db, &id, NULL, tx->arena, &refund, err);
    if (rc == ERR_NOT_FOUND) {
        rc = catch_up_is_lost(tx, &id, &lost, err);
    }
    if (rc != OK || !lost) {
        return rc;
    }
    catch_up_note_known(at, account);
    rc = import_refund(tx, &payment, reported, late, err);
    at->refunds += rc == OK && !*late;
    return rc;
}

// Imports what is missing of a page. *proven: nothing older is missing. *late: how many refunds could not be
// imported yet.
static enum errc import_page(const struct op *op, struct tx *tx, const struct credential *account,
                             struct catch_up *at, bool *proven, int64_t *late, struct err *err)
{
    const struct provider_answer *answer = op->call.answer;
    size_t count = at->payments_read ? answer->refund_count : answer->payment_count;
    bool any_settled = false;
    enum errc rc = OK;
    for (size_t i = 0; rc == OK && i < count; i++) { // newest first; within a second in any order
        bool settled = false;
        bool is_late = false;
        rc = at->payments_read ? check_refund(tx, account, at, &answer->refunds[i], &settled, &is_late, err)
                               : check_payment(tx, account, at, &answer->payments[i], &settled, err);
        any_settled |= settled;
        *late += is_late;
    }
    *proven = any_settled && !at->known;
    return rc;
}

static void log_end(const struct credential *account, const struct catch_up *at)
{
    if (at->left_out > 0) {
        catch_up_log(LOG_ERROR,
                     "the payments that this database lacked were imported, except for some payments or "
                     "refunds: a caller who repeats one of those charges or refunds twice",
                     account, at);
    } else if (at->known) {
        catch_up_log(LOG_WARN, "the payments that this database lacked were imported", account, at);
    }
}

// The provider refuses to list the account. The operation closes; the account is read when it has another
// key.
static void log_refused_list(const struct op *op, const struct credential *account, const struct catch_up *at)
{
    const struct provider_answer *answer = op->call.answer;
    char id[UUID_TEXT_BYTES];
    uuid_format(&account->merchant_id, id);
    LOG(at->known ? LOG_ERROR : LOG_WARN,
        "the provider does not list this merchant's payments, so this database may lack some of them; new "
        "payments are accepted",
        LOG_STR("merchant_id", id), LOG_INT("status", answer->status),
        LOG_STR("reason", answer->failure.message));
}

// True if the page is read again because it has late refunds: a caller who repeated one would refund twice.
static bool waits_for_refunds(struct op *op, struct tx *tx, const struct credential *account,
                              struct catch_up *at, int64_t late)
{
    if (late == 0) {
        return false;
    }
    op->row.late_us = op->row.late_us == 0 ? tx->now_us : op->row.late_us;
    if (tx->now_us - op->row.late_us < LATE_WITHIN_US) {
        return true;
    }
    at->left_out += late;
    catch_up_log(LOG_ERROR, "refunds that this database lacks cannot be imported; check them at the provider",
                 account, at);
    return false;
}

static enum errc settle_page(struct op *op, struct tx *tx, const struct credential *account,
                             struct catch_up *at, struct err *err)
{
    bool proven = false;
    int64_t late = 0;
    enum errc rc = import_page(op, tx, account, at, &proven, &late, err);
    if (rc != OK) {
        return rc;
    }
    if (waits_for_refunds(op, tx, account, at, late)) {
        op->row.attempts = 0;
        op->row.unresolved = false;
        op_at(op, tx->now_us + LATE_AGAIN_US);
        return catch_up_put(tx->db, at, err);
    }
    op->row.late_us = 0;
    at->page = proven ? NULL : op->call.answer->next_page;
    op->row.attempts = 0;
    op->row.unresolved = false;
    bool goes_on = at->page != NULL || !at->payments_read;
    at->payments_read = at->payments_read || at->page == NULL;
    if (goes_on) {
        op_at(op, tx->now_us + (at->page != NULL ? STEP_PAGE_PAUSE_US : 0));
        return catch_up_put(tx->db, at, err);
    }
    log_end(account, at);
    return catch_up_delete(tx->db, &at->credential_id, err);
}

static enum errc catch_up_settle(struct op *op, struct tx *tx, struct err *err)
{
    struct credential account = {0};
    struct catch_up at = {0};
    enum errc rc = get_account(op, tx, tx->arena, &account, err);
    if (rc == OK) {
        rc = catch_up_get(tx->db, &account.id, tx->arena, &at, err);
    }
    if (rc != OK) {
        return rc == ERR_NOT_FOUND ? OK : rc;
    }
    if (op->call.verb != next_verb(&at) || op->call.created_from_s != at.from_s ||
        !text_equal(op->call.page, at.page)) { // catching up began anew, or ended, during the call
        op_at(op, tx->now_us);
        return OK;
    }
    bool refused =
        op->call.answer->outcome == PROVIDER_NO_AUTH || op->call.answer->outcome == PROVIDER_REFUSED;
    if (op->call.answer->outcome == PROVIDER_DONE) {
        return settle_page(op, tx, &account, &at, err);
    }
    if (refused && at.page == NULL) {
        log_refused_list(op, &account, &at);
        return OK;
    }
    at.page = refused ? NULL : at.page; // the list may not have this page any more
    op_retry(op);
    return catch_up_put(tx->db, &at, err);
}

static enum errc catch_up_count(struct tx *tx, struct engine_stats *stats, struct err *err)
{
    return catch_ups_count(tx->db, op_catch_up.name, &stats->held, &stats->lacking, err);
}

const struct op_kind op_catch_up = {
    .name = OPERATION_CATCH_UP,
    .subject = SUBJECT_ACCOUNT,
    .plan = catch_up_plan,
    .settle = catch_up_settle,
    .start = catch_up_start,
    .count = catch_up_count,
};
