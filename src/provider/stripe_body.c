// The form that charges a payment (POST /v1/payment_intents,
// https://docs.stripe.com/api/payment_intents/create).
#include "base/json.h"
#include "base/text.h"
#include "net/form.h"
#include "provider/stripe.h"

// 40 pairs of 40 and 500 bytes, each byte up to three characters once encoded, and the rest.
#define CHARGE_BODY_BYTES_MAX (128 * 1024)

static void add_metadata(struct buf *form, const struct payment *payment, struct arena *arena)
{
    char id[UUID_TEXT_BYTES];
    uuid_format(&payment->id, id);
    form_add(form, "metadata[payment_id]", id);
    uuid_format(&payment->merchant_id, id);
    form_add(form, "metadata[merchant_id]", id);
    if (payment->metadata_json == NULL) {
        return;
    }
    struct json_object *metadata JSON_CLEANUP = json_tokener_parse(payment->metadata_json);
    json_object_object_foreach(metadata, name, value)
    {
        form_add(form, arena_printf(arena, "metadata[%s]", name), json_object_get_string(value));
    }
}

enum errc stripe_charge_body(const struct payment *payment, struct arena *arena, const char **body,
                             struct err *err)
{
    struct buf form BUF_CLEANUP = BUF_MAX(CHARGE_BODY_BYTES_MAX);
    form_add_i64(&form, "amount", money_to_stripe(payment->amount_minor, payment->currency));
    form_add(&form, "currency", text_lower(arena, payment->currency->code));
    form_add(&form, "payment_method", payment->payment_method);
    form_add(&form, "confirm", "true");
    form_add(&form, "automatic_payment_methods[enabled]", "true");
    if (payment->return_url != NULL) {
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
    add_metadata(&form, payment, arena);
    if (form.overflow) {
        return err_set(err, ERR_VALIDATION, "the request to the provider would be too large");
    }
    *body = arena_strdup(arena, buf_str(&form));
    return OK;
}
