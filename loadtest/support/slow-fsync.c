/* Makes fsync and fdatasync slower, as a network disk does. Compiled and preloaded by slow-fsync.ts. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void wait_a_moment(void) {
  const char *text = getenv("SLOW_FSYNC_US");
  long us = text ? atol(text) : 0;
  struct timespec moment = {us / 1000000, us % 1000000 * 1000};
  if (us > 0) nanosleep(&moment, NULL);
}

int fsync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  wait_a_moment();
  return real(fd);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  wait_a_moment();
  return real(fd);
}
