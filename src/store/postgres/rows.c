// The rows of a statement: its result, read whole and in binary form. The thread that owns the connection.
#include "store/postgres/postgres.h"

#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "store/db.h"

struct cursor {
    PGresult *result;
    int at; // the present row
};

void postgres_rows_take(struct postgres *postgres, struct db_rows *rows, PGresult *result)
{
    const bool read = strncmp(PQcmdStatus(result), "SELECT", strlen("SELECT")) == 0;
    postgres->changed = read ? 0 : strtoll(PQcmdTuples(result), NULL, 10);
    postgres->changed_total += postgres->changed;
    struct cursor *cursor = malloc(sizeof(*cursor));
    REQUIRE(cursor != NULL);
    *cursor = (struct cursor){.result = result, .at = -1};
    rows->statement = cursor;
    postgres->rows_open++;
}

enum errc postgres_next(struct db_rows *rows, bool *has, struct err *err)
{
    (void)err;
    struct cursor *cursor = rows->statement;
    *has = ++cursor->at < PQntuples(cursor->result);
    return OK;
}

int postgres_column_count(struct db_rows *rows)
{
    const struct cursor *cursor = rows->statement;
    return PQnfields(cursor->result);
}

static int64_t integer_of(const char *data, int bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < bytes; i++) {
        number = number << 8 | (uint8_t)data[i];
    }
    return bytes == (int)sizeof(int32_t) ? (int32_t)number : (int64_t)number;
}

struct db_value postgres_column(struct db_rows *rows, int column)
{
    const struct cursor *cursor = rows->statement;
    REQUIRE(column >= 0 && column < PQnfields(cursor->result));
    if (PQgetisnull(cursor->result, cursor->at, column)) {
        return DB_NIL;
    }
    const char *data = PQgetvalue(cursor->result, cursor->at, column);
    const int bytes = PQgetlength(cursor->result, cursor->at, column);
    switch (PQftype(cursor->result, column)) {
    case POSTGRES_BOOL:
    case POSTGRES_INT4:
    case POSTGRES_INT8:
        return DB_I64(integer_of(data, bytes));
    case POSTGRES_TEXT:
        return (struct db_value){.type = DB_TEXT, .data = data, .bytes = (size_t)bytes};
    case POSTGRES_BYTEA:
        return DB_BYTES(data, (size_t)bytes);
    default:
        return (struct db_value){.type = DB_FOREIGN};
    }
}

const char *postgres_column_name(struct db_rows *rows, int column)
{
    const struct cursor *cursor = rows->statement;
    return PQfname(cursor->result, column);
}

void postgres_close_rows(struct db_rows *rows)
{
    struct cursor *cursor = rows->statement;
    PQclear(cursor->result);
    free(cursor);
    postgres_of(rows->db)->rows_open--;
}
