// The way of every request, from its head to its answer. Loop thread.
#pragma once

#include "net/http_server.h"

// Sets the callbacks of the server; their context is a struct api.
void pipeline_attach(struct http_server_options *server);
