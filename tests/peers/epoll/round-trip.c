// The floor under a call: two processes that pass 58 bytes there and 26 back over loopback TCP, as
// blocking calls, and do nothing else. No protocol, no deadline, no check but for the length.
//
//   round-trip SECONDS      prints round trips a second; taskset(1) puts both on one CPU or two
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { THERE = 58, BACK = 26 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(int fine, const char *what) {
  if (!fine) {
    perror(what);
    exit(1);
  }
}

int main(int count, char **words) {
  must(count == 2, "usage: round-trip SECONDS");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t len = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  must(bind(listener, (struct sockaddr *)&address, len) == 0, "bind");
  must(listen(listener, 1) == 0, "listen");
  must(getsockname(listener, (struct sockaddr *)&address, &len) == 0, "getsockname");
  char bytes[THERE] = {0};
  int child = fork();
  must(child >= 0, "fork");
  if (child == 0) {
    int conn = accept(listener, NULL, NULL);
    must(setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0, "setsockopt");
    while (read(conn, bytes, THERE) == THERE && write(conn, bytes, BACK) == BACK) {
    }
    return 0;
  }
  int conn = socket(AF_INET, SOCK_STREAM, 0);
  must(connect(conn, (struct sockaddr *)&address, len) == 0, "connect");
  must(setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0, "setsockopt");
  double begun = now(), time = atof(words[1]);
  long trips = 0;
  while (trips % 64 || now() - begun < time) {
    must(write(conn, bytes, THERE) == THERE && read(conn, bytes, THERE) == BACK, "round trip");
    trips++;
  }
  printf("%.0f\n", (double)trips / (now() - begun));
  return 0;
}
