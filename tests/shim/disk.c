/*
 * A disk that tests can break: preloaded (LD_PRELOAD) into a storage process, it watches writes below one
 * folder.
 *
 *   SHIM_ROOT   the folder to watch (absolute, without links)
 *   SHIM_UNDO   a folder for undo logs, outside SHIM_ROOT. What a completed sync does not cover can be
 *               taken back from them after the process was killed: that is the power cut.
 *   SHIM_HANG   while a file of this name exists, fsync and fdatasync never return
 *   SHIM_FAIL   while a file of this name exists, fsync and fdatasync fail with EIO
 *   SHIM_SLOW   while a file of this name exists, fsync and fdatasync take as many milliseconds as it says
 *   SHIM_FULL   while a file of this name exists, writes fail with ENOSPC
 *   SHIM_IGNORE_SYNC  while a file of this name exists, fsync and fdatasync succeed and cover nothing
 *
 * The model is a journalling file system: a completed sync of a file makes its content and its
 * creation durable, a completed sync of a folder makes the renames in it durable. Writes that no
 * sync covers are all lost.
 *
 * Undo log of a file, SHIM_UNDO/<inode>: records of
 *   u64 kind (1 write or truncate, 2 created), u64 offset, u64 old size, u64 length, `length` old octets
 * in host byte order. Renames, SHIM_UNDO/renames: `old path\0new path\0backup of the target or empty\0`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FD 65536

struct record {
    uint64_t kind, offset, old_size, length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char watched[MAX_FD];
static unsigned long backups;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int under_root(const char *path) {
    const char *root = getenv("SHIM_ROOT");
    char resolved[PATH_MAX], parent[PATH_MAX];
    if (!root || !path) return 0;
    if (!realpath(path, resolved)) {
        /* Not there yet: its folder decides. */
        snprintf(parent, sizeof parent, "%s", path);
        char *slash = strrchr(parent, '/');
        if (!slash) return 0;
        *slash = 0;
        if (!realpath(parent, resolved)) return 0;
    }
    size_t length = strlen(root);
    return strncmp(resolved, root, length) == 0 && (resolved[length] == '/' || resolved[length] == 0);
}

static int open_undo(ino_t inode, int flags) {
    const char *folder = getenv("SHIM_UNDO");
    char path[PATH_MAX];
    if (!folder) return -1;
    snprintf(path, sizeof path, "%s/%lu", folder, (unsigned long)inode);
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
}

/* Keeps what a change of `length` octets at `offset` overwrites. Called with the lock held. */
static void keep(int fd, uint64_t kind, off_t offset, size_t length) {
    struct stat state;
    if (fstat(fd, &state) != 0 || !S_ISREG(state.st_mode)) return;
    int undo = open_undo(state.st_ino, O_WRONLY | O_APPEND | O_CREAT);
    if (undo < 0) return;
    off_t end = offset + (off_t)length < state.st_size ? offset + (off_t)length : state.st_size;
    size_t old = end > offset ? (size_t)(end - offset) : 0;
    char *entry = malloc(sizeof(struct record) + old);
    if (entry) {
        struct record head = {kind, (uint64_t)offset, (uint64_t)state.st_size, old};
        char name[64];
        memcpy(entry, &head, sizeof head);
        if (old) {
            /* The file may be open for writing only. */
            snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
            int reader = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0);
            if (reader >= 0) {
                if (pread(reader, entry + sizeof head, old, offset) < 0) head.length = 0;
                syscall(SYS_close, reader);
            }
        }
        syscall(SYS_write, undo, entry, sizeof head + old);
        free(entry);
    }
    syscall(SYS_close, undo);
}

static void forget(int fd) {
    struct stat state;
    if (fstat(fd, &state) != 0) return;
    pthread_mutex_lock(&lock);
    if (S_ISDIR(state.st_mode)) {
        const char *folder = getenv("SHIM_UNDO");
        char path[PATH_MAX];
        if (folder) {
            snprintf(path, sizeof path, "%s/renames", folder);
            syscall(SYS_unlinkat, AT_FDCWD, path, 0);
        }
    } else {
        int undo = open_undo(state.st_ino, O_WRONLY | O_TRUNC);
        if (undo >= 0) syscall(SYS_close, undo);
    }
    pthread_mutex_unlock(&lock);
}

static int is_watched(int fd) { return fd >= 0 && fd < MAX_FD && watched[fd]; }

static int opened(int fd, const char *path, int was_there, int flags) {
    if (fd < 0 || fd >= MAX_FD || !under_root(path)) return fd;
    watched[fd] = 1;
    if (!was_there && (flags & O_CREAT)) {
        pthread_mutex_lock(&lock);
        keep(fd, 2, 0, 0);
        pthread_mutex_unlock(&lock);
    }
    return fd;
}

#define OPEN(name)                                                          \
    int name(const char *path, int flags, ...) {                            \
        va_list arguments;                                                  \
        va_start(arguments, flags);                                         \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(arguments, mode_t) : 0; \
        va_end(arguments);                                                  \
        int was_there = access(path, F_OK) == 0;                            \
        return opened(REAL(name)(path, flags, mode), path, was_there, flags); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                        \
    int name(int folder, const char *path, int flags, ...) {                \
        va_list arguments;                                                  \
        va_start(arguments, flags);                                         \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(arguments, mode_t) : 0; \
        va_end(arguments);                                                  \
        int was_there = faccessat(folder, path, F_OK, 0) == 0;              \
        return opened(REAL(name)(folder, path, flags, mode), path, was_there, flags); \
    }
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    if (fd >= 0 && fd < MAX_FD) watched[fd] = 0;
    return REAL(close)(fd);
}

/* Whether there is no room for what is written: -1 with errno ENOSPC. */
static int full(int fd) {
    const char *name = getenv("SHIM_FULL");
    if (!is_watched(fd) || !name || access(name, F_OK) != 0) return 0;
    errno = ENOSPC;
    return 1;
}

/* Changes happen under the lock, so that no sync can forget the undo of one it does not cover. */
#define CHANGE(fd, offset, length, call)        \
    do {                                        \
        if (!is_watched(fd)) return call;       \
        pthread_mutex_lock(&lock);              \
        keep(fd, 1, offset, length);            \
        __typeof__(call) outcome = call;        \
        pthread_mutex_unlock(&lock);            \
        return outcome;                         \
    } while (0)

static off_t position(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return (flags & O_APPEND) ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
}

static size_t total(const struct iovec *vector, int count) {
    size_t octets = 0;
    for (int i = 0; i < count; i++) octets += vector[i].iov_len;
    return octets;
}

ssize_t write(int fd, const void *octets, size_t length) {
    if (full(fd)) return -1;
    CHANGE(fd, position(fd), length, REAL(write)(fd, octets, length));
}
ssize_t writev(int fd, const struct iovec *vector, int count) {
    if (full(fd)) return -1;
    CHANGE(fd, position(fd), total(vector, count), REAL(writev)(fd, vector, count));
}
ssize_t pwrite(int fd, const void *octets, size_t length, off_t offset) {
    if (full(fd)) return -1;
    CHANGE(fd, offset, length, REAL(pwrite)(fd, octets, length, offset));
}
ssize_t pwrite64(int fd, const void *octets, size_t length, off64_t offset) {
    if (full(fd)) return -1;
    CHANGE(fd, offset, length, REAL(pwrite64)(fd, octets, length, offset));
}
int ftruncate(int fd, off_t size) { CHANGE(fd, size, SSIZE_MAX / 2, REAL(ftruncate)(fd, size)); }
int ftruncate64(int fd, off64_t size) { CHANGE(fd, size, SSIZE_MAX / 2, REAL(ftruncate64)(fd, size)); }

/* Waits as many milliseconds as SHIM_SLOW says; no longer than the file is there. */
static void dawdle(void) {
    const char *name = getenv("SHIM_SLOW");
    char text[16] = "";
    int file = name ? (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0) : -1;
    if (file < 0) return;
    long left = syscall(SYS_read, file, text, sizeof text - 1) > 0 ? atol(text) : 0;
    syscall(SYS_close, file);
    for (; left > 0 && access(name, F_OK) == 0; left--) usleep(1000);
}

/* Waits while SHIM_HANG exists, and as long as SHIM_SLOW says; -1 with errno EIO while SHIM_FAIL does. */
static int broken(int fd) {
    const char *hang = getenv("SHIM_HANG"), *fail = getenv("SHIM_FAIL");
    if (!is_watched(fd)) return 0;
    while (hang && access(hang, F_OK) == 0) usleep(1000);
    dawdle();
    if (fail && access(fail, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    return 0;
}

/* Whether a sync is only pretended. */
static int ignored(int fd) {
    const char *ignore = getenv("SHIM_IGNORE_SYNC");
    return is_watched(fd) && ignore && access(ignore, F_OK) == 0;
}

#define SYNC(name)                                        \
    int name(int fd) {                                    \
        if (broken(fd)) return -1;                        \
        if (ignored(fd)) return 0;                        \
        int outcome = REAL(name)(fd);                     \
        if (outcome == 0 && is_watched(fd)) forget(fd);   \
        return outcome;                                   \
    }
SYNC(fsync)
SYNC(fdatasync)

int rename(const char *from, const char *to) {
    if (!under_root(to) || !getenv("SHIM_UNDO")) return REAL(rename)(from, to);
    char backup[PATH_MAX] = "", log[PATH_MAX];
    pthread_mutex_lock(&lock);
    if (access(to, F_OK) == 0) {
        snprintf(backup, sizeof backup, "%s/target-%lu", getenv("SHIM_UNDO"), backups++);
        if (link(to, backup) != 0) backup[0] = 0;
    }
    snprintf(log, sizeof log, "%s/renames", getenv("SHIM_UNDO"));
    int undo = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (undo >= 0) {
        char entry[3 * PATH_MAX];
        int length = snprintf(entry, sizeof entry, "%s%c%s%c%s%c", from, 0, to, 0, backup, 0);
        syscall(SYS_write, undo, entry, (size_t)length);
        syscall(SYS_close, undo);
    }
    int outcome = REAL(rename)(from, to);
    pthread_mutex_unlock(&lock);
    return outcome;
}
