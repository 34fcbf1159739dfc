/*
 * A wall clock that tests can set: preloaded (LD_PRELOAD) into a process.
 *
 *   SHIM_CLOCK  a file that says by how many seconds the wall clock is off; no file, no number: it is right
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    int outcome = (int)syscall(SYS_clock_gettime, clock, time);
    const char *name = getenv("SHIM_CLOCK");
    if (outcome != 0 || clock != CLOCK_REALTIME || !name) return outcome;
    char text[24] = "";
    int file = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0);
    if (file < 0) return outcome;
    if (syscall(SYS_read, file, text, sizeof text - 1) > 0) time->tv_sec += atol(text);
    syscall(SYS_close, file);
    return outcome;
}
