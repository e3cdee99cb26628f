// Shared by the harnesses that read requests. Reading a request needs the API's options, but the API itself
// needs sockets and threads; so the linker replaces api_options with the function here (--wrap).
#pragma once

#include "api/api.h"
#include "base/text.h"
#include "fuzz.h"

const struct api_options *__wrap_api_options(const struct api *api); // NOLINT(bugprone-reserved-identifier)
const struct api_options *__wrap_api_options(const struct api *api)  // NOLINT(bugprone-reserved-identifier)
{
    (void)api;
    static const struct config config = {.webhook_allow_http = true};
    static const struct keyring keyring = {.pepper = {1, 2, 3}};
    static const struct api_options options = {.config = &config, .keyring = &keyring};
    return &options;
}

// Every problem has a field and a message that fit into an answer.
static inline void check_problems(const struct problems *problems)
{
    REQUIRE(problems->count <= PROBLEMS_MAX);
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        REQUIRE(problem->code == ERR_VALIDATION || problem->code == ERR_CARD_DATA_REFUSED);
        REQUIRE(problem->field[0] != '\0' && text_is_utf8(problem->field, strlen(problem->field)));
        REQUIRE(problem->message[0] != '\0' && text_is_utf8(problem->message, strlen(problem->message)));
        REQUIRE(problem->code != ERR_CARD_DATA_REFUSED || problems->count == 1);
    }
}
