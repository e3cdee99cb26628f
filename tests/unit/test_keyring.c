// The key files: made once, whole, private, and never replaced.
#include "scratch.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/keyring.h"

struct paths {
    struct scratch scratch;
    char directory[160];
    char master[192];
    char pepper[192];
};

static int place_setup(void **state)
{
    struct paths *paths = calloc(1, sizeof *paths);
    scratch_make(&paths->scratch);
    snprintf(paths->directory, sizeof paths->directory, "%s/a/b", paths->scratch.directory);
    snprintf(paths->master, sizeof paths->master, "%s/master.key", paths->directory);
    snprintf(paths->pepper, sizeof paths->pepper, "%s/pepper.key", paths->directory);
    *state = paths;
    return 0;
}

static int place_teardown(void **state)
{
    struct paths *paths = *state;
    scratch_remove(&paths->scratch);
    free(paths);
    return 0;
}

static enum errc load(const struct paths *paths, bool create, struct keyring *keyring, struct err *err)
{
    return keyring_load(keyring, paths->master, paths->pepper, create, err);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
    assert_int_equal(chmod(path, mode), 0);
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 0777;
}

static void missing_files_are_made_private_in_a_private_directory(void **state)
{
    const struct paths *paths = *state;
    struct keyring keyring;
    struct err err = {0};
    mode_t before = umask(0); // the modes must not depend on it
    assert_int_equal(load(paths, true, &keyring, &err), OK);
    (void)umask(before);
    assert_int_equal(mode_of(paths->directory), 0700);
    assert_int_equal(mode_of(paths->master), 0600);
    assert_int_equal(mode_of(paths->pepper), 0600);
    assert_memory_not_equal(keyring.master.bytes, keyring.pepper, sizeof keyring.pepper);
}

static void keys_that_were_made_are_read_again_the_same(void **state)
{
    const struct paths *paths = *state;
    struct keyring first;
    struct keyring again;
    struct err err = {0};
    assert_int_equal(load(paths, true, &first, &err), OK);
    assert_int_equal(load(paths, true, &again, &err), OK);
    assert_memory_equal(&first, &again, sizeof first);
    assert_int_equal(load(paths, false, &again, &err), OK);
    assert_memory_equal(&first, &again, sizeof first);
}

static void without_leave_to_make_it_a_missing_file_is_an_error_and_stays_missing(void **state)
{
    const struct paths *paths = *state;
    struct keyring keyring;
    struct err err = {0};
    assert_int_equal(load(paths, false, &keyring, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "master.key is missing"));
    assert_int_equal(access(paths->directory, F_OK), -1);
}

static void both_written_forms_mean_the_same_key(void **state)
{
    const struct paths *paths = *state;
    struct keyring keyring;
    struct err err = {0};
    assert_int_equal(file_make_directory(paths->directory, &err), OK);
    write_file(paths->master, "000102030405060708090a0B0C0D0E0F101112131415161718191a1b1c1d1e1f\r\n", 0600);
    write_file(paths->pepper, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 0400);
    assert_int_equal(load(paths, false, &keyring, &err), OK);
    for (size_t i = 0; i < sizeof keyring.pepper; i++) {
        assert_int_equal(keyring.pepper[i], i);
    }
    assert_memory_equal(keyring.master.bytes, keyring.pepper, sizeof keyring.pepper);
    assert_memory_equal(keyring.master.id, keyring.pepper_id, sizeof keyring.pepper_id);
}

static void a_key_that_is_not_32_bytes_is_refused(void **state)
{
    const struct paths *paths = *state;
    static const char *const texts[] = {
        "",
        "\n",
        "short",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eg0",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v",
    };
    struct keyring keyring;
    struct err err = {0};
    assert_int_equal(load(paths, true, &keyring, &err), OK);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        write_file(paths->pepper, texts[i], 0600);
        assert_int_equal(load(paths, true, &keyring, &err), ERR_CONFIG);
        assert_non_null(strstr(err.message, "pepper.key must hold 32 bytes"));
    }
}

static void a_file_that_others_may_read_is_refused(void **state)
{
    const struct paths *paths = *state;
    struct keyring keyring;
    struct err err = {0};
    assert_int_equal(load(paths, true, &keyring, &err), OK);
    static const mode_t open_modes[] = {0604, 0602, 0640, 0660, 0644};
    for (size_t i = 0; i < sizeof open_modes / sizeof open_modes[0]; i++) {
        assert_int_equal(chmod(paths->master, open_modes[i]), 0);
        assert_int_equal(load(paths, true, &keyring, &err), ERR_CONFIG);
        assert_non_null(strstr(err.message, "chmod 600"));
    }
}

static void a_file_that_cannot_be_made_or_read_is_named(void **state)
{
    const struct paths *paths = *state;
    char beyond[256];
    struct keyring keyring;
    struct err err = {0};
    assert_int_equal(load(paths, true, &keyring, &err), OK);
    snprintf(beyond, sizeof beyond, "%s/x/master.key", paths->pepper); // a file where a directory must be
    assert_int_equal(keyring_load(&keyring, beyond, paths->pepper, true, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, paths->pepper));
    assert_int_equal(keyring_load(&keyring, paths->directory, paths->pepper, true, &err), ERR_CONFIG);
    assert_non_null(strstr(err.message, "not a regular file"));
}

static void processes_that_start_at_once_agree_on_the_keys(void **state)
{
    const struct paths *paths = *state;
    enum { PROCESSES = 8, ROUNDS = 10 };
    for (int round = 0; round < ROUNDS; round++) {
        (void)unlink(paths->master);
        (void)unlink(paths->pepper);
        int pipe_ends[2];
        assert_int_equal(pipe(pipe_ends), 0);
        for (int i = 0; i < PROCESSES; i++) {
            pid_t child = fork();
            assert_true(child >= 0);
            if (child == 0) {
                struct keyring keyring;
                memset(&keyring, 0, sizeof keyring);
                enum errc e = load(paths, true, &keyring, NULL);
                ssize_t written = write(pipe_ends[1], &keyring, sizeof keyring);
                _exit(e == OK && written == (ssize_t)sizeof keyring ? 0 : 1);
            }
        }
        (void)close(pipe_ends[1]);
        struct keyring first;
        struct keyring other;
        for (int i = 0; i < PROCESSES; i++) {
            assert_int_equal(read(pipe_ends[0], i == 0 ? &first : &other, sizeof first), sizeof first);
            assert_memory_equal(&first, i == 0 ? &first : &other, sizeof first);
        }
        (void)close(pipe_ends[0]);
        for (int i = 0; i < PROCESSES; i++) {
            int status;
            assert_true(wait(&status) > 0 && status == 0);
        }
    }
}

static void a_file_is_made_once_and_its_first_content_stays(void **state)
{
    const struct paths *paths = *state;
    struct err err = {0};
    bool created = false;
    assert_int_equal(file_make_directory(paths->directory, &err), OK);
    assert_int_equal(file_create(paths->master, "one", 3, &created, &err), OK);
    assert_true(created);
    assert_int_equal(file_create(paths->master, "two", 3, &created, &err), OK);
    assert_false(created);
    char content[8] = "";
    FILE *file = fopen(paths->master, "re");
    assert_non_null(file);
    assert_int_equal(fread(content, 1, sizeof content - 1, file), 3);
    (void)fclose(file);
    assert_string_equal(content, "one");
    assert_int_equal(unlink(paths->master), 0);
    assert_int_equal(rmdir(paths->directory), 0); // empty: no temporary file was left
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(missing_files_are_made_private_in_a_private_directory, place_setup,
                                        place_teardown),
        cmocka_unit_test_setup_teardown(keys_that_were_made_are_read_again_the_same, place_setup,
                                        place_teardown),
        cmocka_unit_test_setup_teardown(without_leave_to_make_it_a_missing_file_is_an_error_and_stays_missing,
                                        place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(both_written_forms_mean_the_same_key, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(a_key_that_is_not_32_bytes_is_refused, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(a_file_that_others_may_read_is_refused, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(a_file_that_cannot_be_made_or_read_is_named, place_setup,
                                        place_teardown),
        cmocka_unit_test_setup_teardown(processes_that_start_at_once_agree_on_the_keys, place_setup,
                                        place_teardown),
        cmocka_unit_test_setup_teardown(a_file_is_made_once_and_its_first_content_stays, place_setup,
                                        place_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
