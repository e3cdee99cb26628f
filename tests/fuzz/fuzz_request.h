// Shared by the harnesses that read requests. Reading a request needs of the API only its settings and keys.
#pragma once

#include "api/api_private.h"
#include "api/request.h"
#include "base/text.h"
#include "fuzz.h"

static inline struct request *fuzz_request(struct arena *arena)
{
    static const struct config config = {.webhook_allow_http = true};
    static const struct keyring keyring = {.pepper = {1, 2, 3}};
    static struct api api = {.config = &config, .keyring = &keyring};
    struct request *request = ARENA_NEW(arena, struct request);
    request->api = &api;
    request->arena = arena;
    return request;
}

// Every error of a field has a field and a message that fit into an answer.
static inline void check_field_errors(const struct field_errors *errors)
{
    REQUIRE(errors->count <= FIELD_ERRORS_MAX);
    for (size_t i = 0; i < errors->count; i++) {
        const struct field_error *error = &errors->items[i];
        REQUIRE(error->code == ERR_VALIDATION || error->code == ERR_CARD_DATA_REFUSED);
        REQUIRE(error->field[0] != '\0' && text_is_utf8(error->field, strlen(error->field)));
        REQUIRE(error->message[0] != '\0' && text_is_utf8(error->message, strlen(error->message)));
        REQUIRE(error->code != ERR_CARD_DATA_REFUSED || errors->count == 1);
    }
}
