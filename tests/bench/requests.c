// The file is mapped, and the texts of the requests stay in it.
#include "requests.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/require.h"

static size_t label_of(struct requests *requests, const char *name)
{
    size_t label = 0;
    while (label < requests->label_count && strcmp(requests->labels[label], name) != 0) {
        label++;
    }
    if (label == requests->label_count) {
        REQUIRE(label < LABELS_MAX);
        (void)snprintf(requests->labels[label], LABEL_BYTES_MAX, "%s", name);
        requests->label_count++;
    }
    return label;
}

static void add(struct requests *requests, struct request request)
{
    if ((requests->count & (requests->count - 1)) == 0) { // full, as its room doubles
        const size_t room = requests->count == 0 ? 1 : 2 * requests->count;
        requests->all = reallocarray(requests->all, room, sizeof(*requests->all));
        REQUIRE(requests->all != NULL);
    }
    requests->all[requests->count++] = request;
}

void requests_open(struct requests *requests, const char *path)
{
    struct stat file;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0 && fstat(fd, &file) == 0 && file.st_size > 0);
    requests->file_bytes = (size_t)file.st_size;
    requests->file = mmap(NULL, requests->file_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    REQUIRE(requests->file != MAP_FAILED);
    (void)close(fd);
    const char *end = requests->file + requests->file_bytes;
    for (const char *at = requests->file; at < end;) {
        char label[LABEL_BYTES_MAX];
        const char *space = memchr(at, ' ', (size_t)(end - at));
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        REQUIRE(space != NULL && newline > space && space - at < LABEL_BYTES_MAX);
        (void)snprintf(label, sizeof(label), "%.*s", (int)(space - at), at);
        const char *text = newline + 1;
        const size_t bytes = strtoul(space, NULL, 10);
        REQUIRE(bytes > 0 && bytes <= REQUEST_BYTES_MAX && bytes <= (size_t)(end - text));
        add(requests, (struct request){.text = text, .bytes = bytes, .label = label_of(requests, label)});
        at = text + bytes;
    }
}

void requests_release(struct requests *requests)
{
    REQUIRE(munmap(requests->file, requests->file_bytes) == 0);
    free(requests->all);
}

void request_write(const struct request *request, uint64_t number, char *out)
{
    memcpy(out, request->text, request->bytes);
    uint64_t left = number;
    for (size_t i = request->bytes; i-- > 0;) {
        if (out[i] != '#') {
            left = number;
            continue;
        }
        out[i] = (char)('0' + left % 10);
        left /= 10;
    }
}
