// The columns of a table, written once. A file of queries lists them in a macro; the first entry goes to
// FIRST, the others to NEXT:
//
//     #define COLUMNS(FIRST, NEXT) FIRST(id, ID, id) NEXT(note, TEXT, text) NEXT(made_us, I64, made_us)
//
// An entry is the column's name, its type and the field of the row's struct. SQL text, values and reading
// follow from the list:
//
//     db_run(db, NULL, err, "INSERT INTO notes " COLUMN_INSERT(COLUMNS), COLUMN_VALUES(COLUMNS))
//     db_query(db, &rows, err, "SELECT " COLUMN_NAMES(COLUMNS) " FROM notes") ... COLUMN_READ(COLUMNS, &rows)
//
// The compiler does all of it: the SQL is one literal, and the rest is the calls that one would write by
// hand. The values and the reading use variables of their function: `row` points to the struct, and reading
// uses `arena`, and `err` for damage.
#pragma once

#include "store/db.h"

// "id, note, made_us"
#define COLUMN_NAMES(list) list(COLUMN_NAME, COLUMN_NEXT_NAME)
// "(id, note, made_us) VALUES ($1, $2, $3)", of an INSERT.
#define COLUMN_INSERT(list) "(" COLUMN_NAMES(list) ") VALUES (" COLUMN_PARAMETERS(1, list) ")"
// "(id, note, made_us) = ($2, $3, $4)", with the parameters from that number on, of an UPDATE.
#define COLUMN_SET(from, list) "(" COLUMN_NAMES(list) ") = (" COLUMN_PARAMETERS(from, list) ")"
// The values of *row, for the parameters.
#define COLUMN_VALUES(list) list(COLUMN_VALUE, COLUMN_NEXT_VALUE)
// Fills *row from the present row of a query that begins with these columns.
#define COLUMN_READ(list, rows)                                                                              \
    do {                                                                                                     \
        struct db_rows *const from = (rows);                                                                 \
        int column = 0;                                                                                      \
        list(COLUMN_READ_ONE, COLUMN_READ_ONE)(void) column;                                                 \
    } while (0)
// The number of columns: the position of what a query selects after them.
#define COLUMN_COUNT(list) (0 list(COLUMN_PLUS_ONE, COLUMN_PLUS_ONE))

// --- the types. A file may add its own: COLUMN_VALUE_x is the value of a field, COLUMN_READ_x a statement
// that reads the field from `from` and increments `column`.

#define COLUMN_VALUE_ID(field) DB_ID(&row->field)
#define COLUMN_READ_ID(field) row->field = db_uuid(from, column++)
// A nil id is NULL.
#define COLUMN_VALUE_ID_OR_NULL(field) DB_ID_OR_NULL(&row->field)
#define COLUMN_READ_ID_OR_NULL(field) COLUMN_READ_ID(field)

#define COLUMN_VALUE_BOOL(field) DB_I64(row->field)
#define COLUMN_READ_BOOL(field) row->field = db_bool(from, column++)

#define COLUMN_VALUE_I64(field) DB_I64(row->field)
#define COLUMN_READ_I64(field) row->field = db_i64(from, column++)
// 0 is NULL.
#define COLUMN_VALUE_I64_OR_NULL(field) (row->field == 0 ? DB_NIL : DB_I64(row->field))
#define COLUMN_READ_I64_OR_NULL(field) COLUMN_READ_I64(field)

#define COLUMN_VALUE_COUNT(field) DB_I64(row->field)
#define COLUMN_READ_COUNT(field) row->field = db_count(from, column++)

#define COLUMN_VALUE_TEXT(field) DB_STR(row->field)
#define COLUMN_READ_TEXT(field) row->field = db_text(from, column++, arena)

// The field's length is in another one, FIELD_bytes.
#define COLUMN_VALUE_BLOB(field) DB_BYTES(row->field, (size_t)row->field##_bytes)
#define COLUMN_READ_BLOB(field)                                                                              \
    do {                                                                                                     \
        size_t bytes = 0;                                                                                    \
        row->field = db_blob(from, column++, arena, &bytes);                                                 \
        row->field##_bytes = (__typeof__(row->field##_bytes))bytes;                                          \
    } while (0)

// The field is an array.
#define COLUMN_VALUE_FIXED(field) DB_BYTES(row->field, sizeof(row->field))
#define COLUMN_READ_FIXED(field) db_fixed(from, column++, row->field, sizeof(row->field))

// --- the domain's types. Another text in the column is damage, which ends the function.

#define COLUMN_VALUE_CURRENCY(field) DB_STR(row->field->code)
#define COLUMN_READ_CURRENCY(field)                                                                          \
    do {                                                                                                     \
        row->field = currency_find(db_text(from, column++, NULL));                                           \
        if (row->field == NULL) {                                                                            \
            return db_damaged(from, "currency", err);                                                        \
        }                                                                                                    \
    } while (0)

#define COLUMN_VALUE_NEXT_ACTION(field) DB_STR(next_action_name(row->field))
#define COLUMN_READ_NEXT_ACTION(field) row->field = next_action_of_name(db_text(from, column++, NULL))

#define COLUMN_READ_STATUS(field, parse)                                                                     \
    do {                                                                                                     \
        if (!parse(db_text(from, column++, NULL), &row->field)) {                                            \
            return db_damaged(from, "status", err);                                                          \
        }                                                                                                    \
    } while (0)
#define COLUMN_VALUE_PAYMENT_STATUS(field) DB_STR(payment_status_name(row->field))
#define COLUMN_READ_PAYMENT_STATUS(field) COLUMN_READ_STATUS(field, payment_status_parse)
#define COLUMN_VALUE_REFUND_STATUS(field) DB_STR(refund_status_name(row->field))
#define COLUMN_READ_REFUND_STATUS(field) COLUMN_READ_STATUS(field, refund_status_parse)
#define COLUMN_VALUE_CARD_STATUS(field) DB_STR(card_status_name(row->field))
#define COLUMN_READ_CARD_STATUS(field) COLUMN_READ_STATUS(field, card_status_parse)

// --- how it is done

#define COLUMN_NAME(name, type, field) #name
#define COLUMN_NEXT_NAME(name, type, field) ", " #name
#define COLUMN_VALUE(name, type, field) COLUMN_VALUE_##type(field)
#define COLUMN_NEXT_VALUE(name, type, field) , COLUMN_VALUE_##type(field)
#define COLUMN_READ_ONE(name, type, field) COLUMN_READ_##type(field);
#define COLUMN_PLUS_ONE(name, type, field) +1

// "$2, $3, $4": as many parameters as the list has columns, at most 32, from the given number (1 to 4) on.
#define COLUMN_PARAMETERS(from, list)                                                                        \
    COLUMN_CALL(COLUMN_JOIN(COLUMN_TAKE_, COLUMN_TOTAL(list)), COLUMN_FROM_##from)
// The number of columns as a token, for the name of the COLUMN_TAKE_n that takes as many parameters.
#define COLUMN_ITEM(name, type, field) field
#define COLUMN_NEXT_ITEM(name, type, field) , field
// clang-format off
#define COLUMN_TOTAL(list)                                                                                   \
    COLUMN_CALL(COLUMN_PICK, list(COLUMN_ITEM, COLUMN_NEXT_ITEM),                                            \
                32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, \
                10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define COLUMN_PICK(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, _17, _18, _19, \
                    _20, _21, _22, _23, _24, _25, _26, _27, _28, _29, _30, _31, _32, total, ...) total
// clang-format on
#define COLUMN_CALL(macro, ...) macro(__VA_ARGS__)
#define COLUMN_JOIN(a, b) COLUMN_PASTE(a, b)
#define COLUMN_PASTE(a, b) a##b

#define COLUMN_TAKE_1(parameter, ...) parameter
#define COLUMN_TAKE_2(parameter, ...) parameter ", " COLUMN_TAKE_1(__VA_ARGS__)
#define COLUMN_TAKE_3(parameter, ...) parameter ", " COLUMN_TAKE_2(__VA_ARGS__)
#define COLUMN_TAKE_4(parameter, ...) parameter ", " COLUMN_TAKE_3(__VA_ARGS__)
#define COLUMN_TAKE_5(parameter, ...) parameter ", " COLUMN_TAKE_4(__VA_ARGS__)
#define COLUMN_TAKE_6(parameter, ...) parameter ", " COLUMN_TAKE_5(__VA_ARGS__)
#define COLUMN_TAKE_7(parameter, ...) parameter ", " COLUMN_TAKE_6(__VA_ARGS__)
#define COLUMN_TAKE_8(parameter, ...) parameter ", " COLUMN_TAKE_7(__VA_ARGS__)
#define COLUMN_TAKE_9(parameter, ...) parameter ", " COLUMN_TAKE_8(__VA_ARGS__)
#define COLUMN_TAKE_10(parameter, ...) parameter ", " COLUMN_TAKE_9(__VA_ARGS__)
#define COLUMN_TAKE_11(parameter, ...) parameter ", " COLUMN_TAKE_10(__VA_ARGS__)
#define COLUMN_TAKE_12(parameter, ...) parameter ", " COLUMN_TAKE_11(__VA_ARGS__)
#define COLUMN_TAKE_13(parameter, ...) parameter ", " COLUMN_TAKE_12(__VA_ARGS__)
#define COLUMN_TAKE_14(parameter, ...) parameter ", " COLUMN_TAKE_13(__VA_ARGS__)
#define COLUMN_TAKE_15(parameter, ...) parameter ", " COLUMN_TAKE_14(__VA_ARGS__)
#define COLUMN_TAKE_16(parameter, ...) parameter ", " COLUMN_TAKE_15(__VA_ARGS__)
#define COLUMN_TAKE_17(parameter, ...) parameter ", " COLUMN_TAKE_16(__VA_ARGS__)
#define COLUMN_TAKE_18(parameter, ...) parameter ", " COLUMN_TAKE_17(__VA_ARGS__)
#define COLUMN_TAKE_19(parameter, ...) parameter ", " COLUMN_TAKE_18(__VA_ARGS__)
#define COLUMN_TAKE_20(parameter, ...) parameter ", " COLUMN_TAKE_19(__VA_ARGS__)
#define COLUMN_TAKE_21(parameter, ...) parameter ", " COLUMN_TAKE_20(__VA_ARGS__)
#define COLUMN_TAKE_22(parameter, ...) parameter ", " COLUMN_TAKE_21(__VA_ARGS__)
#define COLUMN_TAKE_23(parameter, ...) parameter ", " COLUMN_TAKE_22(__VA_ARGS__)
#define COLUMN_TAKE_24(parameter, ...) parameter ", " COLUMN_TAKE_23(__VA_ARGS__)
#define COLUMN_TAKE_25(parameter, ...) parameter ", " COLUMN_TAKE_24(__VA_ARGS__)
#define COLUMN_TAKE_26(parameter, ...) parameter ", " COLUMN_TAKE_25(__VA_ARGS__)
#define COLUMN_TAKE_27(parameter, ...) parameter ", " COLUMN_TAKE_26(__VA_ARGS__)
#define COLUMN_TAKE_28(parameter, ...) parameter ", " COLUMN_TAKE_27(__VA_ARGS__)
#define COLUMN_TAKE_29(parameter, ...) parameter ", " COLUMN_TAKE_28(__VA_ARGS__)
#define COLUMN_TAKE_30(parameter, ...) parameter ", " COLUMN_TAKE_29(__VA_ARGS__)
#define COLUMN_TAKE_31(parameter, ...) parameter ", " COLUMN_TAKE_30(__VA_ARGS__)
#define COLUMN_TAKE_32(parameter, ...) parameter ", " COLUMN_TAKE_31(__VA_ARGS__)

#define COLUMN_FROM_1 "$1", COLUMN_FROM_2
#define COLUMN_FROM_2 "$2", COLUMN_FROM_3
#define COLUMN_FROM_3 "$3", COLUMN_FROM_4
#define COLUMN_FROM_4                                                                                        \
    "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$16", "$17", "$18",       \
        "$19", "$20", "$21", "$22", "$23", "$24", "$25", "$26", "$27", "$28", "$29", "$30", "$31", "$32",    \
        "$33", "$34", "$35", "$36"
