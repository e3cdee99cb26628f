// The table of drivers. Any thread.
#include "store/driver.h"

#include <string.h>

#include "base/require.h"

enum errc db_driver_find(const char *database, const struct db_driver **driver, struct err *err)
{
    static const struct db_driver *const drivers[] = {&sqlite_driver, &postgres_driver};
    for (size_t i = 0; i < COUNT_OF(drivers); i++) {
        if (strncmp(database, drivers[i]->prefix, strlen(drivers[i]->prefix)) == 0) {
            *driver = drivers[i];
            return OK;
        }
    }
    return err_set(err, ERR_CONFIG, "the database must be sqlite:PATH or postgresql://USER@HOST/NAME");
}
