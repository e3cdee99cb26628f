// The requests that the load generator sends, from a file. For each it has a line "LABEL BYTES" and then so
// many bytes of HTTP.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LABELS_MAX 8
#define LABEL_BYTES_MAX 16
#define REQUEST_BYTES_MAX 16384

struct request {
    const char *text; // no NUL at its end
    size_t bytes;     // at most REQUEST_BYTES_MAX
    size_t label;     // its index in requests.labels
};

struct requests {
    char *file;
    size_t file_bytes;
    struct request *all;
    size_t count;
    char labels[LABELS_MAX][LABEL_BYTES_MAX];
    size_t label_count;
};

// Fills `requests`, which is empty; the caller releases them. Aborts if the file is not as it should be.
void requests_open(struct requests *requests, const char *path);
void requests_release(struct requests *requests);

// Writes the request to `out`, which has room for REQUEST_BYTES_MAX. Each run of # becomes as many digits,
// the last ones of the number.
void request_write(const struct request *request, uint64_t number, char *out);
