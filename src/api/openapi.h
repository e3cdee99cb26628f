// The description of this API: docs/openapi.yaml as JSON, which the build compiles into the program, so the
// two always match. Any thread.
#pragma once

// Static storage.
const char *openapi_json(void);
