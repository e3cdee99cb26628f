// The API's table of contents: every route is a row.
#pragma once

#include "api/request.h"

enum route_access {
    ROUTE_OPERATOR, // answered on the loop, without the database: `answer`
    ROUTE_PROVIDER, // signed by the provider, not by a key: `work` authenticates
    ROUTE_KEY,      // an API key with one of `scopes`
};

struct route {
    const char *method;
    const char *path; // may hold one {id}
    enum route_access access;
    uint32_t scopes; // any of these is enough
    enum store_queue queue;
    size_t body_bytes_max; // 0: a body is not read
    // Loop thread, pure: checks the request and fills its input, refusal and problems.
    void (*read)(struct request *request);
    // Database thread, in a transaction, after authentication and only where nothing is wrong. May run again
    // from the start.
    enum errc (*work)(struct request *request, struct tx *tx, struct err *err);
    void (*answer)(struct request *request);
    // Loop thread, pure: refuses what the head alone tells, before a body is taken. NULL: nothing.
    enum errc (*check_head)(struct request *request, struct err *err);
    const char *provider; // ROUTE_PROVIDER: whose events these are
    bool body_optional;   // none is an empty object
    bool any_merchant;    // an admin need not say for whom it asks
};

// The route of a method and path. ERR_NOT_FOUND; ERR_METHOD_NOT_ALLOWED with *allow in the arena. *param: the
// {id}.
enum errc router_find(const char *method, const char *path, struct arena *arena, const struct route **route,
                      const char **param, const char **allow, struct err *err) MUST_CHECK;
