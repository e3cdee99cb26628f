// The phases of an attempt: every move there is, and no other.
#include "unit_test.h"

#include <string.h>

#include "op/engine/phase.h"

static const char *const names[OP_PHASE_COUNT] = {"planned",  "queued",    "calling",
                                                  "settling", "unsettled", "requeuing"};

static void an_attempt_makes_these_moves_and_no_others(void **state)
{
    (void)state;
    char found[400] = "";
    for (int from = 0; from < OP_PHASE_COUNT; from++) {
        for (int to = 0; to < OP_PHASE_COUNT; to++) {
            if (op_phase_can_move((enum op_phase)from, (enum op_phase)to)) {
                strcat(strcat(strcat(strcat(found, names[from]), " > "), names[to]), "\n");
            }
        }
    }
    assert_string_equal(found, "planned > queued\n"
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
