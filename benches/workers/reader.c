/* A server that reads the whole request before it answers 204, so that a client that sends head and body separately
 * waits for a delayed acknowledgement. nginx answers after the head. Prints its port, and ends when stdin ends.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static const char ANSWER[] = "HTTP/1.1 204 No Content\r\nServer: reader\r\n\r\n";

/* The length of the request in `bytes`; 0 if its head is not complete. */
static size_t request_length(const char *bytes) {
  const char *end = strstr(bytes, "\r\n\r\n"), *line = bytes;
  while (end && (line = strstr(line, "\r\n")) && line < end)
    if (strncasecmp(line += 2, "content-length:", 15) == 0) return (size_t)(end + 4 - bytes) + strtoul(line + 15, NULL, 10);
  return 0;
}

static void *serve(void *argument) {
  int fd = (int)(intptr_t)argument, yes = 1;
  char bytes[16384];
  size_t have = 0;
  ssize_t got;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  while (have < sizeof bytes - 1 && (got = read(fd, bytes + have, sizeof bytes - 1 - have)) > 0) {
    have += (size_t)got;
    bytes[have] = 0;
    size_t length = request_length(bytes);
    if (!length || have < length) continue;
    if (write(fd, ANSWER, sizeof ANSWER - 1) < 0) break;
    have = 0;
  }
  close(fd);
  return NULL;
}

static void *accept_all(void *argument) {
  for (;;) {
    pthread_t thread;
    int fd = accept((int)(intptr_t)argument, NULL, NULL);
    if (fd < 0 || pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd)) exit(1);
    pthread_detach(thread);
  }
}

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  pthread_t thread;
  char byte;
  if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 64) ||
      getsockname(listener, (struct sockaddr *)&address, &size) ||
      pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)listener))
    return perror("reader"), 1;
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  while (read(0, &byte, 1) > 0) {
  }
  return 0;
}
