/* The peers in C. They post BENCH_BODY to BENCH_URL and trust BENCH_CA; see sample.h.
 *
 *   peers socket        a kept-alive connection, one write and one read: the floor
 *   peers socket-new    a connection for each
 *   peers socket-two    head and body in two writes, under Nagle's algorithm: what delayed acknowledgement costs
 *   peers libcurl       one handle, used again
 *   peers libcurl-new   a handle for each
 *   peers first         a handle and its first request with libcurl, in a new process each
 *   peers private       KiB of memory that this process alone has after two requests with libcurl
 *   peers append        the body at the end of BENCH_FILE by write(): the floor of a queue
 */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "sample.h"

static const char *body, *url;
static char head[1024];
static int connection = -1, file;
static CURL *handle;
static struct curl_slist *headers;

static int open_connection(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  address.sin_port = htons((uint16_t)number("BENCH_PORT"));
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
  return fd;
}

static void no_delay(int fd) {
  int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static void send_all(int fd, const char *bytes, size_t size) {
  if (write(fd, bytes, size) != (ssize_t)size) fail("write");
}

/* A 204 answer fits into one TCP segment. */
static void read_answer(int fd) {
  char answer[4096];
  ssize_t got = read(fd, answer, sizeof answer);
  if (got < 12 || memcmp(answer, "HTTP/1.1 204", 12) != 0) fail("not a 204");
}

static void socket_one(void) {
  static char request[4096];
  size_t size = (size_t)snprintf(request, sizeof request, "%s%s", head, body);
  send_all(connection, request, size);
  read_answer(connection);
}

static void socket_new_one(void) {
  connection = open_connection();
  no_delay(connection);
  socket_one();
  close(connection);
}

static void socket_two_one(void) {
  send_all(connection, head, strlen(head));
  send_all(connection, body, strlen(body));
  read_answer(connection);
}

static size_t ignore(char *data, size_t size, size_t count, void *user) {
  (void)data, (void)user;
  return size * count;
}

static CURL *new_handle(void) {
  CURL *curl = curl_easy_init();
  if (!curl) fail("curl_easy_init");
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 3000L);
  if (getenv("BENCH_CA")) curl_easy_setopt(curl, CURLOPT_CAINFO, getenv("BENCH_CA"));
  return curl;
}

static void perform(CURL *curl) {
  long status = 0;
  CURLcode result = curl_easy_perform(curl);
  if (result != CURLE_OK) fail(curl_easy_strerror(result));
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (status != 204) fail("not a 204");
}

static void libcurl_one(void) { perform(handle); }

static void libcurl_new_one(void) {
  CURL *curl = new_handle();
  perform(curl);
  curl_easy_cleanup(curl);
}

static void first_one(void) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  libcurl_new_one();
}

static void append_one(void) { send_all(file, body, strlen(body)); }

int main(int argc, char **argv) {
  if (argc < 2) fail("usage: peers WAY");
  const char *way = argv[1];
  body = setting("BENCH_BODY");
  if (strcmp(way, "append") == 0) {
    file = open(setting("BENCH_FILE"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file < 0) fail("open");
    sample(append_one);
    return 0;
  }
  url = setting("BENCH_URL");
  const char *host = strstr(url, "//") + 2, *path = strchr(host, '/');
  snprintf(head, sizeof head,
           "POST %s HTTP/1.1\r\nHost: %.*s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", path,
           (int)(path - host), host, strlen(body));
  headers = curl_slist_append(NULL, "Content-Type: application/json");
  if (strcmp(way, "first") == 0) {
    sample_first(first_one);
    return 0;
  }
  curl_global_init(CURL_GLOBAL_DEFAULT);
  if (strcmp(way, "socket") == 0) {
    connection = open_connection();
    no_delay(connection);
    sample(socket_one);
  } else if (strcmp(way, "socket-new") == 0) {
    sample(socket_new_one);
  } else if (strcmp(way, "socket-two") == 0) {
    connection = open_connection();
    sample(socket_two_one);
  } else if (strcmp(way, "libcurl") == 0) {
    handle = new_handle();
    sample(libcurl_one);
  } else if (strcmp(way, "libcurl-new") == 0) {
    sample(libcurl_new_one);
  } else if (strcmp(way, "private") == 0) {
    handle = new_handle();
    libcurl_one();
    libcurl_one();
    show_private();
  } else {
    fail("unknown way");
  }
  return 0;
}
