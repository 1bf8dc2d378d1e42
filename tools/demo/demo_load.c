// SPDX-License-Identifier: BSD-2-Clause
/*
 * demo_load PORT SECONDS [REQUESTS=20000]: sends requests to 127.0.0.1:PORT from three threads, two
 * with queries and one with logins of which every second fails, until SECONDS have passed or
 * REQUESTS were sent. Prints what it did; exits with 1 when requests went unanswered.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define THREADS	    3
#define SECONDS_MAX 300

static int port;
static time_t deadline;
static atomic_long left, answered, failed;

static time_t seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* Sends a request and reads the answer to its end; 0 if it was an HTTP answer. */
static int fetch(const char *path)
{
	const struct timeval timeout = {.tv_sec = 5};
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	char text[1024];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ok = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)) &&
	    send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text)) {
		n = recv(fd, text, sizeof(text), MSG_WAITALL);
		ok = n > 9 && !memcmp(text, "HTTP/1.1 ", 9);
	}
	close(fd);
	return ok ? 0 : -1;
}

static void *drive(void *arg)
{
	int thread = (int)(intptr_t)arg;
	char path[128];

	for (int i = 0; seconds() < deadline && atomic_fetch_sub(&left, 1) > 0; i++) {
		if (thread == 0)
			snprintf(path, sizeof(path), "/login?user=user%d&password=%s", i % 50,
				 i % 2 ? "secret" : "guess");
		else
			snprintf(path, sizeof(path), "/query?regions=%d", 1 + i % 2);
		if (fetch(path)) {
			atomic_fetch_add(&failed, 1);
			/* The service may be gone: do not spin on refused connections. */
			usleep(100000);
		} else {
			atomic_fetch_add(&answered, 1);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	long duration = argc > 2 ? atol(argv[2]) : 0;

	port = argc > 1 ? atoi(argv[1]) : 0;
	atomic_init(&left, argc > 3 ? atol(argv[3]) : 20000);
	if (port < 1 || port > 65535 || duration < 1 || duration > SECONDS_MAX) {
		fprintf(stderr, "usage: demo_load PORT SECONDS [REQUESTS]\n");
		return 2;
	}
	deadline = seconds() + duration;
	for (intptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, drive, (void *)i))
			return 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("%ld requests answered, %ld failed\n", answered, failed);
	return failed ? 1 : 0;
}
