// Reads lists page by page within one attempt. A list of payments is searched for one, so each page is freed
// before the next is read; a payment's refunds are few, and all are kept. A page that exceeds an answer's
// maximum is read again with half as many items. Loop thread.
#include "base/text.h"
#include "base/timefmt.h"
#include "op/engine/engine_private.h"

// A look-up reads at most this many pages of 100 in one attempt.
#define LIST_PAGES_MAX 1000
#define REFUND_PAGES_MAX 10

// Searches a page for the operation's payment, and makes it the answer's payment. False: it is not there.
static bool find_listed(struct op *op)
{
    struct provider_answer *answer = &op->call.answer;
    char id[UUID_TEXT_BYTES];
    uuid_format(&op->row.subject_id, id);
    for (size_t i = 0; i < answer->payment_count; i++) {
        if (text_equal(answer->payments[i].payment_id, id)) {
            answer->payment = answer->payments[i];
            answer->has_payment = true;
            return true;
        }
    }
    return false;
}

static void collect_refunds(struct op *op)
{
    const struct provider_answer *answer = &op->call.answer;
    size_t count = op->refund_count + answer->refund_count;
    struct provider_refund *all = arena_alloc(&op->arena, count * sizeof(*all));
    for (size_t i = 0; i < count; i++) {
        all[i] = i < op->refund_count ? op->refunds[i] : answer->refunds[i - op->refund_count];
    }
    op->refunds = all;
    op->refund_count = count;
}

static bool wants_more(struct op *op)
{
    struct provider_answer *answer = &op->call.answer;
    if (answer->outcome != PROVIDER_DONE) {
        return false;
    }
    if (op->call.verb == PROVIDER_REFUND_LIST) {
        collect_refunds(op);
        return answer->next_page != NULL;
    }
    return op->call.verb == PROVIDER_LIST && !find_listed(op) && answer->next_page != NULL;
}

// Halves the items of a page. False: one item is the minimum, or the list has a span of time, which its kind
// halves instead (events.c).
static bool halve_page(struct op *op)
{
    struct provider_call *call = &op->call;
    if (call->page_items == 1 || call->created_until_s - call->created_from_s > 1) {
        return false;
    }
    call->page_items /= 2;
    return true;
}

bool op_read_next_page(struct op *op)
{
    struct provider_answer *answer = &op->call.answer;
    if (answer->too_large && halve_page(op)) {
        return true;
    }
    if (!wants_more(op)) {
        return false;
    }
    bool refunds = op->call.verb == PROVIDER_REFUND_LIST;
    if (++op->pages >= (refunds ? REFUND_PAGES_MAX : LIST_PAGES_MAX)) {
        answer->outcome = PROVIDER_UNKNOWN;
        answer->reason = "the list is too long to read completely";
        answer->retry_after_us = 3600 * US_PER_S;
        return false;
    }
    op->call.page = arena_strdup(&op->arena, answer->next_page);
    if (!refunds) {
        arena_release(&op->page_arena);
    }
    return true;
}
