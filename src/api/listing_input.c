// See listing_input.h.
#include "api/listing_input.h"

#include <string.h>

#include "api/api_private.h"
#include "api/cursor.h"
#include "api/fields.h"
#include "base/require.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "domain/email.h"
#include "domain/money.h"

#define PAGE_SIZE_DEFAULT 50
#define PAGE_SIZE_MAX 100
#define PAGE_MAX 1000000
#define NAMES_MAX 24
// The limit of the stored texts.
#define TEXT_CHARS_MAX 255

const char *listing_given(const struct request *request, const char *name)
{
    return form_get(&request->query, name);
}

static void where(struct request *request, const struct filter *filter, struct db_value value)
{
    struct listing_input *input = request->input;
    listing_filter(&input->query, filter, NULL, value);
}

static void read_text(struct request *request, const struct filter *filter, const char *text)
{
    size_t chars = field_chars(text);
    size_t chars_max = filter->form == FILTER_EMAIL ? EMAIL_CHARS_MAX : TEXT_CHARS_MAX;
    if (chars == 0 || chars > chars_max) {
        field_error(request, filter->name,
                    arena_printf(request->arena, "must be 1 to %zu characters long", chars_max));
    } else if (filter->form == FILTER_EMAIL) {
        where(request, filter, DB_STR(email_fold(request->arena, text)));
    } else {
        where(request, filter, DB_STR(text));
    }
}

static void read_word(struct request *request, const struct filter *filter, const char *text)
{
    struct listing_input *input = request->input;
    for (const struct filter_word *word = filter->words; word->word != NULL; word++) {
        if (text_equal(word->word, text)) {
            if (filter->condition != NULL) {
                listing_filter(&input->query, filter, word, DB_STR(word->word));
            }
            return;
        }
    }
    const char *listed = filter->words->word;
    for (const struct filter_word *word = filter->words + 1; word->word != NULL; word++) {
        listed = arena_printf(request->arena, "%s, %s", listed, word->word);
    }
    field_error(request, filter->name, arena_printf(request->arena, "must be one of: %s", listed));
}

static void read_id(struct request *request, const struct filter *filter, const char *text)
{
    struct uuid *id = ARENA_NEW(request->arena, struct uuid);
    if (!uuid_parse(text, id)) {
        field_error(request, filter->name, "must be a UUID");
    } else {
        where(request, filter, DB_ID(id));
    }
}

static void read_currency(struct request *request, const struct filter *filter, const char *text)
{
    const struct currency *currency = currency_find(text);
    if (currency == NULL) {
        field_error(request, filter->name, "must be a 3-letter ISO 4217 code, such as USD");
    } else {
        where(request, filter, DB_STR(currency->code));
    }
}

static void read_amount(struct request *request, const struct filter *filter, const char *text)
{
    int64_t thousandths = 0;
    struct err err;
    if (money_parse_thousandths(text, filter->form == FILTER_AMOUNT_MIN, &thousandths, &err) != OK) {
        field_error(request, filter->name, err.message);
    } else {
        where(request, filter, DB_I64(thousandths));
    }
}

static void read_time(struct request *request, const struct filter *filter, const char *text)
{
    struct listing_input *input = request->input;
    int64_t time_us = 0;
    struct err err;
    if (time_parse(text, &time_us, &err) != OK) {
        field_error(request, filter->name, err.message);
    } else if (filter->form == FILTER_SINCE) {
        listing_since(&input->query, time_us, request->arena);
    } else {
        listing_until(&input->query, time_us, request->arena);
    }
}

static void read_by_month(struct request *request, const struct filter *filter, const char *text)
{
    struct listing_input *input = request->input;
    bool wanted = text_equal(text, "true");
    if (!wanted && !text_equal(text, "false")) {
        field_error(request, filter->name, "must be true or false");
        return;
    }
    listing_where(&input->query,
                  wanted ? filter->condition : arena_printf(request->arena, "NOT (%s)", filter->condition),
                  DB_I64(time_month(request->now_us)));
}

static void read_flag(struct request *request, const struct filter *filter, const char *text)
{
    bool wanted = text_equal(text, "true");
    if (!wanted && !text_equal(text, "false")) {
        field_error(request, filter->name, "must be true or false");
    } else {
        where(request, filter, DB_I64(wanted));
    }
}

static void read_livemode(struct request *request, const struct filter *filter, const char *text)
{
    struct listing_input *input = request->input;
    if (text_equal(text, "true")) {
        input->query.test = false;
    } else if (text_equal(text, "false")) {
        input->query.live = false;
    } else {
        field_error(request, filter->name, "must be true or false");
    }
}

// No filter's value can hold a space, but an unescaped plus arrives as one (HTML forms encode a space so). It
// is refused, because the list would be empty and its reader might charge again.
static void read_filter(struct request *request, const struct filter *filter, const char *text)
{
    if (strchr(text, ' ') != NULL) {
        field_error(request, filter->name, "must not contain a space; in a URL, write a plus as %2B");
        return;
    }
    switch (filter->form) {
    case FILTER_TEXT:
    case FILTER_EMAIL:
        read_text(request, filter, text);
        break;
    case FILTER_WORD:
        read_word(request, filter, text);
        break;
    case FILTER_ID:
        read_id(request, filter, text);
        break;
    case FILTER_CURRENCY:
        read_currency(request, filter, text);
        break;
    case FILTER_AMOUNT_MIN:
    case FILTER_AMOUNT_MAX:
        read_amount(request, filter, text);
        break;
    case FILTER_SINCE:
    case FILTER_UNTIL:
        read_time(request, filter, text);
        break;
    case FILTER_BY_MONTH:
        read_by_month(request, filter, text);
        break;
    case FILTER_FLAG:
        read_flag(request, filter, text);
        break;
    case FILTER_LIVEMODE:
        read_livemode(request, filter, text);
        break;
    }
}

static void read_cursor(struct request *request)
{
    struct listing_input *input = request->input;
    const char *text = listing_given(request, "cursor");
    if (text == NULL) {
        return;
    }
    if (listing_given(request, "page") != NULL) {
        field_error(request, "page", "cannot be used with cursor");
    }
    struct uuid *last = ARENA_NEW(request->arena, struct uuid);
    input->after = last;
    const struct keyring *keyring = request->api->keyring;
    if (!cursor_read(keyring, input->query.listing->name, text, last)) {
        field_error(request, "cursor", "must be a meta.next_cursor from this list");
    }
}

static bool read_count(struct request *request)
{
    const char *text = listing_given(request, "count");
    const bool wanted = text != NULL && text_equal(text, "true");
    if (text != NULL && !wanted && !text_equal(text, "false")) {
        field_error(request, "count", "must be true or false");
    }
    return wanted;
}

void listing_read(struct request *request, const struct listing *listing)
{
    struct listing_input *input = ARENA_NEW(request->arena, struct listing_input);
    input->query = (struct listing_query){.listing = listing, .test = true, .live = true};
    request->input = input;
    const char *names[NAMES_MAX] = {"page", "page_size", "cursor", "count"};
    size_t count = 4;
    for (const struct filter *filter = listing->filters; filter->name != NULL; filter++) {
        REQUIRE(count < NAMES_MAX - 1);
        names[count++] = filter->name;
    }
    query_only(request, names);
    input->page = query_i64(request, "page", 1, PAGE_MAX, 1);
    input->page_size = query_i64(request, "page_size", 1, PAGE_SIZE_MAX, PAGE_SIZE_DEFAULT);
    read_cursor(request);
    input->count = read_count(request);
    for (const struct filter *filter = listing->filters; filter->name != NULL; filter++) {
        const char *text = listing_given(request, filter->name);
        if (text != NULL) {
            read_filter(request, filter, text);
        }
    }
}

bool listing_query_of(const struct request *request, const struct uuid *owner, struct listing_query *query)
{
    const struct listing_input *input = request->input;
    *query = input->query;
    query->owner = owner;
    query->live = query->live && request->principal.livemode;
    return !query->listing->has_modes || query->test || query->live;
}
