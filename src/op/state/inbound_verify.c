// See inbound.h. Finds the merchant whose secret signed an event. The body is untrusted until a secret
// matches: before that, it only selects the secrets that are tried first. Database threads.
#include "base/require.h"
#include "op/state/inbound.h"
#include "store/credentials.h"
#include "store/merchants.h"
#include "store/payments.h"
#include "store/sealed.h"

#define SECRETS_TRIED_MAX 1000
#define CANDIDATES_MAX 8

struct search {
    const struct inbound *inbound;
    const struct keyring *keyring;
    struct uuid merchant_id;
    bool matched;     // a secret matched
    bool mode_agrees; // and it is one of the event's own mode
    bool retired;     // and its credentials were deleted
};

static bool is_found(const struct search *search)
{
    return search->mode_agrees && !search->retired;
}

static bool try_secret(const struct credential_webhook *webhook, void *context)
{
    struct search *search = context;
    struct arena scratch ARENA_CLEANUP = ARENA_EMPTY;
    char *plain = NULL;
    size_t bytes = 0;
    struct sealed sealed = {webhook->sealed, webhook->bytes};
    if (seal_open(&search->keyring->master, &scratch,
                  sealed_context(&scratch, SEALED_PROVIDER_WEBHOOK, &webhook->credential_id), sealed, &plain,
                  &bytes, NULL) != OK) {
        return true;
    }
    const struct secret secret = secret_of(plain, bytes);
    const struct inbound *inbound = search->inbound;
    if (!inbound->provider->signature_matches(&inbound->signature, &secret, inbound->body,
                                              inbound->body_bytes)) {
        return true;
    }
    bool agrees = webhook->livemode == inbound->event.livemode;
    if (!search->matched || (agrees && !search->mode_agrees) || (agrees && !webhook->retired)) {
        search->matched = true;
        search->merchant_id = webhook->merchant_id;
        search->mode_agrees = agrees;
        search->retired = webhook->retired;
    }
    return !is_found(search); // the other mode, or another merchant, may have the same secret
}

// The signature was checked to be recent, so its time counts as now.
static enum errc try_secrets(struct tx *tx, const struct uuid *merchant_id, struct search *search, bool *more,
                             struct err *err)
{
    return credential_webhooks_each(tx->db, merchant_id, search->inbound->signature.time_s * US_PER_S,
                                    SECRETS_TRIED_MAX, try_secret, search, more, err);
}

static void add_candidate(struct uuid *candidates, size_t *count, const struct uuid *merchant_id)
{
    for (size_t i = 0; i < *count; i++) {
        if (uuid_equal(&candidates[i], merchant_id)) {
            return;
        }
    }
    if (*count < CANDIDATES_MAX) {
        candidates[(*count)++] = *merchant_id;
    }
}

static enum errc add_holders(struct tx *tx, const char *provider_ref, struct uuid *candidates, size_t *count,
                             struct err *err)
{
    struct uuid holders[CANDIDATES_MAX];
    size_t holder_count = 0;
    enum errc rc = merchant_holders(tx->db, provider_ref, holders, CANDIDATES_MAX, &holder_count, err);
    for (size_t i = 0; rc == OK && i < holder_count; i++) {
        add_candidate(candidates, count, &holders[i]);
    }
    return rc;
}

// Finds the merchants that the object names: by our ids in its metadata, or by a provider's id that is
// stored here.
static enum errc find_candidates(struct tx *tx, const struct provider_event *event, struct uuid *candidates,
                                 size_t *count, struct err *err)
{
    struct uuid id = {{0}};
    if (event->merchant_id != NULL && uuid_parse(event->merchant_id, &id)) {
        struct merchant merchant = {0};
        enum errc rc = merchant_get(tx->db, &id, tx->arena, &merchant, err);
        if (rc == OK) {
            add_candidate(candidates, count, &id);
        } else if (rc != ERR_NOT_FOUND) { // the merchant may use this name in its own metadata
            return rc;
        }
    }
    if (event->payment_id != NULL && uuid_parse(event->payment_id, &id)) {
        struct payment payment = {0};
        enum errc rc = payment_get(tx->db, &id, NULL, tx->arena, &payment, err);
        if (rc == OK) {
            add_candidate(candidates, count, &payment.merchant_id);
        } else if (rc != ERR_NOT_FOUND) {
            return rc;
        }
    }
    const char *const refs[] = {event->object_id, event->payment_ref, event->customer_ref};
    enum errc rc = OK;
    for (size_t i = 0; rc == OK && i < COUNT_OF(refs); i++) {
        if (refs[i] != NULL) {
            rc = add_holders(tx, refs[i], candidates, count, err);
        }
    }
    return rc;
}

static enum inbound_verdict take_match(const struct search *search, struct inbound *inbound)
{
    if (!search->matched) {
        return INBOUND_UNKNOWN;
    }
    inbound->merchant_id = search->merchant_id;
    inbound->retired = search->retired;
    return search->mode_agrees ? INBOUND_OURS : INBOUND_NOT_OURS;
}

enum errc inbound_verify(struct tx *tx, struct inbound *inbound, enum inbound_verdict *verdict,
                         struct err *err)
{
    struct search search = {.inbound = inbound, .keyring = tx->keyring};
    struct uuid candidates[CANDIDATES_MAX];
    size_t count = 0;
    enum errc rc = OK;
    if (inbound->path_merchant_id != NULL) {
        candidates[count++] = *inbound->path_merchant_id;
    } else {
        rc = find_candidates(tx, &inbound->event, candidates, &count, err);
    }
    if (count > 0) {
        inbound->merchant_id = candidates[0];
    }
    for (size_t i = 0; rc == OK && i < count && !is_found(&search); i++) {
        bool more = false;
        rc = try_secrets(tx, &candidates[i], &search, &more, err);
    }
    if (rc == OK && !search.matched && inbound->path_merchant_id != NULL) {
        return err_set(err, ERR_SIGNATURE_INVALID, "no signing secret of this merchant matches this body");
    }
    *verdict = take_match(&search, inbound);
    return rc;
}

enum errc inbound_search(struct tx *tx, struct inbound *inbound, enum inbound_verdict *verdict,
                         struct err *err)
{
    struct search search = {.inbound = inbound, .keyring = tx->keyring};
    bool more = false;
    enum errc rc = try_secrets(tx, NULL, &search, &more, err);
    if (rc == OK && !search.matched) {
        return err_set(err, ERR_SIGNATURE_INVALID,
                       more ? "none of the signing secrets that were tried matches this body; name the "
                              "merchant in the path"
                            : "no signing secret matches this body");
    }
    *verdict = take_match(&search, inbound);
    return rc;
}
