// Replaces libFuzzer in the ordinary build: runs the harness once for each file in the given directory.
#include <dirent.h>
#include <stdio.h>

#include "fuzz.h"

#define INPUT_BYTES_MAX (1 << 20)

static void replay(const char *directory, const char *name)
{
    char path[4096];
    REQUIRE(snprintf(path, sizeof(path), "%s/%s", directory, name) < (int)sizeof(path));
    FILE *file = fopen(path, "rb");
    REQUIRE(file != NULL);
    uint8_t *room = malloc(INPUT_BYTES_MAX);
    REQUIRE(room != NULL);
    size_t bytes = fread(room, 1, INPUT_BYTES_MAX, file);
    (void)fclose(file);
    uint8_t *data = realloc(room, bytes > 0 ? bytes : 1); // of the file's exact size: see fuzz_text
    REQUIRE(data != NULL);
    printf("# %s\n", name);
    (void)fflush(stdout); // so that the last line names the input that aborts
    (void)LLVMFuzzerTestOneInput(data, bytes);
    free(data);
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 2);
    DIR *directory = opendir(argv[1]);
    REQUIRE(directory != NULL);
    int count = 0;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (entry->d_name[0] != '.') {
            replay(argv[1], entry->d_name);
            count++;
        }
    }
    (void)closedir(directory);
    REQUIRE(count > 0);
    printf("1..1\nok 1 - %d corpus inputs\n", count);
    return 0;
}
