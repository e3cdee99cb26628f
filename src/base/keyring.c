// The two key files. Invariant: a key that was once made is never replaced, here or by a process side by
// side, because everything sealed or hashed under it would be lost. Before threads start, and in commands.
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

// A key file's text, wiped when done with.
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

// Everyone's bits always count. The group's count in a file of our own: one that belongs to another user
// (root) and is given to us is how service managers hand over credentials, where the group's bits are an
// access list's mask.
static bool others_may_read(const struct stat *status)
{
    return (status->st_mode & S_IRWXO) != 0 ||
           ((status->st_mode & S_IRWXG) != 0 && status->st_uid == geteuid());
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
    if (others_may_read(&status)) {
        return err_set(err, ERR_CONFIG, "the %s file %s is accessible to other users: run chmod 600 on it", what, path);
    }
    ssize_t bytes = read(descriptor, out->text, FILE_BYTES_MAX);
    if (bytes < 0) {
        return err_set(err, ERR_CONFIG, "cannot read the %s file %s: %s", what, path, strerror(errno));
    }
    out->text[bytes] = '\0';
    return OK;
}

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef";
    char lower = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
    const char *at = lower == '\0' ? NULL : strchr(digits, lower);
    return at == NULL ? -1 : (int)(at - digits);
}

static bool parse_hex(const char *text, uint8_t key[KEY_BYTES])
{
    for (size_t i = 0; i < KEY_BYTES; i++) {
        int high = hex_value(text[2 * i]);
        int low = high < 0 ? -1 : hex_value(text[2 * i + 1]);
        if (low < 0) {
            return false;
        }
        key[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

// The text has one form or the other by its length alone: base64 of 32 bytes is 44 characters.
static bool parse_key(char *text, uint8_t key[KEY_BYTES])
{
    size_t chars = strlen(text);
    while (chars > 0 && strchr(" \t\r\n", text[chars - 1]) != NULL) {
        chars--;
    }
    text[chars] = '\0';
    if (chars == HEX_CHARS) {
        return parse_hex(text, key);
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
    enum errc e = file_make_directory_of(path, err);
    bool created; // false: another process was first, and its key is the one
    return e != OK ? e : file_create(path, text, strlen(text), &created, err);
}

static enum errc load_one(const char *what, const char *path, bool create, uint8_t key[KEY_BYTES],
                          struct err *err)
{
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        if (!create) {
            return err_set(err, ERR_CONFIG, "the %s file %s is missing", what, path);
        }
        enum errc e = make_file(path, err);
        if (e != OK) {
            return e;
        }
    }
    TEXT_CLEANUP struct key_text text = {0};
    enum errc e = read_file(what, path, &text, err);
    if (e != OK) {
        return e;
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
    enum errc e = load_one("master key", master_key_file, create, master, err);
    if (e == OK) {
        e = load_one("pepper", pepper_file, create, pepper, err);
    }
    if (e == OK) {
        uint8_t digest[SHA256_BYTES];
        seal_key_set(&keyring->master, master);
        memcpy(keyring->pepper, pepper, sizeof keyring->pepper);
        crypto_sha256(pepper, sizeof pepper, digest);
        memcpy(keyring->pepper_id, digest, sizeof keyring->pepper_id);
    }
    crypto_wipe(master, sizeof master);
    crypto_wipe(pepper, sizeof pepper);
    return e;
}

static enum errc check_one(const char *what, const char *path, struct err *err)
{
    uint8_t key[KEY_BYTES];
    enum errc e = access(path, F_OK) != 0 && errno == ENOENT ? OK : load_one(what, path, false, key, err);
    crypto_wipe(key, sizeof key);
    return e;
}

enum errc keyring_check(const char *master_key_file, const char *pepper_file, struct err *err)
{
    enum errc e = check_one("master key", master_key_file, err);
    return e == OK ? check_one("pepper", pepper_file, err) : e;
}

void keyring_wipe(struct keyring *keyring)
{
    crypto_wipe(keyring, sizeof *keyring);
}
