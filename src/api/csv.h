// Rows of CSV (RFC 4180), which a spreadsheet must not run as formulas. Pure.
#pragma once

#include "base/buf.h"

// Appends a cell, with a comma before it unless it is the first of its row. NULL is an empty cell. A text
// that a spreadsheet would take for a formula gets an apostrophe in front.
void csv_cell(struct buf *out, const char *text, bool first);
void csv_end_row(struct buf *out);
