// See dispute.h. Pure; any thread.
#include "domain/dispute.h"

#include "base/require.h"
#include "base/text.h"

// In the order in which a dispute goes through them. An inquiry (`warning_`) may become a dispute. Equal
// numbers: it ends in one of them.
static const struct {
    const char *status;
    int stage;
} stages[] = {
    {"warning_needs_response", 1},
    {"warning_under_review", 2},
    {"warning_closed", 3},
    {"needs_response", 4},
    {"under_review", 5},
    {"prevented", 6},
    {"won", 6},
    {"lost", 6},
};

// 0: unknown.
static int stage_of(const char *status)
{
    for (size_t i = 0; i < COUNT_OF(stages); i++) {
        if (text_equal(status, stages[i].status)) {
            return stages[i].stage;
        }
    }
    return 0;
}

bool dispute_supersedes(const struct dispute *report, const struct dispute *row)
{
    return report->reported_s != row->reported_s ? report->reported_s > row->reported_s
                                                 : stage_of(report->status) >= stage_of(row->status);
}
