// Where an attempt stands, and the moves between these phases. Pure; any thread.
#pragma once

#include <stdbool.h>

enum op_phase {
    OP_PLANNED,   // its transaction may not be committed yet
    OP_QUEUED,    // until the limiter lets it call the provider
    OP_CALLING,   // the provider
    OP_SETTLING,  // its outcome is being recorded
    OP_UNSETTLED, // that failed, and is tried again
    OP_REQUEUING, // its row goes back to a later sweep, without an outcome
    OP_PHASE_COUNT
};

bool op_phase_can_move(enum op_phase from, enum op_phase to);
