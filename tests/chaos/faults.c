/* What cannot be done to a process from outside: a clock that jumps, and a disk that is slow.
 *
 * Loaded before libc (LD_PRELOAD). Two files of eight bytes, mapped into memory, say how much: IMI_TEST_CLOCK, seconds by
 * which the time of day is wrong; IMI_TEST_DISK, microseconds that every flush to the disk takes longer. A clock that only
 * counts on (CLOCK_MONOTONIC) is right, as it is on a machine whose time is set.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t nothing = 0;
static volatile const int64_t *shift = &nothing, *delay = &nothing;

static volatile const int64_t *mapped(const char *variable)
{
	const char *path = getenv(variable);
	int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (file < 0)
		return &nothing;
	void *there = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
	close(file);
	return there == MAP_FAILED ? &nothing : there;
}

__attribute__((constructor)) static void begin(void)
{
	shift = mapped("IMI_TEST_CLOCK");
	delay = mapped("IMI_TEST_DISK");
}

static void wait_for_the_disk(void)
{
	struct timespec pause = {*delay / 1000000, *delay % 1000000 * 1000};
	if (*delay > 0)
		nanosleep(&pause, NULL);
}

int clock_gettime(clockid_t clock, struct timespec *at)
{
	static int (*real)(clockid_t, struct timespec *);
	if (!real)
		real = dlsym(RTLD_NEXT, "clock_gettime");
	int failed = real(clock, at);
	if (!failed && clock == CLOCK_REALTIME)
		at->tv_sec += *shift;
	return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
	struct timespec now;
	(void)zone;
	int failed = clock_gettime(CLOCK_REALTIME, &now);
	at->tv_sec = now.tv_sec;
	at->tv_usec = now.tv_nsec / 1000;
	return failed;
}

time_t time(time_t *at)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (at)
		*at = now.tv_sec;
	return now.tv_sec;
}

int fsync(int file)
{
	static int (*real)(int);
	if (!real)
		real = dlsym(RTLD_NEXT, "fsync");
	wait_for_the_disk();
	return real(file);
}

int fdatasync(int file)
{
	static int (*real)(int);
	if (!real)
		real = dlsym(RTLD_NEXT, "fdatasync");
	wait_for_the_disk();
	return real(file);
}
