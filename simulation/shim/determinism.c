/*
 * What a history must not get from the operating system: chance and time. Preloaded (LD_PRELOAD) into the process
 * of one history.
 *
 *   SIMULATION_SEED  the seed of the history, decimal
 *
 * Randomness comes from the seed: keys of hash maps, the order in which tokio::select! looks, tags, nonces. The
 * clocks of the system stand still: time passes in the runtime of the history alone, and whoever asks the system
 * for it all the same waits for ever, which the history finds.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static uint64_t state;
static int is_seeded;

/* SplitMix64. */
static uint64_t next(void) {
    if (!is_seeded) {
        const char *seed = getenv("SIMULATION_SEED");
        state = seed ? strtoull(seed, NULL, 10) : 0;
        is_seeded = 1;
    }
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

ssize_t getrandom(void *buffer, size_t length, unsigned flags) {
    unsigned char *octets = buffer;
    (void)flags;
    for (size_t i = 0; i < length; i++) octets[i] = (unsigned char)(next() >> 32);
    return (ssize_t)length;
}

int getentropy(void *buffer, size_t length) {
    getrandom(buffer, length, 0);
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)
        return (int)syscall(SYS_clock_gettime, clock, time);
    time->tv_sec = clock == CLOCK_REALTIME ? 1800000000 : 1000000;
    time->tv_nsec = 0;
    return 0;
}
