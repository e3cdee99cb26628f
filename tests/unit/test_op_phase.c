// The phases of an attempt: every move there is, and no other.
#include "unit_test.h"

#include "base/buf.h"
#include "op/engine/phase.h"

static const char *const names[OP_PHASE_COUNT] = {"planned",  "queued",    "calling",
                                                  "settling", "unsettled", "requeuing"};

static void an_attempt_makes_these_moves_and_no_others(void **state)
{
    (void)state;
    BUF_CLEANUP struct buf found = BUF_MAX(1000);
    for (int from = 0; from < OP_PHASE_COUNT; from++) {
        for (int to = 0; to < OP_PHASE_COUNT; to++) {
            if (op_phase_can_move((enum op_phase)from, (enum op_phase)to)) {
                buf_printf(&found, "%s > %s\n", names[from], names[to]);
            }
        }
    }
    assert_string_equal(buf_str(&found), "planned > queued\n"
                                         "queued > calling\n"
                                         "queued > settling\n"
                                         "queued > requeuing\n"
                                         "calling > queued\n"
                                         "calling > settling\n"
                                         "settling > unsettled\n"
                                         "settling > requeuing\n"
                                         "unsettled > settling\n"
                                         "requeuing > unsettled\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_makes_these_moves_and_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
