/* The header compiles alone, in pedantic C99 and as C++, and its macros initialise complete structs. */
#include "esales_notify.h"

int main(void) {
    esales_visitor visitor = ESALES_VISITOR_INIT;
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    int32_t codes[] = {ESALES_DELIVERED, ESALES_QUEUED, ESALES_INVALID_ARGUMENT, ESALES_TIMEOUT, ESALES_INTERNAL};
    return visitor.struct_size != sizeof visitor || visitor.token != NULL || receipt.struct_size != sizeof receipt ||
           receipt.id[0] != 0 || codes[0] != 0 || sizeof(ESALES_VERSION) < sizeof("0.1.0");
}
