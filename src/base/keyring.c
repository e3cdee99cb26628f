// The two key files. Invariant: a key is never replaced, neither here nor by another process, because
// everything sealed or hashed under it would be lost. Before threads start, and in commands.
#include "base/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define KEY_BYTES 32
#define HEX_CHARS (2 * KEY_BYTES)
#define FILE_BYTES_MAX 256 // a key is 44 or 64 characters; more is another file

// A key file's text, which is wiped after use.
struct key_text {
    char text[FILE_BYTES_MAX + 1];
};

static void wipe_text(struct key_text *text)
{
    crypto_wipe(text, sizeof *text);
}
#define TEXT_CLEANUP __attribute__((cleanup(wipe_text)))

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0) {
        (void)close(*descriptor);
    }
}

static enum errc read_file(const char *what, const char *path, struct key_text *out, struct err *err)
{
    __attribute__((cleanup(close_descriptor))) int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status) != 0) {
        return err_set(err, ERR_CONFIG, "cannot read the %s file %s: %s", what, path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(err, ERR_CONFIG, "the %s file %s is not a regular file", what, path);
    }
    // The bits of all others always count, the group's only in a file of our own. Service managers hand over
    // credentials in a file of another user (root), where the group's bits are an access list's mask.
    if ((status.st_mode & S_IRWXO) != 0 || ((status.st_mode & S_IRWXG) != 0 && status.st_uid == geteuid())) {
        return err_set(err, ERR_CONFIG, "the %s file %s is accessible to other users: run chmod 600 on it",
                       what, path);
    }
    ssize_t bytes = read(descriptor, out->text, FILE_BYTES_MAX);
    if (bytes < 0) {
        return err_set(err, ERR_CONFIG, "cannot read the %s file %s: %s", what, path, strerror(errno));
    }
    out->text[bytes] = '\0';
    return OK;
}

// The length alone tells the form: base64 of 32 bytes has 44 characters, hex has 64.
static bool parse_key(char *text, uint8_t key[KEY_BYTES])
{
    size_t chars = strlen(text);
    while (chars > 0 && strchr(" \t\r\n", text[chars - 1]) != NULL) {
        chars--;
    }
    text[chars] = '\0';
    if (chars == HEX_CHARS) {
        for (size_t i = 0; i < KEY_BYTES; i++) {
            int high = text_hex_value(text[2 * i]);
            int low = text_hex_value(text[2 * i + 1]);
            if (high < 0 || low < 0) {
                return false;
            }
            key[i] = (uint8_t)(high << 4 | low);
        }
        return true;
    }
    size_t bytes = 0;
    return text_base64_decode(text, key, KEY_BYTES, &bytes, NULL) == OK && bytes == KEY_BYTES;
}

static enum errc make_file(const char *path, struct err *err)
{
    uint8_t key[KEY_BYTES];
    crypto_random(key, sizeof key);
    ARENA_CLEANUP struct arena arena = ARENA_EMPTY; // wipes what it held
    const char *text = arena_printf(&arena, "%s\n", text_base64(&arena, key, sizeof key));
    crypto_wipe(key, sizeof key);
    enum errc rc = file_make_directory_of(path, err);
    bool created; // false: another process was first, and its key is used
    return rc != OK ? rc : file_create(path, text, strlen(text), &created, err);
}

static enum errc load_one(const char *what, const char *path, bool create, uint8_t key[KEY_BYTES],
                          struct err *err)
{
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        if (!create) {
            return err_set(err, ERR_CONFIG, "the %s file %s is missing", what, path);
        }
        enum errc rc = make_file(path, err);
        if (rc != OK) {
            return rc;
        }
    }
    TEXT_CLEANUP struct key_text text = {0};
    enum errc rc = read_file(what, path, &text, err);
    if (rc != OK) {
        return rc;
    }
    if (!parse_key(text.text, key)) {
        return err_set(err, ERR_CONFIG, "the %s file %s must hold 32 bytes as base64 or as 64 hex digits",
                       what, path);
    }
    return OK;
}

enum errc keyring_load(struct keyring *keyring, const char *master_key_file, const char *pepper_file,
                       bool create, struct err *err)
{
    uint8_t master[SEAL_KEY_BYTES];
    uint8_t pepper[KEY_BYTES];
    enum errc rc = load_one("master key", master_key_file, create, master, err);
    if (rc == OK) {
        rc = load_one("pepper", pepper_file, create, pepper, err);
    }
    if (rc == OK) {
        uint8_t digest[SHA256_BYTES];
        seal_key_set(&keyring->master, master);
        memcpy(keyring->pepper, pepper, sizeof keyring->pepper);
        crypto_sha256(pepper, sizeof pepper, digest);
        memcpy(keyring->pepper_id, digest, sizeof keyring->pepper_id);
    }
    crypto_wipe(master, sizeof master);
    crypto_wipe(pepper, sizeof pepper);
    return rc;
}

static enum errc check_one(const char *what, const char *path, struct err *err)
{
    uint8_t key[KEY_BYTES];
    enum errc rc = access(path, F_OK) != 0 && errno == ENOENT ? OK : load_one(what, path, false, key, err);
    crypto_wipe(key, sizeof key);
    return rc;
}

enum errc keyring_check(const char *master_key_file, const char *pepper_file, struct err *err)
{
    enum errc rc = check_one("master key", master_key_file, err);
    return rc == OK ? check_one("pepper", pepper_file, err) : rc;
}

void keyring_wipe(struct keyring *keyring)
{
    crypto_wipe(keyring, sizeof *keyring);
}
