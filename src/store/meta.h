// Data about the service as a whole: which keys the database needs, and times of the service's runs.
#pragma once

#include "store/db.h"

// Remembers the key ids at the first start, compares them later: ERR_CONFIG says which file is the wrong one
// ("this database was sealed with another master key"), before anything is written with a wrong key.
enum errc meta_check_keys(struct db *db, const uint8_t master_key_id[8], const uint8_t pepper_id[8],
                          struct err *err) MUST_CHECK;
// Holds up those who check keys until the transaction ends.
enum errc meta_lock_keys(struct db *db, struct err *err) MUST_CHECK;
// The same as meta_check_keys, but remembers nothing.
enum errc meta_compare_keys(struct db *db, const uint8_t master_key_id[8], const uint8_t pepper_id[8],
                            struct err *err) MUST_CHECK;
// Call it after sealed_rekey, in the same transaction.
enum errc meta_change_master_key(struct db *db, const uint8_t id[8], struct err *err) MUST_CHECK;

// When the service was last known to run; 0: never.
enum errc meta_alive_get(struct db *db, int64_t *at_us, struct err *err) MUST_CHECK;
enum errc meta_alive_put(struct db *db, int64_t at_us, struct err *err) MUST_CHECK;

// That time as it was when the present run began: until then this database surely held everything.
enum errc meta_whole_get(struct db *db, int64_t *at_us, struct err *err) MUST_CHECK;
enum errc meta_whole_put(struct db *db, int64_t at_us, struct err *err) MUST_CHECK;

// When the operator accepted that this database lacks data (serve --accept-restored); 0: never.
enum errc meta_accepted_get(struct db *db, int64_t *at_us, struct err *err) MUST_CHECK;
enum errc meta_accepted_put(struct db *db, int64_t at_us, struct err *err) MUST_CHECK;

// The mark that the last node left when it stopped in good order. Taking it removes it; nil: there was none.
enum errc meta_stop_mark_put(struct db *db, const struct uuid *mark, struct err *err) MUST_CHECK;
enum errc meta_stop_mark_take(struct db *db, struct uuid *mark, struct err *err) MUST_CHECK;

// The oldest version of the schema whose programs may use this database; 0: any may.
enum errc meta_oldest_schema_get(struct db *db, int64_t *version, struct err *err) MUST_CHECK;

// Regular work that only one node may do at a time: "janitor", "retention". *mine is false if another node's
// transaction is at it; otherwise it is this transaction's until its end.
enum errc meta_take_turn(struct db *db, const char *work, bool *mine, struct err *err) MUST_CHECK;
