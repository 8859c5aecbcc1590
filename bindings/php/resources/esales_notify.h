#define FFI_SCOPE "esales_notify"
#define FFI_LIB "libesales_notify.so.0"
/* For PHP's FFI. Generated from the Rust source by cbindgen; do not edit. The documentation is in esales_notify.h. */


typedef struct esales_client esales_client;

typedef struct esales_config esales_config;

typedef void (*esales_log_callback)(void *user_data, int32_t level, const char *message);

typedef struct esales_visitor {
  uint32_t struct_size;
  const char *market;
  const char *customer_key;
  const char *session_key;
  const char *token;
} esales_visitor;

typedef struct esales_line {
  uint32_t struct_size;
  uint32_t quantity;
  const char *product_key;
  const char *variant_key;
  const char *selling_price;
  const char *cost;
} esales_line;

typedef struct esales_notification {
  uint32_t struct_size;
  int32_t kind;
  const char *id;
  const char *ticket;
  const char *product_key;
  const char *variant_key;
  const struct esales_line *lines;
  size_t line_count;
  const char *private_key;
} esales_notification;

typedef struct esales_receipt {
  uint32_t struct_size;
  int32_t status;
  int32_t http_status;
  uint32_t attempts;
  uint64_t elapsed_us;
  char id[129];
  char detail[256];
} esales_receipt;

typedef struct esales_stats {
  uint32_t struct_size;
  uint32_t gate_failures;
  uint64_t gate_closed_ms;
  uint64_t accepted;
  uint64_t delivered;
  uint64_t dead;
  uint64_t expired;
  uint64_t dropped;
  uint64_t pending;
  uint64_t pending_bytes;
  uint64_t oldest_age_ms;
  uint64_t process_accepted;
  uint64_t process_delivered;
  uint64_t process_dead;
  uint64_t process_expired;
  uint64_t process_dropped;
  uint64_t process_pending;
  uint64_t process_refused;
  uint64_t age_p50_ms;
  uint64_t age_p95_ms;
  uint64_t age_p99_ms;
  uint64_t latency_p50_us;
  uint64_t latency_p95_us;
  uint64_t latency_p99_us;
  uint64_t lost;
} esales_stats;

typedef void (*esales_delivery_callback)(void *user_data, const struct esales_receipt *receipt);

int32_t esales_client_new(const struct esales_config *config, struct esales_client **out);

void esales_client_free(struct esales_client *client);

int32_t esales_config_new(struct esales_config **out);

int32_t esales_config_set(struct esales_config *config, const char *name, const char *value);

void esales_config_free(struct esales_config *config);

int32_t esales_customer_key(const char *customer_id, char out[65]);

int32_t esales_customer_token(const char *private_key, const char *customer_key, char out[65]);

int32_t esales_new_key(char out[37]);

int32_t esales_log_to(esales_log_callback callback, void *user_data, int32_t level);

int32_t esales_log_next(uint32_t timeout_ms, int32_t *level, char message[512]);

int32_t esales_notify(const struct esales_client *client,
                      const struct esales_visitor *visitor,
                      const struct esales_notification *notification,
                      struct esales_receipt *receipt);

int32_t esales_enqueue(const struct esales_client *client,
                       const struct esales_visitor *visitor,
                       const struct esales_notification *notification,
                       struct esales_receipt *receipt);

int32_t esales_notify_add_to_cart(const struct esales_client *client,
                                  const struct esales_visitor *visitor,
                                  const char *ticket,
                                  const char *id,
                                  struct esales_receipt *receipt);

int32_t esales_enqueue_add_to_cart(const struct esales_client *client,
                                   const struct esales_visitor *visitor,
                                   const char *ticket,
                                   const char *id,
                                   struct esales_receipt *receipt);

int32_t esales_client_flush(const struct esales_client *client,
                            uint32_t timeout_ms,
                            struct esales_stats *stats);

int32_t esales_client_stop_delivery(const struct esales_client *client, uint32_t timeout_ms);

int32_t esales_stop_delivery(uint32_t timeout_ms);

int32_t esales_client_stats(const struct esales_client *client, struct esales_stats *stats);

int32_t esales_client_receipt(const struct esales_client *client,
                              const char *id,
                              struct esales_receipt *receipt);

int32_t esales_client_delivery_next(const struct esales_client *client,
                                    uint32_t timeout_ms,
                                    struct esales_receipt *receipt);

int32_t esales_client_on_delivery(const struct esales_client *client,
                                  esales_delivery_callback callback,
                                  void *user_data);

const char *esales_status_name(int32_t status);

const char *esales_status_text(int32_t status);

const char *esales_last_error(void);

const char *esales_version(void);
