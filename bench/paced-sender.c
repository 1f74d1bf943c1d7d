/*
 * Sends UDP to 10.3.0.2 at an even rate until SIGTERM, then prints how many it sent. What it is late with beyond a few
 * packets is left out: a burst after a pause would fill queues that the rate alone does not. Arguments: source port (0: any),
 * destination port, packets a second, octets of payload.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PAYLOAD = 1472, MOST_LATE = 20 };

static volatile sig_atomic_t stopped;

static void stop(int signal) {
  (void)signal;
  stopped = 1;
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int count, char **arguments) {
  if (count != 5) return 2;
  const int source = atoi(arguments[1]), port = atoi(arguments[2]), rate = atoi(arguments[3]), size = atoi(arguments[4]);
  if (source < 0 || source > 65535 || port < 1 || port > 65535 || rate < 1 || rate > 1000000 || size < 1 || size > MOST_PAYLOAD) return 2;
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  const struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(source), .sin_addr.s_addr = htonl(INADDR_ANY)};
  const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr("10.3.0.2")};
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0 || bind(fd, (const struct sockaddr *)&here, sizeof here) != 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
    perror("socket");
    return 1;
  }
  static char payload[MOST_PAYLOAD];
  const int64_t gap = 1000000000LL / rate;
  long sent = 0;
  for (int64_t due = now(); !stopped; due += gap) {
    if (now() > due + MOST_LATE * gap) due = now();
    const struct timespec at = {due / 1000000000LL, due % 1000000000LL};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    if (send(fd, payload, size, 0) == size) sent += 1;
  }
  printf("%ld\n", sent);
  return 0;
}
