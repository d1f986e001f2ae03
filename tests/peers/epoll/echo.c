/* An echo server on epoll, two threads, non-blocking: about as fast as an echo server gets, and so
 * the limit for the others. Usage: echo-epoll NETWORK ADDRESS (tcp and udp: IPV4:PORT)
 *
 * Each thread has an epoll instance of its own; connections are dealt out in turn. What the
 * socket does not take at once waits in the connection's buffer, and reading stops until it is gone. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { THREADS = 2, BUFFER = 64 * 1024, BATCH = 32 };

struct conn {
	int fd;
	size_t start, end; /* what is read and not written yet */
	char *waiting;     /* allocated when the socket is full */
};

static int epolls[THREADS];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void finish(struct conn *c)
{
	close(c->fd);
	free(c->waiting);
	free(c);
}

/* Returns 0 when all is written, 1 when the socket is full, -1 on error. */
static int flush(struct conn *c, const char *bytes)
{
	while (c->start < c->end) {
		ssize_t n = send(c->fd, bytes + c->start, c->end - c->start, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN ? 1 : -1;
		c->start += (size_t)n;
	}
	return 0;
}

static void watch(int epoll, struct conn *c, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = c };
	epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
}

static void serve(int epoll, struct conn *c, char *buffer)
{
	if (c->waiting) {
		int full = flush(c, c->waiting);
		if (full < 0)
			return finish(c);
		if (full)
			return;
		free(c->waiting);
		c->waiting = NULL;
		watch(epoll, c, EPOLLIN);
	}
	ssize_t n = recv(c->fd, buffer, BUFFER, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		return finish(c);
	c->start = 0;
	c->end = (size_t)n;
	int full = flush(c, buffer);
	if (full < 0)
		return finish(c);
	if (full) {
		c->waiting = malloc(c->end);
		if (!c->waiting)
			return finish(c);
		memcpy(c->waiting, buffer, c->end);
		watch(epoll, c, EPOLLOUT);
	}
}

static void *loop(void *which)
{
	int epoll = *(int *)which;
	char *buffer = malloc(BUFFER);
	struct epoll_event events[64];
	for (;;) {
		int n = epoll_wait(epoll, events, 64, -1);
		for (int i = 0; i < n; i++)
			serve(epoll, events[i].data.ptr, buffer);
	}
	return NULL;
}

static void accept_all(int listener)
{
	pthread_t thread;
	for (int i = 0; i < THREADS; i++) {
		epolls[i] = epoll_create1(EPOLL_CLOEXEC);
		if (pthread_create(&thread, NULL, loop, &epolls[i]))
			die("pthread_create");
	}
	for (unsigned turn = 0;; turn++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		struct conn *c = calloc(1, sizeof *c);
		int on = 1;
		if (!c) {
			close(fd);
			continue;
		}
		c->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on Unix sockets */
		struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
		epoll_ctl(epolls[turn % THREADS], EPOLL_CTL_ADD, fd, &e);
	}
}

static void serve_datagrams(int fd)
{
	static char buffers[BATCH][65536];
	struct sockaddr_in peers[BATCH];
	struct iovec iovs[BATCH];
	struct mmsghdr messages[BATCH];
	for (;;) {
		for (int i = 0; i < BATCH; i++) {
			iovs[i] = (struct iovec){ buffers[i], sizeof buffers[i] };
			messages[i].msg_hdr = (struct msghdr){ .msg_name = &peers[i],
				.msg_namelen = sizeof peers[i], .msg_iov = &iovs[i], .msg_iovlen = 1 };
		}
		int n = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < n; i++)
			iovs[i].iov_len = messages[i].msg_len;
		for (int sent = 0; sent < n;) {
			int count = sendmmsg(fd, messages + sent, (unsigned)(n - sent), 0);
			sent += count > 0 ? count : 1;
		}
	}
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return fprintf(stderr, "usage: echo-epoll tcp|udp|unix ADDRESS\n"), 2;
	int fd, on = 1, udp = !strcmp(argv[1], "udp");
	if (!strcmp(argv[1], "unix")) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		if (strlen(argv[2]) >= sizeof address.sun_path)
			return fprintf(stderr, "echo-epoll: path too long\n"), 2;
		strcpy(address.sun_path, argv[2]);
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || bind(fd, (void *)&address, sizeof address))
			die(argv[2]);
		printf("listening on unix %s\n", argv[2]);
	} else {
		struct sockaddr_in address = { .sin_family = AF_INET };
		char *colon = strrchr(argv[2], ':');
		if (!colon)
			return fprintf(stderr, "echo-epoll: the address is IPV4:PORT\n"), 2;
		*colon = 0;
		if (inet_pton(AF_INET, argv[2], &address.sin_addr) != 1)
			return fprintf(stderr, "echo-epoll: the address is IPV4:PORT\n"), 2;
		address.sin_port = htons((unsigned short)atoi(colon + 1));
		fd = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		socklen_t size = sizeof address;
		if (fd < 0 || bind(fd, (void *)&address, size))
			die(argv[2]);
		getsockname(fd, (void *)&address, &size);
		printf("listening on %s %s:%d\n", argv[1], argv[2], ntohs(address.sin_port));
	}
	fflush(stdout);
	if (udp)
		serve_datagrams(fd);
	if (listen(fd, 4096))
		die("listen");
	accept_all(fd);
}
