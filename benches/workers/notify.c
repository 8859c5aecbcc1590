/* The library, from C. The client's options are in ESALES_* variables; see sample.h for the other variables.
 *
 *   notify send      one blocking call each
 *   notify enqueue   one notification into the queue each
 *   notify payment   one blocking call each, with an order of 50 lines
 *   notify mixed     one blocking call each, a cart and a click in turn
 *   notify first     a client and its first blocking call, in a new process each
 *   notify private   KiB of memory that this process alone has after two blocking calls
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

static void payment_one(void) {
  static esales_line lines[50];
  esales_notification order = ESALES_NOTIFICATION_INIT;
  esales_receipt receipt = ESALES_RECEIPT_INIT;
  for (size_t i = 0; i < 50; i++) {
    lines[i] = (esales_line)ESALES_LINE_INIT;
    lines[i].product_key = "P_125383-0014";
    lines[i].variant_key = "P_125383-0014_UK";
    lines[i].quantity = 2;
    lines[i].selling_price = "199.50";
  }
  order.kind = ESALES_PAYMENT;
  order.lines = lines;
  order.line_count = 50;
  check(esales_notify(client, &visitor, &order, &receipt), ESALES_DELIVERED);
}

static void mixed_one(void) {
  static int is_click;
  esales_notification notification = ESALES_NOTIFICATION_INIT;
  esales_receipt receipt = ESALES_RECEIPT_INIT;
  notification.kind = (is_click = !is_click) ? ESALES_CLICK : ESALES_ADD_TO_CART;
  notification.ticket = ticket;
  check(esales_notify(client, &visitor, &notification, &receipt), ESALES_DELIVERED);
}

static void first_one(void) {
  check(esales_client_new(NULL, &client), 0);
  send_one();
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
  if (strcmp(argv[1], "first") == 0) {
    sample_first(first_one);
    return 0;
  }
  check(esales_client_new(NULL, &client), 0);
  if (strcmp(argv[1], "send") == 0) {
    sample(send_one);
  } else if (strcmp(argv[1], "payment") == 0) {
    sample(payment_one);
  } else if (strcmp(argv[1], "mixed") == 0) {
    sample(mixed_one);
  } else if (strcmp(argv[1], "private") == 0) {
    send_one();
    send_one();
    show_private();
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
