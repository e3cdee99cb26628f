// The currencies a payment may be in: ISO 4217's active ones that people pay with. Left out are metals, test
// codes, units of account (XDR, XSU, XUA, XAD) and fund codes (CLF, UYW, USN, CHE and their like). A code
// that ISO withdraws must stay while a stored payment may carry it. Constant data; any thread.
#include "domain/money.h"

#include <stdlib.h>

#include "base/require.h"

// Decimals are ISO 4217's, Stripe's exceptions (https://docs.stripe.com/currencies) follow:
// - MGA has a subunit of one fifth, which ISO writes as 2 decimals; Stripe charges whole ariary.
// - ISK and UGX have none, yet Stripe keeps them two-decimal for the sake of old clients and wants 00 there.
// - BHD, JOD, KWD, OMR and TND go with three decimals of which the card networks carry two.
// - IQD and LYD have three by ISO. Stripe takes neither, so it says nothing of their unit: a charge goes out
//   in ISO's, is refused for its currency and is a failed payment.
// - HUF and TWD are whole only in Stripe's payouts, which this service never makes: two decimals.
#define TWO(code) {(code), 2, 0, false}
#define ZERO(code) {(code), 0, 0, false}
#define ZERO_SENT_X100(code) {(code), 0, 2, false}
#define THREE(code) {(code), 3, 0, false}
#define THREE_LAST_ZERO(code) {(code), 3, 0, true}

// Sorted by code: the search below halves it.
static const struct currency currencies[] = {
    TWO("AED"), TWO("AFN"), TWO("ALL"), TWO("AMD"), TWO("AOA"), TWO("ARS"), TWO("AUD"), TWO("AWG"),
    TWO("AZN"), TWO("BAM"), TWO("BBD"), TWO("BDT"), THREE_LAST_ZERO("BHD"), ZERO("BIF"), TWO("BMD"),
    TWO("BND"), TWO("BOB"), TWO("BRL"), TWO("BSD"), TWO("BTN"), TWO("BWP"), TWO("BYN"), TWO("BZD"),
    TWO("CAD"), TWO("CDF"), TWO("CHF"), ZERO("CLP"), TWO("CNY"), TWO("COP"), TWO("CRC"), TWO("CUP"),
    TWO("CVE"), TWO("CZK"), ZERO("DJF"), TWO("DKK"), TWO("DOP"), TWO("DZD"), TWO("EGP"), TWO("ERN"),
    TWO("ETB"), TWO("EUR"), TWO("FJD"), TWO("FKP"), TWO("GBP"), TWO("GEL"), TWO("GHS"), TWO("GIP"),
    TWO("GMD"), ZERO("GNF"), TWO("GTQ"), TWO("GYD"), TWO("HKD"), TWO("HNL"), TWO("HTG"), TWO("HUF"),
    TWO("IDR"), TWO("ILS"), TWO("INR"), THREE("IQD"), TWO("IRR"), ZERO_SENT_X100("ISK"), TWO("JMD"),
    THREE_LAST_ZERO("JOD"), ZERO("JPY"), TWO("KES"), TWO("KGS"), TWO("KHR"), ZERO("KMF"), TWO("KPW"),
    ZERO("KRW"), THREE_LAST_ZERO("KWD"), TWO("KYD"), TWO("KZT"), TWO("LAK"), TWO("LBP"), TWO("LKR"),
    TWO("LRD"), TWO("LSL"), THREE("LYD"), TWO("MAD"), TWO("MDL"), ZERO("MGA"), TWO("MKD"), TWO("MMK"),
    TWO("MNT"), TWO("MOP"), TWO("MRU"), TWO("MUR"), TWO("MVR"), TWO("MWK"), TWO("MXN"), TWO("MYR"),
    TWO("MZN"), TWO("NAD"), TWO("NGN"), TWO("NIO"), TWO("NOK"), TWO("NPR"), TWO("NZD"),
    THREE_LAST_ZERO("OMR"), TWO("PAB"), TWO("PEN"), TWO("PGK"), TWO("PHP"), TWO("PKR"), TWO("PLN"),
    ZERO("PYG"), TWO("QAR"), TWO("RON"), TWO("RSD"), TWO("RUB"), ZERO("RWF"), TWO("SAR"), TWO("SBD"),
    TWO("SCR"), TWO("SDG"), TWO("SEK"), TWO("SGD"), TWO("SHP"), TWO("SLE"), TWO("SOS"), TWO("SRD"),
    TWO("SSP"), TWO("STN"), TWO("SVC"), TWO("SYP"), TWO("SZL"), TWO("THB"), TWO("TJS"), TWO("TMT"),
    THREE_LAST_ZERO("TND"), TWO("TOP"), TWO("TRY"), TWO("TTD"), TWO("TWD"), TWO("TZS"), TWO("UAH"),
    ZERO_SENT_X100("UGX"), TWO("USD"), TWO("UYU"), TWO("UZS"), TWO("VED"), TWO("VES"), ZERO("VND"),
    ZERO("VUV"), TWO("WST"), ZERO("XAF"), TWO("XCD"), TWO("XCG"), ZERO("XOF"), ZERO("XPF"), TWO("YER"),
    TWO("ZAR"), TWO("ZMW"), TWO("ZWG"),
};

static char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static int compare_code(const void *key, const void *element)
{
    const char *code = key;
    const struct currency *currency = element;
    for (int i = 0; i < 3; i++) {
        int difference = (unsigned char)ascii_upper(code[i]) - (unsigned char)currency->code[i];
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
