/*
 * replay.c - runs a fuzz target on files, without a fuzzer.
 *
 *     replay file...
 *
 * Each input is copied to a block of its exact size, so that a read past its end is seen by the
 * sanitizers and by valgrind. A target reports a fault by crashing; this program only says how many
 * inputs it ran.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Runs the target on one file. Returns 0, or -1 when the file cannot be read. */
static int replay_file(const char *path)
{
    int rc = -1;
    uint8_t *data = NULL;
    long size = -1;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        goto done;
    }
    if (fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 ||
        fseek(file, 0, SEEK_SET) != 0) {
        goto done;
    }
    data = malloc(size > 0 ? (size_t)size : 1);
    if (data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size) {
        goto done;
    }
    LLVMFuzzerTestOneInput(data, (size_t)size);
    rc = 0;
done:
    free(data);
    if (file != NULL) {
        fclose(file);
    }
    return rc;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        /* Named before it runs, so that the last line before a crash says which input it was. */
        printf("%s\n", argv[i]);
        fflush(stdout);
        if (replay_file(argv[i]) != 0) {
            perror(argv[i]);
            return 1;
        }
    }
    printf("%d inputs\n", argc - 1);
    return 0;
}
