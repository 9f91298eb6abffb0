/*
 * ballast.cu - a neighbour that takes the card's memory, for test/gpu/check_budget.c:
 *
 *     ballast hold LEAVE_MB             takes all but so much, and holds it
 *     ballast grow START_MB LEAVE_MB    takes all but START_MB, then, 64 MiB every 20 ms, all but
 *                                       LEAVE_MB, also what others give back
 *
 * Says "ready" on its output when the first step is done, and ends when its input is closed.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda_runtime.h>

#define BALLAST_MIB ((size_t)1 << 20)
#define BALLAST_STEP_MS 20

static size_t ballast_free(void)
{
    size_t free_bytes = 0, total_bytes = 0;
    if (cudaMemGetInfo(&free_bytes, &total_bytes) != cudaSuccess) {
        exit(1);
    }
    return free_bytes;
}

/* Takes at most `bytes`; 0: there is not so much in one piece. */
static int ballast_take(size_t bytes)
{
    void *memory = NULL;
    if (cudaMalloc(&memory, bytes) != cudaSuccess) {
        (void)cudaGetLastError();
        return 0;
    }
    return 1;
}

/* Takes pieces, smaller and smaller ones, until no more than `leave` bytes are free. */
static void ballast_take_all_but(size_t leave)
{
    for (size_t piece = 4096 * BALLAST_MIB; piece >= 2 * BALLAST_MIB; piece /= 2) {
        while (ballast_free() >= leave + piece && ballast_take(piece)) {
        }
    }
}

static int ballast_is_over(int milliseconds)
{
    struct pollfd input;
    char byte;
    input.fd = 0;
    input.events = POLLIN;
    input.revents = 0;
    return poll(&input, 1, milliseconds) > 0 && fread(&byte, 1, 1, stdin) == 0;
}

int main(int argc, char **argv)
{
    const int is_growing = argc == 4 && strcmp(argv[1], "grow") == 0;

    if (!is_growing && !(argc == 3 && strcmp(argv[1], "hold") == 0)) {
        (void)fprintf(stderr, "usage: ballast hold LEAVE_MB | grow START_MB LEAVE_MB\n");
        return 2;
    }
    ballast_take_all_but((size_t)atol(argv[2]) * BALLAST_MIB);
    (void)printf("ready\n");
    (void)fflush(stdout);
    if (!is_growing) {
        while (!ballast_is_over(-1)) {
        }
        return 0;
    }
    while (!ballast_is_over(BALLAST_STEP_MS)) {
        const size_t leave = (size_t)atol(argv[3]) * BALLAST_MIB, now = ballast_free();
        if (now > leave + 2 * BALLAST_MIB) {
            const size_t most = 64 * BALLAST_MIB, more = now - leave;
            (void)ballast_take(more < most ? more : most);
        }
    }
    return 0;
}
