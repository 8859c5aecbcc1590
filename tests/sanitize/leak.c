/* A planted defect: a configuration that is never freed. */
#include "esales_notify.h"

static int forget(void) {
    esales_config *config = 0;
    return esales_config_new(&config) || esales_config_set(config, "market", "UK");
}

int main(void) { return forget(); }
