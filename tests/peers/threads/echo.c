/* An echo server with a thread for each connection and nothing else: no limits, no deadlines, no
 * lines, no counters. What ours could reach at best with its design, on the same kernel.
 * Usage: echo-threads tcp|unix ADDRESS (tcp: IPV4:PORT)
 *
 * Its threads wait their turn when they are woken (SCHED_BATCH), as ours do. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { STACK = 64 * 1024, BUFFER = 16 * 1024 };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *serve(void *argument)
{
	int fd = (int)(intptr_t)argument;
	struct sched_param param = { 0 };
	char buffer[BUFFER];
	ssize_t count;

	sched_setscheduler(0, SCHED_BATCH, &param);
	while ((count = recv(fd, buffer, sizeof buffer, 0)) > 0) {
		/* A blocking socket takes all, or is broken. */
		if (send(fd, buffer, count, 0) != count)
			break;
	}
	close(fd);
	return NULL;
}

static int listen_tcp(const char *address)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof in;
	char host[64];
	const char *colon = strrchr(address, ':');
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (!colon || (size_t)(colon - address) >= sizeof host)
		die(address);
	snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
	in.sin_port = htons(atoi(colon + 1));
	if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
		die(host);
	if (fd < 0 || bind(fd, (struct sockaddr *)&in, len) || listen(fd, 4096))
		die(address);
	getsockname(fd, (struct sockaddr *)&in, &len);
	printf("listening on tcp %s:%d\n", host, ntohs(in.sin_port));
	return fd;
}

static int listen_unix(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(path) >= sizeof un.sun_path)
		die(path);
	strcpy(un.sun_path, path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof un) || listen(fd, 4096))
		die(path);
	printf("listening on unix %s\n", path);
	return fd;
}

int main(int argc, char **argv)
{
	int is_tcp = argc == 3 && !strcmp(argv[1], "tcp");
	pthread_attr_t attributes;
	int listener;

	if (!is_tcp && (argc != 3 || strcmp(argv[1], "unix"))) {
		fprintf(stderr, "usage: echo-threads tcp|unix ADDRESS\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	listener = is_tcp ? listen_tcp(argv[2]) : listen_unix(argv[2]);
	fflush(stdout);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	for (;;) {
		int one = 1, fd = accept(listener, NULL, NULL);
		pthread_t thread;

		if (fd < 0)
			die("accept");
		if (is_tcp)
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		if (pthread_create(&thread, &attributes, serve, (void *)(intptr_t)fd))
			close(fd);
	}
}
