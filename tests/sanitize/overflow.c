/* A planted defect: the caller's memory is one byte smaller than the header requires. */
#include <stdlib.h>

#include "esales_notify.h"

int main(void) {
    char *out = malloc(64);
    int code = esales_customer_key("1", out);
    free(out);
    return code;
}
