// The API's table of contents: every route is a row.
#pragma once

#include "api/request.h"

enum route_access {
    ROUTE_OPERATOR, // needs no key; `answer` answers on the loop, without the database
    ROUTE_PROVIDER, // signed by the provider; `work` verifies the signature
    ROUTE_KEY,      // needs an API key with one of `scopes`
};

struct route {
    const char *method;
    const char *path; // may hold one {id}
    enum route_access access;
    uint32_t scopes; // any of these is enough
    enum store_queue queue;
    size_t body_bytes_max; // 0: no body is read
    // Loop thread, pure: checks the request and fills its input, refusal and field_errors.
    void (*read)(struct request *request);
    // See struct request_step.
    enum errc (*work)(struct request *request, struct tx *tx, struct err *err);
    void (*answer)(struct request *request);
    // Loop thread, pure: refuses a request by its head, before the body is received. NULL: never.
    enum errc (*check_head)(struct request *request, struct err *err);
    const char *provider; // ROUTE_PROVIDER: whose events these are
    bool body_optional;   // may be empty, and request->body NULL
    // See struct request_step.
    void (*ahead)(struct request *request, struct tx *tx);
    bool any_merchant; // an admin need not name a merchant
    bool admins_only;  // only an admin's key may, and it acts for no merchant
};

// The route of a method and path. ERR_NOT_FOUND; ERR_METHOD_NOT_ALLOWED with *allow in the arena. *param: the
// {id}.
enum errc router_find(const char *method, const char *path, struct arena *arena, const struct route **route,
                      const char **param, const char **allow, struct err *err) MUST_CHECK;
