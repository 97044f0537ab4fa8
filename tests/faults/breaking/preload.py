"""Libraries that are loaded before the system's own and answer in its place: clocks that are wrong, files without locks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# What a network file system without its lock server says.
NO_LOCKS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

int flock(int fd, int operation) { errno = ENOLCK; return -1; }

static int refused(int command) {
    return command == F_SETLK || command == F_SETLKW || command == F_GETLK
        || command == F_OFD_SETLK || command == F_OFD_SETLKW || command == F_OFD_GETLK;
}

static int pass(const char *name, int fd, int command, void *word) {
    if (refused(command)) { errno = ENOLCK; return -1; }
    int (*true_one)(int, int, ...) = dlsym(RTLD_NEXT, name);
    return true_one(fd, command, word);
}

int fcntl(int fd, int command, ...) {
    va_list words; va_start(words, command); void *word = va_arg(words, void *); va_end(words);
    return pass("fcntl", fd, command, word);
}

int fcntl64(int fd, int command, ...) {
    va_list words; va_start(words, command); void *word = va_arg(words, void *); va_end(words);
    return pass("fcntl64", fd, command, word);
}
"""

# The time of day is that of a month ago; what only measures how long something takes is right.
A_MONTH_AGO = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

#define AWAY (30L * 24 * 3600)

int clock_gettime(clockid_t clock, struct timespec *found) {
    static int (*true_one)(clockid_t, struct timespec *);
    if (!true_one) true_one = dlsym(RTLD_NEXT, "clock_gettime");
    int done = true_one(clock, found);
    if (!done && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) found->tv_sec -= AWAY;
    return done;
}

int gettimeofday(struct timeval *found, void *zone) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    found->tv_sec = now.tv_sec;
    found->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *found) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (found) *found = now.tv_sec;
    return now.tv_sec;
}
"""


def library(folder: Path, source: str) -> str:
    """Compile *source*, for ``LD_PRELOAD``. Tests that need it are skipped where that cannot be done."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("without a C compiler, and elsewhere than on Linux, the system's own answers cannot be changed")
    (folder / "library.c").write_text(source)
    words = [compiler, "-shared", "-fPIC", "-o", str(folder / "library.so"), str(folder / "library.c"), "-ldl"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the C compiler does not work: {done.stderr[:200]}")
    return str(folder / "library.so")
