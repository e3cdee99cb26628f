// The currencies of payments: ISO 4217's active ones that people pay with. Left out are metals, test codes,
// units of account (XDR, XSU, XUA, XAD) and fund codes (CLF, UYW, USN, CHE and similar). A code that ISO
// withdraws must stay while a stored payment may have it. Constant data; any thread.
#include "domain/money.h"

#include <stdlib.h>

#include "base/require.h"

// Decimals are ISO 4217's, except:
// - MGA has a subunit of one fifth, which ISO writes as 2 decimals; cards are charged whole ariary.
// - BHD, JOD, KWD, OMR and TND have three decimals of which the card networks carry two.
// ISK and UGX have no decimals. Providers still take them with the two that they had, so that two digits less
// are left for the amount.
#define TWO 2, false, MONEY_MINOR_MAX
#define ZERO 0, false, MONEY_MINOR_MAX
#define ZERO_ONCE_TWO 0, false, MONEY_MINOR_MAX / 100
#define THREE 3, false, MONEY_MINOR_MAX
#define THREE_LAST_ZERO 3, true, MONEY_MINOR_MAX

// Sorted by code, for the binary search below.
static const struct currency currencies[] = {
    {"AED", TWO},
    {"AFN", TWO},
    {"ALL", TWO},
    {"AMD", TWO},
    {"AOA", TWO},
    {"ARS", TWO},
    {"AUD", TWO},
    {"AWG", TWO},
    {"AZN", TWO},
    {"BAM", TWO},
    {"BBD", TWO},
    {"BDT", TWO},
    {"BHD", THREE_LAST_ZERO},
    {"BIF", ZERO},
    {"BMD", TWO},
    {"BND", TWO},
    {"BOB", TWO},
    {"BRL", TWO},
    {"BSD", TWO},
    {"BTN", TWO},
    {"BWP", TWO},
    {"BYN", TWO},
    {"BZD", TWO},
    {"CAD", TWO},
    {"CDF", TWO},
    {"CHF", TWO},
    {"CLP", ZERO},
    {"CNY", TWO},
    {"COP", TWO},
    {"CRC", TWO},
    {"CUP", TWO},
    {"CVE", TWO},
    {"CZK", TWO},
    {"DJF", ZERO},
    {"DKK", TWO},
    {"DOP", TWO},
    {"DZD", TWO},
    {"EGP", TWO},
    {"ERN", TWO},
    {"ETB", TWO},
    {"EUR", TWO},
    {"FJD", TWO},
    {"FKP", TWO},
    {"GBP", TWO},
    {"GEL", TWO},
    {"GHS", TWO},
    {"GIP", TWO},
    {"GMD", TWO},
    {"GNF", ZERO},
    {"GTQ", TWO},
    {"GYD", TWO},
    {"HKD", TWO},
    {"HNL", TWO},
    {"HTG", TWO},
    {"HUF", TWO},
    {"IDR", TWO},
    {"ILS", TWO},
    {"INR", TWO},
    {"IQD", THREE},
    {"IRR", TWO},
    {"ISK", ZERO_ONCE_TWO},
    {"JMD", TWO},
    {"JOD", THREE_LAST_ZERO},
    {"JPY", ZERO},
    {"KES", TWO},
    {"KGS", TWO},
    {"KHR", TWO},
    {"KMF", ZERO},
    {"KPW", TWO},
    {"KRW", ZERO},
    {"KWD", THREE_LAST_ZERO},
    {"KYD", TWO},
    {"KZT", TWO},
    {"LAK", TWO},
    {"LBP", TWO},
    {"LKR", TWO},
    {"LRD", TWO},
    {"LSL", TWO},
    {"LYD", THREE},
    {"MAD", TWO},
    {"MDL", TWO},
    {"MGA", ZERO},
    {"MKD", TWO},
    {"MMK", TWO},
    {"MNT", TWO},
    {"MOP", TWO},
    {"MRU", TWO},
    {"MUR", TWO},
    {"MVR", TWO},
    {"MWK", TWO},
    {"MXN", TWO},
    {"MYR", TWO},
    {"MZN", TWO},
    {"NAD", TWO},
    {"NGN", TWO},
    {"NIO", TWO},
    {"NOK", TWO},
    {"NPR", TWO},
    {"NZD", TWO},
    {"OMR", THREE_LAST_ZERO},
    {"PAB", TWO},
    {"PEN", TWO},
    {"PGK", TWO},
    {"PHP", TWO},
    {"PKR", TWO},
    {"PLN", TWO},
    {"PYG", ZERO},
    {"QAR", TWO},
    {"RON", TWO},
    {"RSD", TWO},
    {"RUB", TWO},
    {"RWF", ZERO},
    {"SAR", TWO},
    {"SBD", TWO},
    {"SCR", TWO},
    {"SDG", TWO},
    {"SEK", TWO},
    {"SGD", TWO},
    {"SHP", TWO},
    {"SLE", TWO},
    {"SOS", TWO},
    {"SRD", TWO},
    {"SSP", TWO},
    {"STN", TWO},
    {"SVC", TWO},
    {"SYP", TWO},
    {"SZL", TWO},
    {"THB", TWO},
    {"TJS", TWO},
    {"TMT", TWO},
    {"TND", THREE_LAST_ZERO},
    {"TOP", TWO},
    {"TRY", TWO},
    {"TTD", TWO},
    {"TWD", TWO},
    {"TZS", TWO},
    {"UAH", TWO},
    {"UGX", ZERO_ONCE_TWO},
    {"USD", TWO},
    {"UYU", TWO},
    {"UZS", TWO},
    {"VED", TWO},
    {"VES", TWO},
    {"VND", ZERO},
    {"VUV", ZERO},
    {"WST", TWO},
    {"XAF", ZERO},
    {"XCD", TWO},
    {"XCG", TWO},
    {"XOF", ZERO},
    {"XPF", ZERO},
    {"YER", TWO},
    {"ZAR", TWO},
    {"ZMW", TWO},
    {"ZWG", TWO},
};

static int compare_code(const void *key, const void *element)
{
    const char *code = key;
    const struct currency *currency = element;
    for (int i = 0; i < 3; i++) {
        char upper = code[i] >= 'a' && code[i] <= 'z' ? (char)(code[i] - 'a' + 'A') : code[i];
        int difference = (unsigned char)upper - (unsigned char)currency->code[i];
        if (difference != 0) {
            return difference;
        }
    }
    return (unsigned char)code[3];
}

const struct currency *currency_find(const char *code)
{
    REQUIRE(code != NULL);
    return bsearch(code, currencies, COUNT_OF(currencies), sizeof(currencies[0]), compare_code);
}
