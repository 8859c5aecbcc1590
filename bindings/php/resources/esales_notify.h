#define FFI_SCOPE "esales_notify"
#define FFI_LIB "libesales_notify.so.0"
/* For PHP's FFI. Generated from the Rust source by cbindgen; do not edit. The words are in esales_notify.h. */


typedef struct esales_client esales_client;

typedef struct esales_config esales_config;

typedef struct esales_visitor {
  uint32_t struct_size;
  const char *market;
  const char *customer_key;
  const char *session_key;
  const char *token;
} esales_visitor;

typedef struct esales_receipt {
  uint32_t struct_size;
  int32_t status;
  int32_t http_status;
  uint32_t attempts;
  uint64_t elapsed_us;
  char id[129];
  char detail[256];
} esales_receipt;

int32_t esales_client_new(const struct esales_config *config, struct esales_client **out);

void esales_client_free(struct esales_client *client);

int32_t esales_notify_add_to_cart(const struct esales_client *client,
                                  const struct esales_visitor *visitor,
                                  const char *ticket,
                                  const char *id,
                                  struct esales_receipt *receipt);

int32_t esales_config_new(struct esales_config **out);

int32_t esales_config_set(struct esales_config *config, const char *name, const char *value);

void esales_config_free(struct esales_config *config);

int32_t esales_customer_key(const char *customer_id, char out[65]);

int32_t esales_customer_token(const char *private_key, const char *customer_key, char out[65]);

int32_t esales_new_key(char out[37]);

const char *esales_status_name(int32_t status);

const char *esales_status_text(int32_t status);

const char *esales_last_error(void);

const char *esales_version(void);
