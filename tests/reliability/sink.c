/* A service that answers 204 to every request, as fast as one thread can. Prints its port and, when stdin ends, how many
 * requests came.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_SOCKETS = 1024, BUFFER = 1 << 16 };

static struct {
  char bytes[BUFFER];
  size_t length;
} *sockets[MOST_SOCKETS];
static long requests;

/* Whether the connection is to be closed. */
static int serve(int connection) {
  static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
  char *bytes = sockets[connection]->bytes;
  ssize_t got = read(connection, bytes + sockets[connection]->length, BUFFER - sockets[connection]->length);
  if (got <= 0) return got == 0 || errno != EAGAIN;
  sockets[connection]->length += (size_t)got;
  for (;;) {
    size_t length = sockets[connection]->length;
    char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end) return length == BUFFER;
    *end = 0;
    char *field = strcasestr(bytes, "content-length:");
    *end = '\r';
    size_t body = field ? strtoul(field + 15, NULL, 10) : 0, head = (size_t)(end + 4 - bytes);
    if (length < head + body) return head + body > BUFFER;
    requests++;
    if (write(connection, answer, sizeof answer - 1) < 0) return 1;
    memmove(bytes, bytes + head + body, length - head - body);
    sockets[connection]->length -= head + body;
  }
}

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0);
  struct epoll_event events[64];
  if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 128) ||
      getsockname(listener, (struct sockaddr *)&address, &size))
    return 1;
  for (int i = 0; i < 2; i++) {
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = i ? listener : 0};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, wanted.data.fd, &wanted)) return 1;
  }
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    int ready = epoll_wait(poll, events, 64, -1);
    for (int i = 0; i < ready; i++) {
      int file = events[i].data.fd;
      if (file == 0) {
        printf("%ld\n", requests);
        return 0;
      }
      if (file == listener) {
        int connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        struct epoll_event wanted = {.events = EPOLLIN, .data.fd = connection};
        if (connection < 0 || connection >= MOST_SOCKETS) return 1;
        if (!sockets[connection] && !(sockets[connection] = malloc(sizeof *sockets[connection]))) return 1;
        sockets[connection]->length = 0;
        epoll_ctl(poll, EPOLL_CTL_ADD, connection, &wanted);
      } else if (serve(file)) {
        close(file);
      }
    }
  }
}
