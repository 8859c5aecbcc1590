/* A defect on purpose: the caller's memory is one byte too small for what the header says is written to it. */
#include <stdlib.h>

#include "esales_notify.h"

int main(void) {
    char *out = malloc(64);
    int code = esales_customer_key("1", out);
    free(out);
    return code;
}
