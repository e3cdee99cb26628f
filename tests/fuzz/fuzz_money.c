// money_parse: the first byte chooses the currency, the rest is the text. An accepted text must equal what
// money_format writes, except for redundant zeros, and its amount must survive conversion to Stripe's minor
// units and back.
#include "domain/money.h"

#include "fuzz.h"
#include "provider/stripe/amount.h"

static const char *const codes[] = {"USD", "JPY", "KWD", "UGX", "ISK", "MGA", "IQD"};

// Removes leading zeros, trailing zeros of the fraction, and a point without a fraction, in place.
static const char *without_redundant_zeros(char *text)
{
    if (strchr(text, '.') != NULL) {
        size_t length = strlen(text);
        while (text[length - 1] == '0') {
            text[--length] = '\0';
        }
        if (text[length - 1] == '.') {
            text[length - 1] = '\0';
        }
    }
    while (text[0] == '0' && text[1] >= '0' && text[1] <= '9') {
        text++;
    }
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes == 0) {
        return 0;
    }
    const struct currency *currency = currency_find(codes[data[0] % COUNT_OF(codes)]);
    FUZZ_CLEANUP char *text = fuzz_text(data + 1, bytes - 1);
    int64_t amount_minor = -7;
    struct err err = {0};
    if (money_parse(text, currency, &amount_minor, &err) != OK) {
        REQUIRE(err.code == ERR_VALIDATION && err.message[0] != '\0' && amount_minor == -7);
        return 0;
    }
    REQUIRE(strspn(text, "0123456789.") == strlen(text));
    REQUIRE(!currency->last_digit_zero || amount_minor % 10 == 0);

    char written[MONEY_TEXT_BYTES];
    money_format(amount_minor, currency, written);
    int64_t again = -7;
    REQUIRE(money_parse(written, currency, &again, NULL) == OK && again == amount_minor);

    int64_t stripe_minor = stripe_amount_to(amount_minor, currency);
    REQUIRE(stripe_minor >= 0 && stripe_minor <= STRIPE_MINOR_MAX);
    REQUIRE(stripe_amount_from(stripe_minor, currency, &again, NULL) == OK && again == amount_minor);

    REQUIRE(strcmp(without_redundant_zeros(text), without_redundant_zeros(written)) == 0);
    return 0;
}
