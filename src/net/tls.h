// TLS to a server, over a non-blocking socket. The server must prove the name by which it was reached.
// A context serves one thread at a time; a connection belongs to the thread that opened it.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct tls_context;
struct tls;

enum tls_result {
    TLS_DONE,
    TLS_WANTS_READ,  // call again when the socket can be read
    TLS_WANTS_WRITE, // call again when the socket can be written
    TLS_ENDED,       // the server ended the connection
    TLS_FAILED,
};

// Trusts the system's certificate authorities and those in ca_file (PEM; NULL: none). At least TLS 1.2.
// ERR_CONFIG: ca_file cannot be read. ERR_IO: OpenSSL refuses.
enum errc tls_context_open(const char *ca_file, struct tls_context **context, struct err *err) MUST_CHECK;
void tls_context_free(struct tls_context *context); // NULL is allowed

// A connection over a connected socket, which stays the caller's. `host` is a name, or an address where
// host_is_address is set. Offers HTTP/2 and HTTP/1.1. ERR_IO: OpenSSL refuses.
enum errc tls_open(struct tls_context *context, int fd, const char *host, bool host_is_address,
                   struct tls **tls, struct err *err) MUST_CHECK;
// Frees it. If `orderly`, tells the server, as far as the socket takes that at once. NULL is allowed.
void tls_close(struct tls *tls, bool orderly);

// On TLS_FAILED and TLS_ENDED *err says why, without the host.
enum tls_result tls_handshake(struct tls *tls, struct err *err);
// After the handshake: whether the server chose HTTP/2.
bool tls_speaks_http2(const struct tls *tls);
// On TLS_DONE *count bytes, at least one, were read or written.
enum tls_result tls_read(struct tls *tls, void *data, size_t bytes_max, size_t *count);
enum tls_result tls_write(struct tls *tls, const void *data, size_t bytes, size_t *count);
