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
    struct provider_answer *answer = op->call.answer;
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
    const struct provider_answer *answer = op->call.answer;
    size_t count = op->refund_count + answer->refund_count;
    struct provider_refund *all = arena_alloc(&op->arena, count * sizeof(*all));
    for (size_t i = 0; i < count; i++) {
        all[i] = i < op->refund_count ? op->refunds[i] : answer->refunds[i - op->refund_count];
    }
    op->refunds = all;
    op->refund_count = count;
}

bool op_read_next_page(struct op *op)
{
    struct provider_call *call = &op->call;
    struct provider_answer *answer = call->answer;
    // A page has at least one item. If the list has a span of time, its kind halves that instead (events.c).
    if (answer->too_large && call->page_items != 1 && call->created_until_s - call->created_from_s <= 1) {
        call->page_items /= 2;
        return true;
    }
    bool refunds = call->verb == PROVIDER_REFUND_LIST;
    if (answer->outcome != PROVIDER_DONE || (!refunds && call->verb != PROVIDER_LIST)) {
        return false;
    }
    if (refunds) {
        collect_refunds(op);
    } else if (find_listed(op)) {
        return false;
    }
    if (answer->next_page == NULL) {
        return false;
    }
    if (++op->pages >= (refunds ? REFUND_PAGES_MAX : LIST_PAGES_MAX)) {
        answer->outcome = PROVIDER_UNKNOWN;
        answer->reason = "the list is too long to read completely";
        answer->retry_after_us = 3600 * US_PER_S;
        return false;
    }
    call->page = arena_strdup(&op->arena, answer->next_page);
    if (!refunds) {
        arena_release(&op->page_arena);
        call->answer = NULL;
    }
    return true;
}
