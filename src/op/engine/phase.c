// See phase.h. An attempt begins planned, and ends after it was settled or requeued.
#include "op/engine/phase.h"

static const bool moves[OP_PHASE_COUNT][OP_PHASE_COUNT] = {
    [OP_PLANNED] = {[OP_QUEUED] = true},
    // It may be too late to call by now: then it settles without an answer.
    [OP_QUEUED] = {[OP_CALLING] = true, [OP_SETTLING] = true, [OP_REQUEUING] = true},
    // A list has more pages, or one answer asks for another call.
    [OP_CALLING] = {[OP_QUEUED] = true, [OP_SETTLING] = true},
    // After too many tries the outcome is given up.
    [OP_SETTLING] = {[OP_UNSETTLED] = true, [OP_REQUEUING] = true},
    [OP_UNSETTLED] = {[OP_SETTLING] = true},
    [OP_REQUEUING] = {[OP_UNSETTLED] = true},
};

bool op_phase_can_move(enum op_phase from, enum op_phase to)
{
    return moves[from][to];
}
