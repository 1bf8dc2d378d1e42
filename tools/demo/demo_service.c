// SPDX-License-Identifier: BSD-2-Clause
/*
 * demo_service [SECONDS]: HTTP/1.1 on a free port of 127.0.0.1, one request per connection. Prints
 * "port N", serves with four threads (worker-1 to worker-4) until SIGTERM, SIGINT or, when given,
 * SECONDS have passed, and exits with 0.
 *
 *	GET /query?regions=N                 two phases of slow calls
 *	GET /login?user=U&password=P         the right password is "secret"
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "demo.h"

#define WORKERS	      4
#define REQUEST_BYTES 2048

static int listener;

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ULL + t.tv_nsec / 1000;
}

void work(long sleep_us, long cpu_us)
{
	uint64_t end;
	volatile unsigned hash = 5381;

	usleep(sleep_us);
	end = now_us() + cpu_us;
	while (now_us() < end)
		for (int i = 0; i < 1000; i++)
			hash = hash * 33 + i;
}

/* Copies the value of `key` from the query string into `value`; empty when it is not there. */
static void parameter(const char *query, const char *key, char *value, size_t size)
{
	size_t len = strlen(key);

	*value = '\0';
	while (query && *query) {
		if (!strncmp(query, key, len) && query[len] == '=') {
			snprintf(value, size, "%.*s", (int)strcspn(query + len + 1, "&"),
				 query + len + 1);
			return;
		}
		query = strchr(query, '&');
		if (query)
			query++;
	}
}

/* Reads to the empty line. Returns false on a broken, slow or too long request. */
static bool read_request(int fd, char *request)
{
	size_t len = 0;

	while (len < REQUEST_BYTES - 1) {
		ssize_t n = recv(fd, request + len, REQUEST_BYTES - 1 - len, 0);

		if (n <= 0)
			return false;
		len += n;
		request[len] = '\0';
		if (strstr(request, "\r\n\r\n"))
			return true;
	}
	return false;
}

static void reply(int fd, const char *status, const char *body)
{
	char text[512];
	int len = snprintf(text, sizeof(text),
			   "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
			   "Connection: close\r\n\r\n%s",
			   status, strlen(body), body);

	if (len > 0 && len < (int)sizeof(text))
		send(fd, text, len, MSG_NOSIGNAL);
}

static void route(int fd, const char *path, const char *query)
{
	char body[64], user[64], password[64], regions[8];

	if (!strcmp(path, "/query")) {
		parameter(query, "regions", regions, sizeof(regions));
		snprintf(body, sizeof(body), "%d resources\n", run_query(atoi(regions)));
		reply(fd, "200 OK", body);
	} else if (!strcmp(path, "/login")) {
		parameter(query, "user", user, sizeof(user));
		parameter(query, "password", password, sizeof(password));
		if (handle_login(user, password))
			reply(fd, "200 OK", "welcome\n");
		else
			reply(fd, "401 Unauthorized", "no\n");
	} else {
		reply(fd, "404 Not Found", "no such page\n");
	}
}

static void serve(int fd)
{
	const struct timeval timeout = {.tv_sec = 2};
	char request[REQUEST_BYTES], *path, *query, *end;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (!read_request(fd, request) || strncmp(request, "GET /", 5)) {
		reply(fd, "400 Bad Request", "GET only\n");
		return;
	}
	path = request + 4;
	end = path + strcspn(path, " \r\n");
	*end = '\0';
	query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	route(fd, path, query);
}

static void *worker(void *arg)
{
	char name[16];

	snprintf(name, sizeof(name), "worker-%d", (int)(intptr_t)arg);
	pthread_setname_np(pthread_self(), name);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		serve(fd);
		close(fd);
	}
	return NULL;
}

static int start_listening(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(address);

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, len) ||
	    listen(listener, 64) || getsockname(listener, (struct sockaddr *)&address, &len)) {
		perror("demo_service: cannot listen on 127.0.0.1");
		return 1;
	}
	printf("port %d\n", ntohs(address.sin_port));
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	struct timespec lifetime = {.tv_sec = argc > 1 ? atol(argv[1]) : 0};
	sigset_t stop;

	/* Blocked in all threads and waited for here. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	if (start_listening())
		return 1;
	for (intptr_t i = 1; i <= WORKERS; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, worker, (void *)i)) {
			fprintf(stderr, "demo_service: cannot start a thread\n");
			return 1;
		}
	}
	if (lifetime.tv_sec > 0)
		sigtimedwait(&stop, NULL, &lifetime);
	else
		sigwaitinfo(&stop, NULL);
	return 0;
}
