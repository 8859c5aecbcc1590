#include <esales_notify.hpp>
#include <iostream>

static void send(const esales::client& client, std::string_view ticket) {
    const auto visitor = esales::visitor::anonymous("d9528030-509c-4e0f-b585-7168f1e9feca", "b106299c-eac0-4f6f-96d2-93e57c255784").in_market("UK");
    const auto receipt = client.notify_add_to_cart(visitor, ticket);
    if (receipt)
        std::cout << "delivered\n";
    else if (receipt.is_retryable())  // to send it again, pass receipt.id as the id
        std::cout << "may succeed later: " << receipt.detail << '\n';
    else if (receipt.attempts > 0)
        std::cout << "refused for good: " << receipt.detail << '\n';
    else
        std::cout << "nothing was sent: " << receipt.detail << '\n';
}

int main() {
    const auto client = esales::client::from_environment();
    if (!client) return std::cerr << client.failure().detail << '\n', 1;
    send(*client, "");
    send(*client, "a ticket");
    send(*client, "a ticket");
    send(*client, "a ticket");
}
