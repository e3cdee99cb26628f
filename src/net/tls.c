// See tls.h. Invariant: no byte is read or written before the certificate was verified.
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"

static const unsigned char protocols[] = "\x02h2\x08http/1.1"; // ALPN, RFC 7301 section 3.1

struct tls_context {
    SSL_CTX *ssl;
};

struct tls {
    SSL *ssl;
};

static const char *openssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason != NULL ? reason : "no reason given";
}

static bool context_set_up(SSL_CTX *ssl)
{
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    // HTTP/2's frames show where a connection was cut. HTTP/2 forbids renegotiation (RFC 9113 section 9.2.1).
    SSL_CTX_set_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_default_verify_paths(ssl) == 1 &&
           SSL_CTX_set_alpn_protos(ssl, protocols, sizeof(protocols) - 1) == 0;
}

enum errc tls_context_open(const char *ca_file, struct tls_context **context, struct err *err)
{
    ERR_clear_error();
    SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());
    if (ssl == NULL || !context_set_up(ssl)) {
        SSL_CTX_free(ssl);
        return err_set(err, ERR_IO, "OpenSSL cannot be set up: %s", openssl_reason());
    }
    if (ca_file != NULL && SSL_CTX_load_verify_file(ssl, ca_file) != 1) {
        SSL_CTX_free(ssl);
        return err_set(err, ERR_CONFIG, "%s holds no certificates that can be read: %s", ca_file,
                       openssl_reason());
    }
    struct tls_context *opened = calloc(1, sizeof(*opened));
    REQUIRE(opened != NULL);
    opened->ssl = ssl;
    *context = opened;
    return OK;
}

void tls_context_free(struct tls_context *context)
{
    if (context != NULL) {
        SSL_CTX_free(context->ssl);
        free(context);
    }
}

// RFC 9110 section 4.3.4: a name is checked as a name, an address as an address. Only a name is sent (SNI).
static bool expect_host(SSL *ssl, const char *host, bool host_is_address)
{
    if (host_is_address) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    }
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

enum errc tls_open(struct tls_context *context, int fd, const char *host, bool host_is_address,
                   struct tls **tls, struct err *err)
{
    ERR_clear_error();
    SSL *ssl = SSL_new(context->ssl);
    if (ssl == NULL || !expect_host(ssl, host, host_is_address) || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return err_set(err, ERR_IO, "OpenSSL cannot open a connection: %s", openssl_reason());
    }
    SSL_set_connect_state(ssl);
    struct tls *opened = calloc(1, sizeof(*opened));
    REQUIRE(opened != NULL);
    opened->ssl = ssl;
    *tls = opened;
    return OK;
}

void tls_close(struct tls *tls, bool orderly)
{
    if (tls == NULL) {
        return;
    }
    if (orderly) {
        ERR_clear_error();
        (void)SSL_shutdown(tls->ssl);
    }
    SSL_free(tls->ssl);
    free(tls);
}

static enum tls_result result_of(struct tls *tls, int returned)
{
    switch (SSL_get_error(tls->ssl, returned)) {
    case SSL_ERROR_NONE:
        return TLS_DONE;
    case SSL_ERROR_WANT_READ:
        return TLS_WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANTS_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_ENDED;
    default:
        return TLS_FAILED;
    }
}

enum tls_result tls_handshake(struct tls *tls, struct err *err)
{
    ERR_clear_error();
    enum tls_result result = result_of(tls, SSL_do_handshake(tls->ssl));
    long verified = SSL_get_verify_result(tls->ssl);
    if (result == TLS_ENDED) {
        (void)err_set(err, ERR_IO, "the server ended the connection during the TLS handshake");
    } else if (result == TLS_FAILED && verified != X509_V_OK) {
        (void)err_set(err, ERR_IO, "the server's certificate is not accepted: %s",
                      X509_verify_cert_error_string(verified));
    } else if (result == TLS_FAILED) {
        (void)err_set(err, ERR_IO, "the TLS handshake failed: %s", openssl_reason());
    }
    return result;
}

bool tls_speaks_http2(const struct tls *tls)
{
    const unsigned char *name = NULL;
    unsigned int bytes = 0;
    SSL_get0_alpn_selected(tls->ssl, &name, &bytes);
    return bytes == 2 && memcmp(name, "h2", 2) == 0;
}

// SSL_get_error looks at the thread's errors, so none may be left from before. To clear the empty queue costs
// as much as to read a short record.
static void forget_errors(void)
{
    if (ERR_peek_error() != 0) {
        ERR_clear_error();
    }
}

enum tls_result tls_read(struct tls *tls, void *data, size_t bytes_max, size_t *count)
{
    forget_errors();
    return result_of(tls, SSL_read_ex(tls->ssl, data, bytes_max, count));
}

enum tls_result tls_write(struct tls *tls, const void *data, size_t bytes, size_t *count)
{
    forget_errors();
    return result_of(tls, SSL_write_ex(tls->ssl, data, bytes, count));
}
