// Filling in a sandbox_response.
#pragma once

#include "base/json.h"
#include "sandbox/sandbox.h"

void response_header(struct sandbox_response *response, const char *name, const char *value);
// Takes value.
void response_json(struct sandbox_response *response, int status, struct json_object *value);
// {"error":{"message":...}}: for what is not a call of the API.
void response_refuse(struct sandbox_response *response, int status, const char *message);
void response_text(struct sandbox_response *response, int status, const char *content_type, const char *text);
