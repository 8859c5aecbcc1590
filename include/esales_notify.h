/**
 * @file
 * esales-notify: tells the Elevate 3 commerce search service what a shop's visitors do: clicks, carts, payments.
 * Generated from the Rust source by cbindgen; do not edit.
 *
 * Rules
 *
 * 1.  Names. Functions and types begin with esales_, macros with ESALES_. Nothing else is exported.
 * 2.  Results. A function that can fail returns int32_t: >= 0 is success, < 0 an error code from the list below.
 *     The codes are frozen: never renumbered, never reused. esales_last_error() has the words.
 * 3.  Out-parameters are written on success only; a receipt is written on failure too.
 * 4.  Strings in are UTF-8, NUL-terminated and borrowed for the call. Strings out are static, or copied into the
 *     caller's memory. There is nothing to free but handles.
 * 5.  Bad input (NULL where it is not allowed, invalid UTF-8, a wrong struct_size) gives ESALES_INVALID_ARGUMENT
 *     with words that name the argument, and nothing is sent. Freeing NULL is fine.
 * 6.  Threads. A handle may be used from any number of threads at once. While a handle is freed, no other thread may
 *     be using it. No function is async-signal-safe: a signal handler must not call any.
 * 7.  fork. A client works in the parent and in the child. The child opens connections of its own and leaves the
 *     parent's alone.
 * 8.  Time. A call that sends returns within the option timeout_ms, whatever the network does. A call that enqueues
 *     never waits on the network, and waits for other processes and for an fsync at most enqueue_timeout_ms. Opening,
 *     reading and writing a file of the spool are not bounded: if the file system itself hangs, the call hangs with it.
 * 9.  Panics do not cross this border: a defect of the library is reported as ESALES_INTERNAL.
 * 10. Loading the library does nothing: no thread, no file, no socket, no environment read, no signal handler.
 *     It stays loaded: dlclose is safe at any time.
 * 11. Callbacks run on any thread, with no lock of the library held, and never after they were unregistered (by setting
 *     another, or none, or by freeing the client). Their arguments are valid during the call. Unregistering a callback
 *     waits until it has ended, unless the callback does it itself; so two callbacks that unregister each other at the
 *     same time wait for ever. The library's own threads that run callbacks have a stack of 8 MiB, on top of the host's
 *     thread-local data, and all signals blocked. A callback must return: a C++ exception or a pthread_exit that leaves
 *     it ends the process (SIGABRT), and a longjmp that leaves it is undefined behaviour.
 * 12. Structs grow at their end only, in later versions; struct_size says which one the caller was compiled with. A size
 *     that no version had is refused. A struct need not be aligned.
 * 13. Memory. When the process has none left, calls that would send or enqueue fail (ESALES_INTERNAL), and what has begun
 *     is completed with a reserve of 4 MiB. A failed allocation ends the process only if more than that has begun.
 * 14. Signals. The library has no handlers, and its threads block all signals: a handler of the host runs on a thread of
 *     the host. Once the host has no thread left, after a pthread_exit of its main thread, one of them opens all signals.
 */

#ifndef ESALES_NOTIFY_H
#define ESALES_NOTIFY_H

#include <stddef.h>
#include <stdint.h>

/** The version of this header; esales_version() tells the library's. */
#define ESALES_VERSION "0.1.0"

/* The call did what was asked. */

/**
 * The service received the notification (2xx).
 */
#define ESALES_DELIVERED 0

/**
 * The notification is in the queue and will be delivered.
 */
#define ESALES_QUEUED 1

/* The program or its configuration is wrong; nothing was sent. */

/**
 * An argument is missing or malformed; nothing was sent.
 */
#define ESALES_INVALID_ARGUMENT -1

/**
 * An option is missing, unknown, out of range, or contradicts another.
 */
#define ESALES_INVALID_CONFIG -2

/**
 * The client was closed; nothing was sent.
 */
#define ESALES_CLOSED -3

/* The notification is not sent again: the service refused it, or would count it twice. */

/**
 * The service refused the request (400): a ticket, a product key or an order line is missing.
 */
#define ESALES_BAD_REQUEST -10

/**
 * The service could not validate the customer key of a signed-in visitor (403).
 */
#define ESALES_FORBIDDEN -11

/**
 * The service gave another final answer, such as a 404 or a redirect.
 */
#define ESALES_REJECTED -12

/**
 * It is not known whether the payment arrived; the service would count it twice if it were sent again.
 */
#define ESALES_MAY_HAVE_ARRIVED -13

/* The same notification may succeed later, with the same id. */

/**
 * The service is unavailable or busy (5xx).
 */
#define ESALES_SERVER_ERROR -20

/**
 * The service asks to come back later (429 or 425).
 */
#define ESALES_THROTTLED -21

/**
 * There was no answer within the time-out, or the answer was 408; the notification may have arrived.
 */
#define ESALES_TIMEOUT -22

/**
 * The host name was not found, or no connection could be made.
 */
#define ESALES_CONNECT_FAILED -23

/**
 * The TLS handshake failed, or the certificate was refused.
 */
#define ESALES_TLS_FAILED -24

/**
 * The connection broke before the answer was complete; the notification may have arrived.
 */
#define ESALES_CONNECTION_LOST -25

/**
 * The answer is not HTTP that could be understood; the notification may have arrived.
 */
#define ESALES_BAD_RESPONSE -26

/* The queue did not accept the notification, or gave it up, or does not know it. */

/**
 * The queue is full; the notification was not accepted.
 */
#define ESALES_QUEUE_FULL -30

/**
 * The spool could not be read or written; a notification was not accepted.
 */
#define ESALES_SPOOL_FAILED -31

/**
 * The notification was not delivered within max_age_s; it is no longer tried.
 */
#define ESALES_EXPIRED -32

/**
 * The notification was dropped from the queue: to make room, or by an operator.
 */
#define ESALES_DROPPED -33

/**
 * Nothing is known of the id: it was never accepted here, or its receipt was discarded.
 */
#define ESALES_UNKNOWN_ID -34

/* There is a defect in the library. */

/**
 * There is a defect in the library; what the call did is not known.
 */
#define ESALES_INTERNAL -90

/* The kinds of notification. */

/**
 * The visitor added a product to the cart that the service had shown.
 */
#define ESALES_ADD_TO_CART 1

/**
 * The visitor clicked a product that the service had shown.
 */
#define ESALES_CLICK 2

/**
 * The visitor clicked a product that the service had not shown, so that there is no ticket for it.
 */
#define ESALES_NON_ESALES_CLICK 3

/**
 * The visitor added a product to the cart that the service had not shown, so that there is no ticket for it.
 */
#define ESALES_NON_ESALES_ADD_TO_CART 4

/**
 * The visitor paid for an order. Not every cluster accepts payments that are not signed.
 */
#define ESALES_PAYMENT 5

/**
 * The visitor paid for an order. The shop's private key signs the notification, and its lines may have costs.
 */
#define ESALES_SECURE_PAYMENT 6

/**
 * The visitor signed out: the session ends.
 */
#define ESALES_END 7

/** Begin every esales_visitor with this: it sets struct_size and clears the rest. */
#define ESALES_VISITOR_INIT { (uint32_t)sizeof(esales_visitor), NULL, NULL, NULL, NULL }
/** Begin every esales_line with this: it sets struct_size and clears the rest. */
#define ESALES_LINE_INIT { (uint32_t)sizeof(esales_line), 0, NULL, NULL, NULL, NULL }
/** Begin every esales_notification with this: it sets struct_size and clears the rest. */
#define ESALES_NOTIFICATION_INIT { (uint32_t)sizeof(esales_notification), 0, NULL, NULL, NULL, NULL, NULL, 0, NULL }
/** Begin every esales_receipt with this: it sets struct_size and clears the rest. Until a call has written it,
    it does not say that anything was delivered. */
#define ESALES_RECEIPT_INIT { (uint32_t)sizeof(esales_receipt), ESALES_INTERNAL, 0, 0, 0, { 0 }, { 0 } }
/** Begin every esales_stats with this: it sets struct_size and clears the rest. */
#define ESALES_STATS_INIT { (uint32_t)sizeof(esales_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }


/**
 * No messages.
 */
#define ESALES_LOG_OFF 0

/**
 * Events may be lost, or were: an operator must act.
 */
#define ESALES_LOG_ERROR 1

/**
 * Something to look at: a dead letter, an outage, expired or dropped events.
 */
#define ESALES_LOG_WARN 2

/**
 * Turns in the delivery: the service is back.
 */
#define ESALES_LOG_INFO 3

/**
 * Every attempt.
 */
#define ESALES_LOG_DEBUG 4

/**
 * Sends notifications. May be used from any number of threads at once, and after a fork in the parent and in the
 * child. Cheap: clients that lead to the same place share their connections and their queue, process-wide.
 */
typedef struct esales_client esales_client;

/**
 * Options for clients: name and value strings, see the option table. May be used from any number of threads.
 */
typedef struct esales_config esales_config;

/**
 * What esales_log_to calls: level is one of ESALES_LOG_ERROR to ESALES_LOG_DEBUG, message is UTF-8, valid during
 * the call.
 */
typedef void (*esales_log_callback)(void *user_data, int32_t level, const char *message);

/**
 * Who added the product to the cart. Begin with ESALES_VISITOR_INIT. The strings are borrowed for the call and
 * sent as they are; none may be empty or hold a control character.
 */
typedef struct esales_visitor {
  /**
   * sizeof(esales_visitor), set by ESALES_VISITOR_INIT.
   */
  uint32_t struct_size;
  /**
   * Storefront market, at most 128 bytes. NULL: the client's option "market".
   */
  const char *market;
  /**
   * Who the visitor is, at most 256 bytes. Anonymous: a UUID that the shop made and keeps (esales_new_key).
   * Signed in: esales_customer_key of the visitor's id.
   */
  const char *customer_key;
  /**
   * A UUID for the visit, at most 256 bytes.
   */
  const char *session_key;
  /**
   * Signed in: esales_customer_token, at most 256 bytes. NULL: an anonymous visitor.
   */
  const char *token;
} esales_visitor;

/**
 * One line of an order. Begin with ESALES_LINE_INIT. The strings are borrowed for the call. Prices are decimal numbers as
 * text, such as "199.50": digits, and a point with digits behind it where there are decimals, at most 32 characters. They
 * are sent exactly as given.
 */
typedef struct esales_line {
  /**
   * sizeof(esales_line), set by ESALES_LINE_INIT. The lines of one order have the same.
   */
  uint32_t struct_size;
  /**
   * How many were bought, 1 to 2147483647.
   */
  uint32_t quantity;
  /**
   * The shop's key of the product, at most 256 bytes. NULL: variant_key is given.
   */
  const char *product_key;
  /**
   * The shop's key of the variant, at most 256 bytes. NULL: product_key is given.
   */
  const char *variant_key;
  /**
   * What one of them was sold for.
   */
  const char *selling_price;
  /**
   * What one of them cost the shop: more than 0 and less than selling_price; only in ESALES_SECURE_PAYMENT. NULL: not
   * known.
   */
  const char *cost;
} esales_line;

/**
 * What happened. Begin with ESALES_NOTIFICATION_INIT, and set kind and its members; a member of another kind is refused.
 * The strings are borrowed for the call and sent as they are; none may be empty or hold a control character.
 */
typedef struct esales_notification {
  /**
   * sizeof(esales_notification), set by ESALES_NOTIFICATION_INIT.
   */
  uint32_t struct_size;
  /**
   * One of the kinds above, such as ESALES_CLICK.
   */
  int32_t kind;
  /**
   * Names this one event, at most 128 bytes; NULL: a new UUID. It is the same in every attempt. To send the same event
   * again, pass the id of the receipt. The service gets it with clicks and carts only.
   */
  const char *id;
  /**
   * Clicks and carts: the service's own opaque string, at most 8192 bytes. Refused if it has a control character: the
   * service's tickets have none, so it was altered on its way.
   */
  const char *ticket;
  /**
   * Non-eSales clicks and carts: the shop's key of the product, at most 256 bytes. NULL: variant_key is given; the
   * service may refuse that.
   */
  const char *product_key;
  /**
   * Non-eSales clicks and carts: the shop's key of the variant, at most 256 bytes. NULL: none.
   */
  const char *variant_key;
  /**
   * Payments: the lines of the order.
   */
  const struct esales_line *lines;
  /**
   * Their number, at most 10,000.
   */
  size_t line_count;
  /**
   * Secure payments: the shop's private key, at most 4096 bytes. It signs the payment during the call and is never kept.
   */
  const char *private_key;
} esales_notification;

/**
 * What became of a notification. Begin with ESALES_RECEIPT_INIT; owned by the caller, nothing to free. Written
 * also when the call fails, except when struct_size is wrong; then esales_last_error has the whole detail.
 */
typedef struct esales_receipt {
  /**
   * sizeof(esales_receipt), set by ESALES_RECEIPT_INIT.
   */
  uint32_t struct_size;
  /**
   * What became of it: a status code. It is the code that the function returned, if it sends or enqueues.
   */
  int32_t status;
  /**
   * HTTP status of the last attempt's answer; 0: it got none.
   */
  int32_t http_status;
  /**
   * How many attempts were started; 0: nothing was sent.
   */
  uint32_t attempts;
  /**
   * Duration of the call in microseconds. If it comes from the queue: from acceptance to the outcome, or to now.
   */
  uint64_t elapsed_us;
  /**
   * The id that was sent, the same in every attempt; empty if the arguments were refused. To send the same event again,
   * pass it as the id.
   */
  char id[129];
  /**
   * What happened, for a person: UTF-8, at most 255 bytes. A longer text is cut, and then ends with "...".
   */
  char detail[256];
} esales_receipt;

/**
 * The queue in numbers. Begin with ESALES_STATS_INIT; owned by the caller, nothing to free. At every moment
 * accepted = delivered + dead + expired + dropped + pending, and the same for what begins with process_.
 */
typedef struct esales_stats {
  /**
   * sizeof(esales_stats), set by ESALES_STATS_INIT.
   */
  uint32_t struct_size;
  /**
   * Deliveries in a row that failed; 0: deliveries are not backing off.
   */
  uint32_t gate_failures;
  /**
   * How long until the next delivery is tried, in milliseconds; 0: deliveries are not backing off, or it is due.
   */
  uint64_t gate_closed_ms;
  /**
   * Notifications that the queue accepted, from all processes, since the spool was made.
   */
  uint64_t accepted;
  /**
   * Of these: answered 2xx.
   */
  uint64_t delivered;
  /**
   * Of these: refused for good by the service (400, 403, ...), or payments that may have arrived. The spool keeps them
   * as dead letters.
   */
  uint64_t dead;
  /**
   * Of these: not delivered within max_age_s.
   */
  uint64_t expired;
  /**
   * Of these: dropped, to make room (overflow, max_dead), by an operator, or because a file was deleted or damaged.
   */
  uint64_t dropped;
  /**
   * Of these: still to be delivered.
   */
  uint64_t pending;
  /**
   * Bytes of the pending notifications, which are JSON.
   */
  uint64_t pending_bytes;
  /**
   * How long the oldest pending notification has been waiting, in milliseconds; 0: none is pending.
   */
  uint64_t oldest_age_ms;
  /**
   * Notifications that this process accepted through clients with the options of this one: they share a queue.
   */
  uint64_t process_accepted;
  /**
   * Of these: answered 2xx, whichever process delivered them.
   */
  uint64_t process_delivered;
  /**
   * Of these: refused for good by the service, or payments that may have arrived.
   */
  uint64_t process_dead;
  /**
   * Of these: not delivered within max_age_s.
   */
  uint64_t process_expired;
  /**
   * Of these: dropped.
   */
  uint64_t process_dropped;
  /**
   * Of these: still to be delivered.
   */
  uint64_t process_pending;
  /**
   * Calls of the same clients that ended with ESALES_QUEUE_FULL or ESALES_SPOOL_FAILED; not among the accepted.
   */
  uint64_t process_refused;
  /**
   * From acceptance to the service's answer, in milliseconds: median of the last 1000 delivered.
   */
  uint64_t age_p50_ms;
  /**
   * 95th percentile.
   */
  uint64_t age_p95_ms;
  /**
   * 99th percentile.
   */
  uint64_t age_p99_ms;
  /**
   * Duration of the attempt that delivered, in microseconds: median of the last 1000 delivered.
   */
  uint64_t latency_p50_us;
  /**
   * 95th percentile.
   */
  uint64_t latency_p95_us;
  /**
   * 99th percentile.
   */
  uint64_t latency_p99_us;
} esales_stats;

/**
 * What esales_client_on_delivery calls: with what became of one notification. The receipt is valid during the call.
 */
typedef void (*esales_delivery_callback)(void *user_data, const struct esales_receipt *receipt);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes a client. Nothing is sent, no file is written, no thread is started.
 *
 * The environment is read here and nowhere else: ESALES_* if config is NULL, the proxy variables if the options
 * proxy or no_proxy are not set. As with getenv, no other thread may change it (setenv) at the same time.
 *
 * @param config  its options, copied; NULL: the options are read from ESALES_* environment variables.
 * @param out     receives the handle; free it with esales_client_free.
 * @return 0, ESALES_INVALID_ARGUMENT, ESALES_INVALID_CONFIG if options are missing or contradict one another, if
 *         ca_file cannot be used or if spool is not an absolute path, or ESALES_SPOOL_FAILED if the place of the spool
 *         cannot be used.
 */
int32_t esales_client_new(const struct esales_config *config,
                          struct esales_client **out);

/**
 * Frees a client; NULL is fine. No other thread may be using it. Its connections stay warm for other clients, for the
 * time that keep_alive_s says, and the process keeps delivering what is in the queue (esales_stop_delivery ends that).
 *
 * Returns at once, with one exception: if the client's delivery callback is running on another thread, the call waits
 * until the callback has ended.
 *
 * @param client  the handle, or NULL.
 */
void esales_client_free(struct esales_client *client);

/**
 * Makes an empty configuration; the environment is not read.
 *
 * @param out  receives the handle; free it with esales_config_free.
 * @return 0, or ESALES_INVALID_ARGUMENT.
 */
int32_t esales_config_new(struct esales_config **out);

/**
 * Sets one option; a later value replaces an earlier one. On failure the configuration is unchanged.
 *
 * @param config  from esales_config_new.
 * @param name    the option, such as "timeout_ms".
 * @param value   its value as text, such as "500"; flags are "true" or "false".
 * @return 0, ESALES_INVALID_ARGUMENT, or ESALES_INVALID_CONFIG for an unknown name (esales_last_error suggests the
 *         nearest one) or a value out of range.
 */
int32_t esales_config_set(struct esales_config *config,
                          const char *name,
                          const char *value);

/**
 * Frees a configuration; NULL is fine. Clients made from it are not affected.
 *
 * @param config  the handle, or NULL.
 */
void esales_config_free(struct esales_config *config);

/**
 * The customer key of a signed-in visitor: SHA-256 of the visitor's id in the shop, as 64 lower-case hex digits.
 *
 * @param customer_id  1 to 4096 bytes, no control character.
 * @param out          receives 64 digits and a NUL.
 * @return 0 or ESALES_INVALID_ARGUMENT.
 *
 */
int32_t esales_customer_key(const char *customer_id,
                            char out[65]);

/**
 * The token of a signed-in visitor: HMAC-SHA256 of the customer key under the shop's private key, as 64 lower-case
 * hex digits.
 *
 * @param private_key   from the vendor, 1 to 4096 bytes, no control character (mind a file's final line break).
 * @param customer_key  from esales_customer_key.
 * @param out           receives 64 digits and a NUL.
 * @return 0 or ESALES_INVALID_ARGUMENT.
 *
 */
int32_t esales_customer_token(const char *private_key,
                              const char *customer_key,
                              char out[65]);

/**
 * A new random key (UUID version 4): for anonymous customer keys, session keys and ids.
 *
 * @param out  receives 36 characters and a NUL.
 * @return 0, ESALES_INVALID_ARGUMENT, or ESALES_INTERNAL if the system gives no random bytes.
 *
 */
int32_t esales_new_key(char out[37]);

/**
 * Says where the library's messages go, for the whole process. Keys, tokens and tickets never appear in them.
 *
 * @param callback   runs on any thread, the library's own among them, with no lock held: it may use the library. What
 *                   the library would have to say of such a call, on the same thread, is not said. NULL: the last 256
 *                   messages are kept for esales_log_next. When this returns, an earlier callback has ended, except
 *                   when it is called from within it. A forked child goes on with it, unless another thread was just
 *                   calling this function.
 * @param user_data  handed to the callback as it is.
 * @param level      the most verbose level that is wanted, ESALES_LOG_OFF to ESALES_LOG_DEBUG. Off, which it is to
 *                   begin with: nothing is called or kept.
 * @return 0 or ESALES_INVALID_ARGUMENT.
 */
int32_t esales_log_to(esales_log_callback callback,
                      void *user_data,
                      int32_t level);

/**
 * Takes the oldest message that was kept because esales_log_to was given no callback.
 *
 * @param timeout_ms  how long to wait for one, in milliseconds; 0: not at all.
 * @param level       receives its level.
 * @param message     receives at most 511 bytes and a NUL, UTF-8. What does not fit is cut between two characters, and
 *                    then ends with "...".
 * @return 1, 0 if there is none, or ESALES_INVALID_ARGUMENT.
 *
 */
int32_t esales_log_next(uint32_t timeout_ms,
                        int32_t *level,
                        char message[512]);

/**
 * Sends a notification, and waits for the answer. Blocks for at most the option timeout_ms, whatever the network does.
 *
 * A payment is sent again only if it is certain that the service did not process it, for the service would count it twice
 * (option payment_repeat). ESALES_END waits for older notifications in the client's queue, for at most half of timeout_ms.
 *
 * @param client        from esales_client_new.
 * @param visitor       who did it.
 * @param notification  what happened.
 * @param receipt       receives what became of it; may be NULL.
 * @return ESALES_DELIVERED, with on_failure=queue ESALES_QUEUED, or an error. After ESALES_TIMEOUT,
 *         ESALES_CONNECTION_LOST, ESALES_BAD_RESPONSE and ESALES_SERVER_ERROR the event may have arrived all the same:
 *         send it again with the same id. For a payment these are ESALES_MAY_HAVE_ARRIVED: do not send it again.
 */
int32_t esales_notify(const struct esales_client *client,
                      const struct esales_visitor *visitor,
                      const struct esales_notification *notification,
                      struct esales_receipt *receipt);

/**
 * Accepts a notification into the queue and returns at once; it is delivered later, by a thread of this process or by
 * another process (option delivery). The arguments are those of esales_notify, checked as there. Never waits on the
 * network; on the disk and other processes at most enqueue_timeout_ms.
 *
 * @param client        from esales_client_new.
 * @param visitor       who did it.
 * @param notification  what happened.
 * @param receipt       receives ESALES_QUEUED and the id, or why it was not accepted; may be NULL.
 * @return ESALES_QUEUED, ESALES_INVALID_ARGUMENT, ESALES_QUEUE_FULL or ESALES_SPOOL_FAILED. What it returned
 *         ESALES_QUEUED for is delivered at least once, always with the same bytes, or counted as dead, expired or
 *         dropped. A payment that may have arrived becomes a dead letter, which an operator may retry.
 */
int32_t esales_enqueue(const struct esales_client *client,
                       const struct esales_visitor *visitor,
                       const struct esales_notification *notification,
                       struct esales_receipt *receipt);

/**
 * esales_notify of the commonest kind: the visitor added the product behind the ticket to the cart.
 *
 * @param client   from esales_client_new.
 * @param visitor  who added the product.
 * @param ticket   the service's own opaque string, at most 8192 bytes, sent as it is. Refused if it has a control
 *                 character: the service's tickets have none, so it was altered on its way.
 * @param id       names this one event, at most 128 bytes; NULL: a new UUID. It is the same in every attempt. To send
 *                 the same event again, pass the id of the receipt.
 * @param receipt  receives what became of it; may be NULL.
 * @return As esales_notify.
 */
int32_t esales_notify_add_to_cart(const struct esales_client *client,
                                  const struct esales_visitor *visitor,
                                  const char *ticket,
                                  const char *id,
                                  struct esales_receipt *receipt);

/**
 * esales_enqueue of the commonest kind: the visitor added the product behind the ticket to the cart.
 *
 * @param client   from esales_client_new.
 * @param visitor  who added the product.
 * @param ticket   as for esales_notify_add_to_cart.
 * @param id       as for esales_notify_add_to_cart.
 * @param receipt  receives ESALES_QUEUED and the id, or why it was not accepted; may be NULL.
 * @return As esales_enqueue.
 */
int32_t esales_enqueue_add_to_cart(const struct esales_client *client,
                                   const struct esales_visitor *visitor,
                                   const char *ticket,
                                   const char *id,
                                   struct esales_receipt *receipt);

/**
 * Waits until everything that was accepted before the call has left the queue, for at most timeout_ms. What is
 * left then stays in the queue. ESALES_TIMEOUT is also returned if the spool stayed busy for so long.
 *
 * @param client      from esales_client_new.
 * @param timeout_ms  how long to wait, in milliseconds; 0: not at all.
 * @param stats       receives the numbers afterwards, also with ESALES_TIMEOUT; may be NULL. They are asked for within
 *                    timeout_ms too; if the spool cannot tell by then, all of it stays as it was.
 * @return 0, ESALES_TIMEOUT, ESALES_INVALID_ARGUMENT or ESALES_SPOOL_FAILED.
 */
int32_t esales_client_flush(const struct esales_client *client,
                            uint32_t timeout_ms,
                            struct esales_stats *stats);

/**
 * Ends this process's part in the delivery of the client's queue, for good: the process takes nothing more out of the
 * queue, and the call waits until requests in flight are recorded. For a program that is about to end: a request that
 * is in flight when the process ends is sent again later, under the same id. esales_stop_delivery does it for every
 * spool of the process.
 *
 * Clients that share the queue, also later ones, do not deliver either. What is left stays in the queue, and enqueues
 * keep working. Another process delivers a spool from then on, if one is on standby or starts later. In a forked child
 * the delivery is not stopped.
 *
 * @param client      from esales_client_new.
 * @param timeout_ms  how long to wait for requests in flight, in milliseconds; 0: not at all.
 * @return 0, ESALES_INVALID_ARGUMENT, ESALES_INVALID_CONFIG, or ESALES_TIMEOUT if requests were still in flight after
 *         timeout_ms: the delivery has ended all the same, and these notifications are sent once more later.
 */
int32_t esales_client_stop_delivery(const struct esales_client *client,
                                    uint32_t timeout_ms);

/**
 * Ends this process's part in the delivery of every spool, as esales_client_stop_delivery does for one queue, also of
 * spools whose clients have been freed. To be called once, when the program ends. Queues in memory are left alone, for
 * what is in them ends with the process: call esales_client_flush before.
 *
 * @param timeout_ms  how long to wait for requests in flight, in milliseconds; 0: not at all.
 * @return 0, or ESALES_TIMEOUT as from esales_client_stop_delivery.
 */
int32_t esales_stop_delivery(uint32_t timeout_ms);

/**
 * The queue in numbers.
 *
 * @param client  from esales_client_new.
 * @param stats   receives the numbers.
 * @return 0, ESALES_INVALID_ARGUMENT, or ESALES_SPOOL_FAILED if the spool cannot be read within enqueue_timeout_ms.
 */
int32_t esales_client_stats(const struct esales_client *client,
                            struct esales_stats *stats);

/**
 * What became of a notification that went into the queue.
 *
 * @param client   from esales_client_new.
 * @param id       the id of its receipt when it was accepted.
 * @param receipt  its status is ESALES_QUEUED while the notification waits, ESALES_DELIVERED, the code that it became a
 *                 dead letter with, ESALES_EXPIRED or ESALES_DROPPED; elapsed_us counts from acceptance.
 * @return 0, ESALES_UNKNOWN_ID if nothing is known of the id (never accepted here, or completed longer ago than
 *         receipt_retention_s), ESALES_INVALID_ARGUMENT, or ESALES_SPOOL_FAILED if the spool cannot be read within
 *         enqueue_timeout_ms. The receipt has the same code, and its detail the reason.
 */
int32_t esales_client_receipt(const struct esales_client *client,
                              const char *id,
                              struct esales_receipt *receipt);

/**
 * Takes the oldest notification that this process's delivery has settled (delivered, dead, expired) and this function
 * has not yet told of. For hosts that a thread of the library cannot call back.
 *
 * They are kept from the first call on, at most 1024 (esales_client_receipt knows of older ones), until
 * esales_client_on_delivery is called with NULL, or the client is freed. In a forked child, from its first call on.
 *
 * @param client      from esales_client_new.
 * @param timeout_ms  how long to wait for one, in milliseconds; 0: not at all.
 * @param receipt     receives what became of it; its status is ESALES_TIMEOUT if there is none.
 * @return 1, 0 if there is none, ESALES_INVALID_ARGUMENT or ESALES_INVALID_CONFIG.
 */
int32_t esales_client_delivery_next(const struct esales_client *client,
                                    uint32_t timeout_ms,
                                    struct esales_receipt *receipt);

/**
 * Calls back, on a thread of the library, for every notification that this process's delivery settles (delivered,
 * dead, expired), after it is recorded. No lock is held: the callback may use the library. A child that it forks is to
 * call exec or _exit; coming back from the callback ends the child.
 *
 * @param client     from esales_client_new.
 * @param callback   replaces an earlier one; NULL ends it. When this, or esales_client_free, returns, an earlier
 *                   callback has ended, except when it is called from within it.
 * @param user_data  handed to the callback as it is.
 * @return 0, ESALES_INVALID_ARGUMENT or ESALES_INVALID_CONFIG. After a fork, set it again in the child.
 */
int32_t esales_client_on_delivery(const struct esales_client *client,
                                  esales_delivery_callback callback,
                                  void *user_data);

/**
 * The name of a code, such as "ESALES_TIMEOUT"; "ESALES_UNKNOWN" for a number that is none. Static.
 *
 * @param status  an ESALES_* code.
 */
const char *esales_status_name(int32_t status);

/**
 * What a code means, in one sentence. Static.
 *
 * @param status  an ESALES_* code.
 */
const char *esales_status_text(int32_t status);

/**
 * This thread's last failure, in words that name the argument or option; "" if there was none. Success does not
 * clear it. Valid until this thread's next failing call.
 */
const char *esales_last_error(void);

/**
 * The library's version, such as "0.1.0"; compare with ESALES_VERSION of the header. Static.
 */
const char *esales_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ESALES_NOTIFY_H */
