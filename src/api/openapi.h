// The description of this API, docs/openapi.yaml, as the JSON that the build made of it: the program needs no
// file beside it, and never serves another description than the one it was built with. Any thread.
#pragma once

// Static storage.
const char *openapi_json(void);
