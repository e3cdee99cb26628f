// The forms that Stripe is sent: https://docs.stripe.com/api/payment_intents/create, /refunds/create,
// /payment_intents/confirm, /customers/create, /payment_methods/attach, /setup_intents/create.
#include "provider/stripe/body.h"

#include <string.h>

#include "base/crypto.h"
#include "base/json_reader.h"
#include "base/require.h"
#include "base/text.h"
#include "net/form.h"
#include "provider/stripe/amount.h"
#include "provider/stripe/object.h"

// A request has 64 kB at most; each byte of it may take three once it is escaped, and the fields' own names
// come on top.
#define CHARGE_BODY_BYTES_MAX (256 * 1024)
#define AMOUNT_TO_CAPTURE "amount_to_capture"
#define CUSTOMER_BODY_REST_BYTES ((size_t)256) // beside e-mail and name: names and two ids

static void add_mark(struct buf *form, const char *key, const uint8_t hash[SHA256_BYTES])
{
    char hex[2 * SHA256_BYTES + 1];
    text_hex(hash, SHA256_BYTES, hex);
    form_add(form, "metadata[" STRIPE_MARK_KEY "]", key);
    form_add(form, "metadata[" STRIPE_MARK_HASH "]", hex);
}

static enum errc add_metadata(struct buf *form, const struct payment *payment, struct arena *arena,
                              struct err *err)
{
    char id[UUID_TEXT_BYTES];
    uuid_format(&payment->id, id);
    form_add(form, "metadata[payment_id]", id);
    uuid_format(&payment->merchant_id, id);
    form_add(form, "metadata[merchant_id]", id);
    if (payment->request_hash != NULL) {
        add_mark(form, payment->idempotency_key, payment->request_hash);
    }
    if (payment->metadata_json == NULL) {
        return OK;
    }
    const struct json_value *metadata = NULL;
    const char *text = payment->metadata_json;
    if (json_read(arena, text, strlen(text), JSON_VALUES_MAX, &metadata, NULL) != OK) {
        return err_set(err, ERR_STORE, "the payment's metadata is damaged");
    }
    for (const struct json_value *each = json_first(metadata); each != NULL;
         each = json_next(metadata, each)) {
        form_add(form, arena_printf(arena, "metadata[%s]", each->name), each->text);
    }
    return OK;
}

enum errc stripe_charge_body(const struct payment *payment, const char *customer_ref, const char *method_ref,
                             bool off_session, struct arena *arena, const char **body, struct err *err)
{
    struct buf form BUF_CLEANUP = BUF_MAX(CHARGE_BODY_BYTES_MAX);
    form_add_i64(&form, "amount", stripe_amount_to(payment->amount_minor, payment->currency));
    form_add(&form, "currency", text_lower(arena, payment->currency->code));
    if (customer_ref != NULL) {
        form_add(&form, "customer", customer_ref); // a method that is attached is charged with its customer
    }
    form_add(&form, "payment_method", method_ref != NULL ? method_ref : payment->payment_method);
    form_add(&form, "confirm", "true");
    form_add(&form, "automatic_payment_methods[enabled]", "true");
    if (off_session) {
        form_add(&form, "off_session", "true");
    } else if (customer_ref != NULL) {
        form_add(&form, "setup_future_usage", "off_session");
    }
    if (payment->return_url != NULL && !off_session) {
        form_add(&form, "return_url", payment->return_url);
    } else {
        // Without it Stripe refuses to confirm, since some methods of the account might redirect the payer.
        form_add(&form, "automatic_payment_methods[allow_redirects]", "never");
    }
    if (payment->capture_manual) {
        form_add(&form, "capture_method", "manual");
    }
    if (payment->description != NULL) {
        form_add(&form, "description", payment->description);
    }
    if (payment->customer_email != NULL) {
        form_add(&form, "receipt_email", payment->customer_email);
    }
    enum errc rc = add_metadata(&form, payment, arena, err);
    if (rc != OK) {
        return rc;
    }
    if (form.overflow) {
        return err_set(err, ERR_VALIDATION, "the request to the provider would be too large");
    }
    *body = arena_strdup(arena, buf_str(&form));
    return OK;
}

const char *stripe_capture_body(const struct payment *payment, int64_t amount_minor, struct arena *arena)
{
    struct buf form BUF_CLEANUP = BUF_MAX(256);
    form_add_i64(&form, AMOUNT_TO_CAPTURE, stripe_amount_to(amount_minor, payment->currency));
    return arena_strdup(arena, buf_str(&form));
}

int64_t stripe_capture_amount(const char *body)
{
    int64_t amount = 0;
    REQUIRE(text_starts_with(body, AMOUNT_TO_CAPTURE "="));
    REQUIRE(text_to_i64(body + strlen(AMOUNT_TO_CAPTURE "="), &amount, NULL) == OK);
    return amount;
}

const char *stripe_refund_body(const struct refund *refund, const char *payment_ref, struct arena *arena)
{
    struct buf form BUF_CLEANUP = BUF_MAX(4096);
    char id[UUID_TEXT_BYTES];
    form_add(&form, "payment_intent", payment_ref);
    form_add_i64(&form, "amount", stripe_amount_to(refund->amount_minor, refund->currency));
    if (refund->reason != NULL) {
        form_add(&form, "reason", refund->reason);
    }
    uuid_format(&refund->id, id);
    form_add(&form, "metadata[refund_id]", id);
    uuid_format(&refund->payment_id, id);
    form_add(&form, "metadata[payment_id]", id);
    uuid_format(&refund->merchant_id, id);
    form_add(&form, "metadata[merchant_id]", id);
    if (refund->mark != NULL) {
        add_mark(&form, refund->mark->key, refund->mark->hash);
    }
    return arena_strdup(arena, buf_str(&form));
}

const char *stripe_customer_body(const struct customer *customer, const char *email, const char *name,
                                 struct arena *arena)
{
    // Three bytes for one at most. Its fields were checked when the card was asked for.
    size_t bytes = (email != NULL ? strlen(email) : 0) + (name != NULL ? strlen(name) : 0);
    struct buf form BUF_CLEANUP = BUF_MAX(CUSTOMER_BODY_REST_BYTES + 3 * bytes);
    char id[UUID_TEXT_BYTES];
    if (email != NULL) {
        form_add(&form, "email", email);
    }
    if (name != NULL) {
        form_add(&form, "name", name);
    }
    uuid_format(&customer->id, id);
    form_add(&form, "metadata[customer_id]", id);
    uuid_format(&customer->merchant_id, id);
    form_add(&form, "metadata[merchant_id]", id);
    return arena_strdup(arena, buf_str(&form));
}

const char *stripe_attach_body(const char *customer_ref, struct arena *arena)
{
    struct buf form BUF_CLEANUP = BUF_MAX(1024);
    form_add(&form, "customer", customer_ref);
    return arena_strdup(arena, buf_str(&form));
}

// The longest of its fields is a URL of 2,048 characters.
#define SETUP_BODY_BYTES_MAX (32 * 1024)

const char *stripe_setup_body(const struct card *card, const char *customer_ref, struct arena *arena)
{
    struct buf form BUF_CLEANUP = BUF_MAX(SETUP_BODY_BYTES_MAX);
    char id[UUID_TEXT_BYTES];
    form_add(&form, "customer", customer_ref);
    form_add(&form, "payment_method", card->method_sent);
    form_add(&form, "confirm", "true");
    form_add(&form, "usage", "off_session");
    form_add(&form, "automatic_payment_methods[enabled]", "true");
    form_add(&form, "return_url", card->return_url);
    uuid_format(&card->id, id);
    form_add(&form, "metadata[card_id]", id);
    uuid_format(&card->merchant_id, id);
    form_add(&form, "metadata[merchant_id]", id);
    form_add(&form, "expand[]", "payment_method");
    return arena_strdup(arena, buf_str(&form));
}

const char *stripe_confirm_body(const char *method_ref, const char *return_url, struct arena *arena)
{
    struct buf form BUF_CLEANUP = BUF_MAX(SETUP_BODY_BYTES_MAX);
    form_add(&form, "payment_method", method_ref);
    form_add(&form, "return_url", return_url);
    form_add(&form, "setup_future_usage", "off_session"); // what the payer agrees to now spares the next one
    return arena_strdup(arena, buf_str(&form));
}
