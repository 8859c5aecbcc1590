/**
 * @file
 * esales-notify: sends a shop's clicks, carts, payments and ends of sessions to the Elevate 3 commerce
 * search service. Generated from the Rust source by cbindgen; do not edit.
 *
 * Rules
 *
 * 1.  Names. Functions and types begin with esales_, macros with ESALES_. Nothing else is exported.
 * 2.  Results. A function that can fail returns int32_t: 0 or more is success, less than 0 is an
 *     error code from the list below. The codes are frozen: they are never renumbered or reused.
 *     esales_last_error() returns the message of a failure.
 * 3.  Out-parameters are written only on success. A receipt is also written on failure.
 * 4.  Strings passed in are UTF-8 and NUL-terminated, and are borrowed for the call. Strings passed
 *     out are static, or are copied into the caller's memory. The caller frees only handles.
 * 5.  Invalid arguments. A call returns ESALES_INVALID_ARGUMENT for NULL where it is not allowed,
 *     for invalid UTF-8 and for a wrong struct_size. The message names the argument, and nothing is
 *     sent. Freeing NULL is allowed.
 * 6.  Threads. Any number of threads may use a handle at once. While a handle is freed, no other
 *     thread may use it. No function is async-signal-safe: a signal handler must not call any of
 *     them.
 * 7.  fork. A client works in the parent and in the child. The child opens its own connections and
 *     does not use the parent's. If the process forks while one of its threads looks up a host name,
 *     locks of glibc may stay locked in the child. Calls of the child that need an address then end
 *     with ESALES_TIMEOUT.
 * 8.  Time. A call that sends returns within the option timeout_ms, whatever the network does. A
 *     call that enqueues never waits for the network; it waits for other processes and for an fsync
 *     for at most enqueue_timeout_ms. Opening, reading and writing a spool file have no time limit:
 *     if the file system hangs, the call hangs too.
 * 9.  Panics do not reach the caller. A call in which the library panics returns ESALES_INTERNAL.
 * 10. Loading the library starts no thread, opens no file or socket, reads no environment variable
 *     and installs no signal handler. The library stays loaded: dlclose is safe at any time.
 * 11. Callbacks. A callback may run on any thread, and the library holds no lock while it runs. Its
 *     arguments are valid during the call. It is unregistered by setting another callback or NULL,
 *     or by freeing the client; after that it never runs. Unregistering a callback waits until the
 *     callback has ended, unless the callback unregisters itself. Two callbacks that unregister
 *     each other at the same time therefore wait for ever. The library's threads that run callbacks
 *     block all signals. Their stack has 8 MiB, and room for the host's thread-local data. A
 *     callback must return: if a C++ exception or pthread_exit leaves it, the process is aborted
 *     (SIGABRT), and if longjmp leaves it, the behaviour is undefined.
 * 12. Struct sizes. Later versions add members only at the end of a struct. In struct_size the
 *     caller passes the size with which it was compiled. A size that no version had is refused. A
 *     struct need not be aligned.
 * 13. Memory. If no memory is left, calls that would send or enqueue return ESALES_INTERNAL, and
 *     the library completes work in progress from a reserve of 4 MiB. A failed allocation ends the
 *     process only if the reserve is used up.
 * 14. Signals. The library has no signal handlers, and its threads block all signals, so the host's
 *     handlers run on the host's threads. Exception: if the host has no thread left, because its
 *     main thread has called pthread_exit, one thread of the library unblocks all signals.
 */

#ifndef ESALES_NOTIFY_H
#define ESALES_NOTIFY_H

#include <stddef.h>
#include <stdint.h>

/** The version of this header. esales_version() returns the version of the library. */
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
 * The service could not validate a signed-in visitor or a payment (403).
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
 * The service asks the client to try again later (429 or 425).
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
 * The answer is not valid HTTP; the notification may have arrived.
 */
#define ESALES_BAD_RESPONSE -26

/* The queue did not accept the notification, gave up on it, or does not know its id. */

/**
 * The queue is full; the notification was not accepted.
 */
#define ESALES_QUEUE_FULL -30

/**
 * The spool could not be read or written. If the call was to enqueue, the notification was not accepted.
 */
#define ESALES_SPOOL_FAILED -31

/**
 * The notification was not delivered within max_age_s; its delivery is no longer tried.
 */
#define ESALES_EXPIRED -32

/**
 * The notification was dropped from the queue: to make room, or by an operator.
 */
#define ESALES_DROPPED -33

/**
 * The id is unknown: it was never accepted here, or its receipt was discarded.
 */
#define ESALES_UNKNOWN_ID -34

/* The library has a defect. */

/**
 * The library has a defect; it is not known whether the call had an effect.
 */
#define ESALES_INTERNAL -90

/* The kinds of notification. */

/**
 * The visitor added to the cart a product that the service had returned.
 */
#define ESALES_ADD_TO_CART 1

/**
 * The visitor clicked a product that the service had returned.
 */
#define ESALES_CLICK 2

/**
 * The visitor clicked a product that did not come from the service and has no ticket.
 */
#define ESALES_NON_ESALES_CLICK 3

/**
 * The visitor added to the cart a product that did not come from the service and has no ticket.
 */
#define ESALES_NON_ESALES_ADD_TO_CART 4

/**
 * The visitor paid for an order. Some clusters accept only signed payments.
 */
#define ESALES_PAYMENT 5

/**
 * The visitor paid for an order. The notification is signed with the shop's private key, and its lines may have costs.
 */
#define ESALES_SECURE_PAYMENT 6

/**
 * The visitor signed out: the session ends.
 */
#define ESALES_END 7

/** Initialises an esales_visitor: sets struct_size and clears the other members. */
#define ESALES_VISITOR_INIT { (uint32_t)sizeof(esales_visitor), NULL, NULL, NULL, NULL }
/** Initialises an esales_line: sets struct_size and clears the other members. */
#define ESALES_LINE_INIT { (uint32_t)sizeof(esales_line), 0, NULL, NULL, NULL, NULL }
/** Initialises an esales_notification: sets struct_size and clears the other members. */
#define ESALES_NOTIFICATION_INIT { (uint32_t)sizeof(esales_notification), 0, NULL, NULL, NULL, NULL, NULL, 0, NULL }
/** Initialises an esales_receipt: sets struct_size and clears the other members. Its status is
    ESALES_INTERNAL until a call writes it. */
#define ESALES_RECEIPT_INIT { (uint32_t)sizeof(esales_receipt), ESALES_INTERNAL, 0, 0, 0, { 0 }, { 0 } }
/** Initialises an esales_stats: sets struct_size and clears the other members. */
#define ESALES_STATS_INIT { (uint32_t)sizeof(esales_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }


/**
 * No messages.
 */
#define ESALES_LOG_OFF 0

/**
 * Notifications were lost or may be lost: an operator must act.
 */
#define ESALES_LOG_ERROR 1

/**
 * A problem that an operator should look at: a dead letter, an outage, expired or dropped
 * notifications.
 */
#define ESALES_LOG_WARN 2

/**
 * Delivery started or stopped, or the service is available again.
 */
#define ESALES_LOG_INFO 3

/**
 * Every attempt.
 */
#define ESALES_LOG_DEBUG 4

/**
 * A client sends notifications. Any number of threads may use it at once, and after a fork the
 * parent and the child may both use it. Clients are cheap: in one process, clients that have the
 * same endpoint settings share their connections, and clients that have the same options share
 * their queue.
 */
typedef struct esales_client esales_client;

/**
 * The options of a client: pairs of a name and a value, both text. The names are in the option
 * table (esales-notify options). Any number of threads may use it at once.
 */
typedef struct esales_config esales_config;

/**
 * The callback of esales_log_to. level is one of ESALES_LOG_ERROR to ESALES_LOG_DEBUG. message is
 * UTF-8 and valid during the call.
 */
typedef void (*esales_log_callback)(void *user_data, int32_t level, const char *message);

/**
 * The visitor who caused the event. Begin with ESALES_VISITOR_INIT. The strings are borrowed for
 * the call and sent unchanged. None of them may be empty or contain a control character.
 */
typedef struct esales_visitor {
  /**
   * sizeof(esales_visitor), set by ESALES_VISITOR_INIT.
   */
  uint32_t struct_size;
  /**
   * Storefront market, at most 128 bytes. NULL: the value of the client's option `market`.
   */
  const char *market;
  /**
   * Key of the visitor, at most 256 bytes. Anonymous visitor: a UUID that the shop makes with
   * esales_new_key and keeps. Signed-in visitor: esales_customer_key of the visitor's id.
   */
  const char *customer_key;
  /**
   * Key of the session (visit), a UUID, at most 256 bytes.
   */
  const char *session_key;
  /**
   * Signed-in visitor: the token from esales_customer_token, at most 256 bytes. NULL: the
   * visitor is anonymous.
   */
  const char *token;
} esales_visitor;

/**
 * One line of an order. Begin with ESALES_LINE_INIT. The strings are borrowed for the call. Prices
 * are decimal numbers as text, such as "199.50" or "10": digits, optionally followed by a point
 * and more digits, at most 32 characters. Prices are sent exactly as given.
 */
typedef struct esales_line {
  /**
   * sizeof(esales_line), set by ESALES_LINE_INIT. All lines of one order must have the same
   * size.
   */
  uint32_t struct_size;
  /**
   * Number of items bought, 1 to 2147483647.
   */
  uint32_t quantity;
  /**
   * The shop's key of the product, at most 256 bytes. May be NULL if variant_key is given.
   */
  const char *product_key;
  /**
   * The shop's key of the variant, at most 256 bytes. May be NULL if product_key is given.
   */
  const char *variant_key;
  /**
   * Selling price of one item.
   */
  const char *selling_price;
  /**
   * Cost of one item for the shop, more than 0 and less than selling_price. Only in an
   * ESALES_SECURE_PAYMENT. NULL: the cost is not known.
   */
  const char *cost;
} esales_line;

/**
 * What happened. Begin with ESALES_NOTIFICATION_INIT, then set kind and the members of that kind.
 * A member of another kind is refused. The strings are borrowed for the call and sent unchanged.
 * None of them may be empty or contain a control character.
 */
typedef struct esales_notification {
  /**
   * sizeof(esales_notification), set by ESALES_NOTIFICATION_INIT.
   */
  uint32_t struct_size;
  /**
   * The kind of notification, such as ESALES_CLICK.
   */
  int32_t kind;
  /**
   * Id of this one event, at most 128 bytes. NULL: a new UUID. All attempts send the same id. To
   * send the same event again, pass the id of its receipt. Only clicks and carts send the id to
   * the service.
   */
  const char *id;
  /**
   * Clicks and carts: the opaque string that the service returned with the product, at most 8192
   * bytes. A ticket with a control character is refused: it was damaged on its way.
   */
  const char *ticket;
  /**
   * Non-eSales clicks and carts: the shop's key of the product, at most 256 bytes. May be NULL
   * if variant_key is given, but the service may refuse such a notification.
   */
  const char *product_key;
  /**
   * Non-eSales clicks and carts: the shop's key of the variant, at most 256 bytes. May be NULL.
   */
  const char *variant_key;
  /**
   * Payments: an array with the lines of the order.
   */
  const struct esales_line *lines;
  /**
   * Payments: the number of lines, at most 10,000.
   */
  size_t line_count;
  /**
   * Secure payments: the shop's private key, at most 4096 bytes. The library signs the payment
   * with it during the call and does not keep it.
   */
  const char *private_key;
} esales_notification;

/**
 * The outcome of a notification. Begin with ESALES_RECEIPT_INIT. The caller owns it, and there is
 * nothing to free. It is also written if the call fails, unless struct_size is wrong. If detail is
 * cut, esales_last_error returns the whole message of a call that failed.
 */
typedef struct esales_receipt {
  /**
   * sizeof(esales_receipt), set by ESALES_RECEIPT_INIT.
   */
  uint32_t struct_size;
  /**
   * The outcome, as a status code. A function that sends or enqueues returns the same code.
   */
  int32_t status;
  /**
   * HTTP status of the answer to the last attempt. 0: the last attempt got no answer.
   */
  int32_t http_status;
  /**
   * How many attempts were started. 0: nothing was sent.
   */
  uint32_t attempts;
  /**
   * Duration of the call, in microseconds. In a receipt from the queue: the time from acceptance
   * to the outcome, or until now if the notification is pending.
   */
  uint64_t elapsed_us;
  /**
   * The id that was sent, which is the same in every attempt. Empty if the arguments were
   * refused. To send the same event again, pass this id.
   */
  char id[129];
  /**
   * A message for a person: UTF-8, at most 255 bytes. A longer message is cut and ends with
   * "...".
   */
  char detail[256];
} esales_receipt;

/**
 * The counters of a queue. Begin with ESALES_STATS_INIT. The caller owns it, and there is nothing
 * to free. At every moment accepted = delivered + dead + expired + dropped + pending. The same
 * holds for the members that begin with process_.
 */
typedef struct esales_stats {
  /**
   * sizeof(esales_stats), set by ESALES_STATS_INIT.
   */
  uint32_t struct_size;
  /**
   * Number of consecutive failed deliveries. 0: deliveries are not backing off.
   */
  uint32_t gate_failures;
  /**
   * Time until the next delivery is tried, in milliseconds. 0: deliveries are not backing off,
   * or the next one is due.
   */
  uint64_t gate_closed_ms;
  /**
   * Notifications that the queue has accepted from all processes since the spool was made.
   */
  uint64_t accepted;
  /**
   * Accepted notifications that the service received (2xx).
   */
  uint64_t delivered;
  /**
   * Accepted notifications that became dead letters: the service refused them for good (400,
   * 403, ...), or they are payments that may have arrived. The spool keeps dead letters for an
   * operator.
   */
  uint64_t dead;
  /**
   * Accepted notifications that were not delivered within max_age_s.
   */
  uint64_t expired;
  /**
   * Accepted notifications that were dropped: to make room (overflow, max_dead), by an operator,
   * or because a spool file was deleted or damaged.
   */
  uint64_t dropped;
  /**
   * Accepted notifications that are still to be delivered.
   */
  uint64_t pending;
  /**
   * Bytes of the pending notifications (their JSON).
   */
  uint64_t pending_bytes;
  /**
   * How long the oldest pending notification has been waiting, in milliseconds. 0: none is
   * pending.
   */
  uint64_t oldest_age_ms;
  /**
   * Notifications that this process accepted through clients that share this client's queue.
   */
  uint64_t process_accepted;
  /**
   * Notifications of process_accepted that the service received (2xx), delivered by any process.
   */
  uint64_t process_delivered;
  /**
   * Notifications of process_accepted that became dead letters.
   */
  uint64_t process_dead;
  /**
   * Notifications of process_accepted that were not delivered within max_age_s.
   */
  uint64_t process_expired;
  /**
   * Notifications of process_accepted that were dropped.
   */
  uint64_t process_dropped;
  /**
   * Notifications of process_accepted that are still to be delivered.
   */
  uint64_t process_pending;
  /**
   * Calls by the same clients that returned ESALES_QUEUE_FULL or ESALES_SPOOL_FAILED.
   * process_accepted does not include them.
   */
  uint64_t process_refused;
  /**
   * Time from acceptance to the service's answer, in milliseconds: median of the last 1000
   * delivered notifications.
   */
  uint64_t age_p50_ms;
  /**
   * The 95th percentile of that time.
   */
  uint64_t age_p95_ms;
  /**
   * The 99th percentile of that time.
   */
  uint64_t age_p99_ms;
  /**
   * Duration of the successful attempt, in microseconds: median of the last 1000 delivered
   * notifications.
   */
  uint64_t latency_p50_us;
  /**
   * The 95th percentile of that duration.
   */
  uint64_t latency_p95_us;
  /**
   * The 99th percentile of that duration.
   */
  uint64_t latency_p99_us;
  /**
   * Accepted notifications that the spool's engine has lost, because it restarted without its
   * data or because a replica without the newest notifications became the primary. The true
   * number may be greater. accepted does not include them. 0 for a spool in a directory or in
   * memory.
   */
  uint64_t lost;
} esales_stats;

/**
 * The callback of esales_client_on_delivery. The receipt reports the outcome of one notification;
 * it is valid during the call.
 */
typedef void (*esales_delivery_callback)(void *user_data, const struct esales_receipt *receipt);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes a client. This sends nothing, writes no file and starts no thread.
 *
 * Only this function reads the environment: the ESALES_* variables if config is NULL, and the
 * proxy variables if the options proxy or no_proxy are not set. As with getenv, no other thread
 * may change the environment (setenv) at the same time.
 *
 * @param config  the options, which are copied. NULL: the ESALES_* environment variables are the
 *                options.
 * @param out     receives the handle; free it with esales_client_free.
 * @return 0, or ESALES_INVALID_ARGUMENT. ESALES_INVALID_CONFIG if an option is missing or
 *         contradicts another, if ca_file cannot be used, or if spool is not an absolute path.
 *         ESALES_SPOOL_FAILED if the spool directory cannot be used.
 */
int32_t esales_client_new(const struct esales_config *config, struct esales_client **out);

/**
 * Frees a client. NULL is allowed. No other thread may be using the client. Its connections stay
 * open for other clients for keep_alive_s, and the process keeps delivering its queue until
 * esales_stop_delivery is called.
 *
 * The call returns at once, with one exception: if the client's delivery callback is running on
 * another thread, the call waits until the callback has ended.
 *
 * @param client  the handle, or NULL.
 */
void esales_client_free(struct esales_client *client);

/**
 * Makes an empty configuration. This does not read the environment.
 *
 * @param out  receives the handle; free it with esales_config_free.
 * @return 0 or ESALES_INVALID_ARGUMENT.
 */
int32_t esales_config_new(struct esales_config **out);

/**
 * Sets one option. A later value replaces an earlier one. On failure the configuration is
 * unchanged.
 *
 * @param config  from esales_config_new.
 * @param name    the name of the option, such as "timeout_ms".
 * @param value   the value as text, such as "500". Flags are "true" or "false".
 * @return 0, ESALES_INVALID_ARGUMENT, or ESALES_INVALID_CONFIG for a value out of range or an
 *         unknown name; for an unknown name, esales_last_error suggests the nearest one.
 */
int32_t esales_config_set(struct esales_config *config, const char *name, const char *value);

/**
 * Frees a configuration. NULL is allowed. Clients made from it are not affected.
 *
 * @param config  the handle, or NULL.
 */
void esales_config_free(struct esales_config *config);

/**
 * Returns the customer key of a signed-in visitor: the SHA-256 of the visitor's id in the shop, as
 * 64 lower-case hex digits.
 *
 * @param customer_id  1 to 4096 bytes without control characters.
 * @param out          receives 64 digits and a NUL.
 * @return 0 or ESALES_INVALID_ARGUMENT.
 *
 */
int32_t esales_customer_key(const char *customer_id, char out[65]);

/**
 * Returns the token of a signed-in visitor: the HMAC-SHA256 of the customer key under the shop's
 * private key, as 64 lower-case hex digits.
 *
 * @param private_key   the shop's private key, which the vendor issued: 1 to 4096 bytes without
 *                      control characters. A line break at the end of a key file is not part of
 *                      the key.
 * @param customer_key  from esales_customer_key.
 * @param out           receives 64 digits and a NUL.
 * @return 0 or ESALES_INVALID_ARGUMENT.
 *
 */
int32_t esales_customer_token(const char *private_key, const char *customer_key, char out[65]);

/**
 * Returns a new random key (UUID version 4) for an anonymous customer key, a session key or an id.
 *
 * @param out  receives 36 characters and a NUL.
 * @return 0, ESALES_INVALID_ARGUMENT, or ESALES_INTERNAL if the system provides no random bytes.
 *
 */
int32_t esales_new_key(char out[37]);

/**
 * Sets where the library's log messages go, for the whole process. The messages never contain
 * keys, tokens or tickets.
 *
 * @param callback   receives each message. It may run on any thread, including threads of the
 *                   library. No lock is held, so it may call functions of the library. Messages
 *                   about calls made within the callback are not logged. NULL: the last 256
 *                   messages are kept for esales_log_next. When this function returns, an earlier
 *                   callback has ended, unless the call was made from within it. A forked child
 *                   keeps the callback, unless the fork happened while another thread was in this
 *                   function.
 * @param user_data  passed to the callback unchanged.
 * @param level      the most verbose level that is logged, ESALES_LOG_OFF to ESALES_LOG_DEBUG. The
 *                   level is ESALES_LOG_OFF until this function is called: nothing is logged and
 *                   no message is kept.
 * @return 0 or ESALES_INVALID_ARGUMENT.
 */
int32_t esales_log_to(esales_log_callback callback, void *user_data, int32_t level);

/**
 * Returns the oldest kept message. Messages are kept while esales_log_to has a level and no
 * callback.
 *
 * @param timeout_ms  how long to wait for a message, in milliseconds. 0: do not wait.
 * @param level       receives the level of the message.
 * @param message     receives at most 511 bytes of UTF-8 and a NUL. A longer message is cut
 *                    between two characters and ends with "...".
 * @return 1 if a message was returned, 0 if there was none, or ESALES_INVALID_ARGUMENT.
 *
 */
int32_t esales_log_next(uint32_t timeout_ms, int32_t *level, char message[512]);

/**
 * Sends a notification and waits for the answer. The call returns within the option timeout_ms,
 * whatever the network does.
 *
 * The service would count a repeated payment twice. A payment is therefore sent again only if the
 * service certainly did not process it (option payment_repeat). ESALES_END first waits for older
 * notifications in the client's queue, for at most half of timeout_ms.
 *
 * @param client        from esales_client_new.
 * @param visitor       the visitor who caused the event.
 * @param notification  what happened.
 * @param receipt       receives the outcome. May be NULL.
 * @return ESALES_DELIVERED, ESALES_QUEUED (only with on_failure=queue) or an error. After
 *         ESALES_TIMEOUT, ESALES_CONNECTION_LOST, ESALES_BAD_RESPONSE or ESALES_SERVER_ERROR the
 *         notification may have arrived: send it again with the same id. A payment that may have
 *         arrived returns ESALES_MAY_HAVE_ARRIVED instead: do not send it again.
 */
int32_t esales_notify(const struct esales_client *client,
                      const struct esales_visitor *visitor,
                      const struct esales_notification *notification,
                      struct esales_receipt *receipt);

/**
 * Accepts a notification into the queue and returns. A thread of this process, or another process,
 * delivers it later (option delivery). The call never waits for the network; it waits for the disk
 * and for other processes for at most enqueue_timeout_ms.
 *
 * If the call returns ESALES_QUEUED, the notification is delivered at least once, always with the
 * same bytes, or it is counted as dead, expired or dropped. A payment that may have arrived
 * becomes a dead letter, which an operator may retry.
 *
 * @param client        from esales_client_new.
 * @param visitor       the visitor who caused the event, as for esales_notify.
 * @param notification  what happened, as for esales_notify.
 * @param receipt       receives ESALES_QUEUED and the id, or the reason for the failure. May be
 *                      NULL.
 * @return ESALES_QUEUED, ESALES_INVALID_ARGUMENT, ESALES_QUEUE_FULL or ESALES_SPOOL_FAILED.
 */
int32_t esales_enqueue(const struct esales_client *client,
                       const struct esales_visitor *visitor,
                       const struct esales_notification *notification,
                       struct esales_receipt *receipt);

/**
 * Sends the most common notification with esales_notify: the visitor added the ticket's product to
 * the cart.
 *
 * @param client   from esales_client_new.
 * @param visitor  the visitor who added the product.
 * @param ticket   the opaque string that the service returned with the product, at most 8192
 *                 bytes, sent unchanged. A ticket with a control character is refused: it was
 *                 damaged on its way.
 * @param id       id of this one event, at most 128 bytes. NULL: a new UUID. All attempts send the
 *                 same id. To send the same event again, pass the id of its receipt.
 * @param receipt  receives the outcome. May be NULL.
 * @return As esales_notify.
 */
int32_t esales_notify_add_to_cart(const struct esales_client *client,
                                  const struct esales_visitor *visitor,
                                  const char *ticket,
                                  const char *id,
                                  struct esales_receipt *receipt);

/**
 * Enqueues the most common notification with esales_enqueue: the visitor added the ticket's
 * product to the cart.
 *
 * @param client   from esales_client_new.
 * @param visitor  the visitor who added the product.
 * @param ticket   as for esales_notify_add_to_cart.
 * @param id       as for esales_notify_add_to_cart.
 * @param receipt  receives ESALES_QUEUED and the id, or the reason for the failure. May be NULL.
 * @return As esales_enqueue.
 */
int32_t esales_enqueue_add_to_cart(const struct esales_client *client,
                                   const struct esales_visitor *visitor,
                                   const char *ticket,
                                   const char *id,
                                   struct esales_receipt *receipt);

/**
 * Waits until all notifications that were accepted before the call have left the queue, and the
 * callbacks for those that this process delivered have ended, for at most timeout_ms. What has not
 * left by then stays in the queue. A call from within a callback does not wait for callbacks; any
 * other caller must not hold a lock that a callback needs.
 *
 * @param client      from esales_client_new.
 * @param timeout_ms  how long to wait, in milliseconds. 0: do not wait.
 * @param stats       receives the counters after the wait, also if the call returns
 *                    ESALES_TIMEOUT. May be NULL. If the spool cannot be read within timeout_ms,
 *                    the struct is left unchanged.
 * @return 0, ESALES_TIMEOUT, ESALES_INVALID_ARGUMENT or ESALES_SPOOL_FAILED. ESALES_TIMEOUT is
 *         also returned if the spool stayed busy. If stats->pending is 0 then, a callback
 *         had not ended.
 */
int32_t esales_client_flush(const struct esales_client *client,
                            uint32_t timeout_ms,
                            struct esales_stats *stats);

/**
 * Ends this process's delivery of the client's queue, for good. The process sends no further
 * notification from the queue, and the call waits until requests in flight are recorded. Call it
 * in a program that is about to end: a request that is in flight when the process ends is sent
 * again later, with the same id, and a payment becomes a dead letter instead.
 * esales_stop_delivery does this for every spool of the process.
 *
 * No other client of this process delivers the queue either, even if it is made later. Pending
 * notifications stay in the queue, and esales_enqueue keeps working. Another process delivers the
 * spool if one is on standby or starts later. In a forked child, delivery is not stopped.
 *
 * @param client      from esales_client_new.
 * @param timeout_ms  how long to wait for requests in flight, in milliseconds. 0: do not wait.
 * @return 0, ESALES_INVALID_ARGUMENT, ESALES_INVALID_CONFIG or ESALES_TIMEOUT. ESALES_TIMEOUT:
 *         delivery has ended, but requests were still in flight after timeout_ms; their
 *         notifications are sent again later, except payments, which become dead letters.
 */
int32_t esales_client_stop_delivery(const struct esales_client *client, uint32_t timeout_ms);

/**
 * Ends this process's delivery of every spool, as esales_client_stop_delivery does for one queue.
 * Spools whose clients have been freed are included. Call it once, when the program ends. Queues
 * in memory are not stopped, because they are lost with the process: call esales_client_flush
 * before.
 *
 * @param timeout_ms  how long to wait for requests in flight, in milliseconds. 0: do not wait.
 * @return 0, or ESALES_TIMEOUT as from esales_client_stop_delivery.
 */
int32_t esales_stop_delivery(uint32_t timeout_ms);

/**
 * Returns the counters of the client's queue.
 *
 * @param client  from esales_client_new.
 * @param stats   receives the counters.
 * @return 0, ESALES_INVALID_ARGUMENT, or ESALES_SPOOL_FAILED if the spool cannot be read within
 *         enqueue_timeout_ms.
 */
int32_t esales_client_stats(const struct esales_client *client, struct esales_stats *stats);

/**
 * Returns the receipt of a notification that was accepted into the queue.
 *
 * @param client   from esales_client_new.
 * @param id       the id in the receipt of esales_enqueue or esales_notify.
 * @param receipt  receives the state of the notification. Its status is ESALES_QUEUED while the
 *                 notification is pending, then ESALES_DELIVERED, ESALES_EXPIRED, ESALES_DROPPED,
 *                 or the code for which it became a dead letter. elapsed_us counts from
 *                 acceptance.
 * @return 0 if the receipt was found. ESALES_UNKNOWN_ID if it was not: the id was never accepted
 *         here, or the notification left the queue more than receipt_retention_s ago.
 *         ESALES_INVALID_ARGUMENT. ESALES_SPOOL_FAILED if the spool cannot be read within
 *         enqueue_timeout_ms. On failure the receipt has the same code, and its detail has the
 *         reason.
 */
int32_t esales_client_receipt(const struct esales_client *client,
                              const char *id,
                              struct esales_receipt *receipt);

/**
 * Returns the next outcome of this process's delivery: delivered, dead letter or expired. Outcomes
 * are returned oldest first, each once. The function is for hosts in which a thread of the library
 * cannot run a callback.
 *
 * The library collects outcomes from the first call on, at most the last 1024;
 * esales_client_receipt can find older ones. Collecting ends when esales_client_on_delivery is
 * called with NULL or the client is freed. A forked child collects only its own outcomes, from its
 * first call on.
 *
 * @param client      from esales_client_new.
 * @param timeout_ms  how long to wait for an outcome, in milliseconds. 0: do not wait.
 * @param receipt     receives the outcome. If there is none, its status is ESALES_TIMEOUT.
 * @return 1 if an outcome was returned, 0 if there was none, ESALES_INVALID_ARGUMENT or
 *         ESALES_INVALID_CONFIG.
 */
int32_t esales_client_delivery_next(const struct esales_client *client,
                                    uint32_t timeout_ms,
                                    struct esales_receipt *receipt);

/**
 * Sets a callback for the outcomes of this process's delivery. A thread of the library calls it
 * for every notification that was delivered, became a dead letter or expired, after the outcome is
 * recorded. The library holds no lock meanwhile, so the callback may call any function of the
 * library. If the callback forks, the child must call exec or _exit: a child that returns from the
 * callback is ended. A child that is forked elsewhere must set its callback again.
 *
 * @param client     from esales_client_new.
 * @param callback   replaces an earlier callback. NULL unregisters it. When this function or
 *                   esales_client_free returns, the earlier callback has ended, unless the call
 *                   was made from within it.
 * @param user_data  passed to the callback unchanged.
 * @return 0, ESALES_INVALID_ARGUMENT or ESALES_INVALID_CONFIG.
 */
int32_t esales_client_on_delivery(const struct esales_client *client,
                                  esales_delivery_callback callback,
                                  void *user_data);

/**
 * Returns the name of a code, such as "ESALES_TIMEOUT", or "ESALES_UNKNOWN" for an unknown number.
 * The string is static.
 *
 * @param status  an ESALES_* code.
 */
const char *esales_status_name(int32_t status);

/**
 * Returns the meaning of a code, in one sentence. The string is static.
 *
 * @param status  an ESALES_* code.
 */
const char *esales_status_text(int32_t status);

/**
 * Returns the message of this thread's last failure, which names the argument or option. "": no
 * call of this thread has failed. A successful call does not clear it. The string is valid until
 * this thread's next failing call.
 */
const char *esales_last_error(void);

/**
 * Returns the library's version, such as "0.1.0". Compare it with ESALES_VERSION of the header.
 * The string is static.
 */
const char *esales_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ESALES_NOTIFY_H */
