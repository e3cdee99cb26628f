// See catch_up_schedule.h.
#include "op/state/catch_up_schedule.h"

#include "base/timefmt.h"
#include "op/state/schedule.h"
#include "provider/provider.h"
#include "store/meta.h"

void catch_up_log(enum log_level level, const char *message, const struct credential *account,
                  const struct catch_up *at)
{
    char id[UUID_TEXT_BYTES];
    uuid_format(&account->merchant_id, id);
    LOG(level, message, LOG_STR("merchant_id", id), LOG_STR("mode", account->livemode ? "live" : "test"),
        LOG_INT("payments", at->payments), LOG_INT("refunds", at->refunds),
        LOG_INT("left_out", at->left_out));
}

void catch_up_note_known(struct catch_up *at, const struct credential *account)
{
    if (!at->known) {
        catch_up_log(
            LOG_ERROR,
            "this database was restored from a backup: the provider has payments that it lacks. They are "
            "being imported; until that is done, this merchant's new payments and refunds are "
            "refused. serve --accept-restored continues without them",
            account, at);
    }
    at->known = true;
}

enum errc catch_up_is_lost(struct tx *tx, const struct uuid *id, bool *lost, struct err *err)
{
    int64_t accepted_us = 0;
    int64_t made_us = uuid_ms(id) * US_PER_MS;
    enum errc rc = meta_accepted_get(tx->db, &accepted_us, err);
    *lost = made_us >= accepted_us && made_us < tx->now_us + CATCH_UP_LAST_SLACK_S * US_PER_S;
    return rc;
}

enum errc catch_up_schedule(struct tx *tx, const struct uuid *merchant_id, bool livemode,
                            const struct uuid *payment_id, struct err *err)
{
    struct credential account = {0};
    struct catch_up at = {0};
    int64_t whole_us = 0;
    bool lost = false;
    enum errc rc =
        credential_get(tx->db, merchant_id, provider_default()->name, livemode, tx->arena, &account, err);
    if (rc != OK) {
        return rc == ERR_NOT_FOUND ? OK : rc;
    }
    rc = catch_up_is_lost(tx, payment_id, &lost, err);
    if (rc != OK || !lost) {
        return rc;
    }
    int64_t from_us = uuid_ms(payment_id) * US_PER_MS;
    rc = meta_whole_get(tx->db, &whole_us, err);
    if (whole_us != 0 && whole_us < from_us) {
        from_us = whole_us;
    }
    int64_t from_s = from_us / US_PER_S - CATCH_UP_CLOCK_SLACK_S;
    if (rc == OK) {
        rc = credential_lock(tx->db, &account.id, err);
    }
    if (rc == OK) {
        rc = catch_up_get(tx->db, &account.id, tx->arena, &at, err);
    }
    if (rc == OK && at.known && !at.payments_read && at.from_s <= from_s) {
        return OK; // its page comes
    }
    if (rc == ERR_NOT_FOUND) {
        at = (struct catch_up){.credential_id = account.id, .from_s = from_s};
        rc = OK;
    }
    if (rc != OK) {
        return rc;
    }
    catch_up_note_known(&at, &account);
    at.from_s = from_s < at.from_s ? from_s : at.from_s;
    at.payments_read = false;
    at.page = NULL;
    tx->work_due = true;
    rc = catch_up_put(tx->db, &at, err);
    return rc == OK ? catch_ups_ask(tx->db, OPERATION_CATCH_UP, &account.id, tx->now_us, err) : rc;
}
