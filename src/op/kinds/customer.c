// See customer.h. If the provider stored a fault under the key, the newest customers are listed. If ours is
// listed, it is used; if not, its row is gone and another customer is made. The provider may then have a
// customer that nobody uses.
#include "op/kinds/customer.h"

#include "base/text.h"
#include "base/timefmt.h"
#include "domain/email.h"
#include "op/kinds/step.h"
#include "op/state/card_change.h"
#include "store/credentials.h"
#include "store/customers.h"

enum errc customer_find(struct engine *engine, struct tx *tx, const struct customer_owner *owner,
                        struct customer *customer, struct err *err)
{
    const struct provider *provider = engine_options(engine)->provider;
    const char *email = owner->email != NULL ? email_fold(tx->arena, owner->email) : NULL;
    if (email != NULL) {
        enum errc rc =
            customer_by_email(tx->db, &owner->merchant_id, owner->livemode, email, tx->arena, customer, err);
        if (rc != ERR_NOT_FOUND) {
            return rc;
        }
    }
    *customer = (struct customer){
        .id = uuid_new(tx->random, tx->now_us),
        .merchant_id = owner->merchant_id,
        .livemode = owner->livemode,
        .email = email,
        .credential_version_id = owner->credential_version_id,
        .created_us = tx->now_us,
    };
    customer->body = provider->ops->customer_body(customer, owner->email, owner->name, tx->arena);
    return customer_insert(tx->db, customer, err);
}

const char *customer_key(const struct customer *customer, struct arena *arena)
{
    return step_key(arena, "cus", &customer->id, NULL, 0);
}

void customer_plan(struct op *op, const struct customer *customer, const char *email)
{
    op->call.verb = PROVIDER_CUSTOMER;
    op->call.ref = email;
    op->call.created_from_s = customer->created_us / US_PER_S - STEP_CLOCK_SLACK_S;
    op->call.idempotency_key = customer_key(customer, &op->arena);
    op->call.body = arena_strdup(&op->arena, customer->body);
}

bool customer_is_being_made(const struct op *op)
{
    return op->call.verb == PROVIDER_CUSTOMER || op->call.verb == PROVIDER_CUSTOMER_LIST;
}

// The provider's id of the customer. NULL: the answer does not have it.
static const char *find_ref(const struct op *op, const struct customer *customer)
{
    const struct provider_answer *answer = op->call.answer;
    char id[UUID_TEXT_BYTES];
    uuid_format(&customer->id, id);
    if (answer->outcome != PROVIDER_DONE || op->call.verb == PROVIDER_CUSTOMER) {
        return answer->outcome == PROVIDER_DONE ? answer->customer_ref : NULL;
    }
    for (size_t i = 0; i < answer->customer_count; i++) {
        if (text_equal(answer->customers[i].customer_id, id)) {
            return answer->customers[i].id;
        }
    }
    return NULL;
}

// The list does not show the customer, or the secret key may not read it.
static enum errc settle_not_listed(struct op *op, struct tx *tx, const struct customer *customer,
                                   struct err *err)
{
    enum provider_outcome outcome = op->call.answer->outcome;
    if (outcome == PROVIDER_UNKNOWN || outcome == PROVIDER_LOOK_UP) {
        op_retry(op);
        return OK;
    }
    op_send_anew(op, tx);
    return customer_set_gone(tx->db, &customer->id, tx->now_us, err);
}

enum errc customer_settle(struct op *op, struct tx *tx, struct customer *customer, enum customer_step *step,
                          struct err *err)
{
    enum provider_outcome outcome = op->call.answer->outcome;
    const char *ref = find_ref(op, customer);
    enum errc rc = OK;
    if (ref != NULL && customer->provider_ref == NULL) {
        customer->provider_ref = ref;
        rc = customer_set_ref(tx->db, &customer->id, ref, err);
    }
    *step = CUSTOMER_OPEN;
    if (customer->provider_ref != NULL) { // another operation may have made it meanwhile
        *step = CUSTOMER_MADE;
        op_next_step(op, tx);
    } else if (op->call.verb == PROVIDER_CUSTOMER_LIST) {
        rc = settle_not_listed(op, tx, customer, err);
    } else if (outcome == PROVIDER_REFUSED || outcome == PROVIDER_NO_AUTH) {
        *step = CUSTOMER_REFUSED;
    } else {
        op_retry(op);
    }
    return rc;
}

enum errc customer_missing(struct tx *tx, const struct customer *customer,
                           const struct uuid *credential_version_id, bool *gone, struct err *err)
{
    struct credential present = {0};
    enum errc rc = credential_get(tx->db, &customer->merchant_id, provider_default()->name,
                                  customer->livemode, tx->arena, &present, err);
    *gone = rc == OK && (uuid_equal(credential_version_id, &present.version_id) ||
                         uuid_equal(credential_version_id, &customer->credential_version_id));
    return rc == OK && *gone ? customer_end(tx, &customer->id, err) : rc;
}
