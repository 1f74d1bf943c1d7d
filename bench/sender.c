/*
 * Sends UDP to 10.3.0.2 as fast as it can, from ordinary sockets: every packet of another flow, in random order.
 * trafgen was tried and is no faster; it walks through megabytes of prepared packets, whose cache misses would be taken
 * for the router's. Arguments: destination ports, first of them, source sockets.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, PAYLOAD = 172, FIRST_SOURCE = 20000, MOST_SOCKETS = 16 };

static int open_socket(int port) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr("10.1.0.2")};
  int room = 1 << 22, yes = 1, fd = socket(AF_INET, SOCK_DGRAM, 0);
  // Several of these programs may send from one port.
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here) != 0) {
    perror("bind");
    exit(1);
  }
  return fd;
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  const uint32_t ports = strtoul(arguments[1], NULL, 10), first = strtoul(arguments[2], NULL, 10);
  const int sockets = atoi(arguments[3]);
  if (ports < 1 || first + 2 * ports > 65536 || sockets < 1 || sockets > MOST_SOCKETS) return 2;
  cpu_set_t last;
  CPU_ZERO(&last);
  CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &last);
  sched_setaffinity(0, sizeof last, &last);
  int fds[MOST_SOCKETS];
  for (int n = 0; n < sockets; n++) fds[n] = open_socket(FIRST_SOURCE + 2 * n);
  static char payload[PAYLOAD];
  struct iovec data = {payload, sizeof payload};
  struct sockaddr_in to[BATCH];
  struct mmsghdr messages[BATCH];
  memset(messages, 0, sizeof messages);
  for (int n = 0; n < BATCH; n++) {
    to[n] = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = inet_addr("10.3.0.2")};
    messages[n].msg_hdr = (struct msghdr){.msg_name = &to[n], .msg_namelen = sizeof to[n], .msg_iov = &data, .msg_iovlen = 1};
  }
  uint64_t random = 1;
  for (int turn = 0;; turn = (turn + 1) % sockets) {
    for (int n = 0; n < BATCH; n++) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      to[n].sin_port = htons(first + 2 * (uint32_t)(((random >> 32) * ports) >> 32));
    }
    sendmmsg(fds[turn], messages, BATCH, 0);
  }
}
