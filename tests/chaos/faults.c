/* What cannot be done to a process from outside: a clock that jumps, a disk that is slow, and another way to a server.
 *
 * Loaded before libc (LD_PRELOAD). Two files of eight bytes, mapped into memory, say how much: IMI_TEST_CLOCK, seconds by
 * which the time of day is wrong; IMI_TEST_DISK, microseconds that every flush to the disk takes longer. A clock that only
 * counts on (CLOCK_MONOTONIC) is right, as it is on a machine whose time is set. IMI_TEST_WAYS, `port:other,port:other`,
 * says which ports of this machine are reached by others.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
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

static in_port_t way_to(in_port_t port)
{
	int one, other;
	for (const char *ways = getenv("IMI_TEST_WAYS"); ways && sscanf(ways, "%d:%d", &one, &other) == 2;) {
		if (one == ntohs(port))
			return htons(other);
		ways = strchr(ways, ',');
		ways = ways ? ways + 1 : NULL;
	}
	return port;
}

int connect(int socket, const struct sockaddr *address, socklen_t length)
{
	static int (*real)(int, const struct sockaddr *, socklen_t);
	if (!real)
		real = dlsym(RTLD_NEXT, "connect");
	if (address->sa_family != AF_INET)
		return real(socket, address, length);
	struct sockaddr_in by = *(const struct sockaddr_in *)address;
	by.sin_port = way_to(by.sin_port);
	return real(socket, (const struct sockaddr *)&by, sizeof by);
}
