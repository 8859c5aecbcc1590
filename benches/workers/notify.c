/* The library, from C. The client's options are in ESALES_* variables; see sample.h for the other variables.
 *
 *   notify send      one blocking call each
 *   notify enqueue   one notification into the queue each
 *   notify memory send|enqueue|clients   resident KiB, and KiB in use of the heap: at first, after the warm-up,
 *                                        and after BENCH_COUNT of them
 */
#include <malloc.h>
#include <string.h>

#include "esales_notify.h"
#include "sample.h"

static esales_client *client;
static esales_visitor visitor = ESALES_VISITOR_INIT;
static const char *ticket;

static void check(int status, int expected) {
  if (status != expected) fail(*esales_last_error() ? esales_last_error() : esales_status_name(status));
}

static void send_one(void) {
  esales_receipt receipt = ESALES_RECEIPT_INIT;
  check(esales_notify_add_to_cart(client, &visitor, ticket, NULL, &receipt), ESALES_DELIVERED);
}

static void enqueue_one(void) {
  esales_receipt receipt = ESALES_RECEIPT_INIT;
  check(esales_enqueue_add_to_cart(client, &visitor, ticket, NULL, &receipt), ESALES_QUEUED);
}

/* They are kept, because the memory of each is measured. */
static void client_one(void) {
  esales_client *another;
  check(esales_client_new(NULL, &another), 0);
}

static void show_memory(void) {
  long pages = 0, total = 0;
  FILE *statm = fopen("/proc/self/statm", "r");
  if (!statm || fscanf(statm, "%ld %ld", &total, &pages) != 2) fail("/proc/self/statm");
  fclose(statm);
  printf("%ld %ld\n", pages * (sysconf(_SC_PAGESIZE) / 1024), (long)(mallinfo2().uordblks / 1024));
}

static void memory(void (*one)(void)) {
  show_memory(); /* What showing it takes is not counted. */
  for (long i = 0, many = number("BENCH_WARMUP"); i < many; i++) one();
  show_memory();
  for (long i = 0, many = number("BENCH_COUNT"); i < many; i++) one();
  show_memory();
}

int main(int argc, char **argv) {
  if (argc < 2) fail("usage: notify WAY");
  ticket = setting("BENCH_TICKET");
  visitor.market = "UK";
  visitor.customer_key = "d9528030-509c-4e0f-b585-7168f1e9feca";
  visitor.session_key = "b106299c-eac0-4f6f-96d2-93e57c255784";
  check(esales_client_new(NULL, &client), 0);
  if (strcmp(argv[1], "send") == 0) {
    sample(send_one);
  } else if (strcmp(argv[1], "enqueue") == 0) {
    sample(enqueue_one);
  } else if (strcmp(argv[1], "memory") == 0 && argc == 3) {
    memory(argv[2][0] == 's' ? send_one : argv[2][0] == 'e' ? enqueue_one : client_one);
  } else {
    fail("unknown way");
  }
  esales_client_free(client);
  return 0;
}
