#include <esales_notify.hpp>
#include <iostream>

int main() {
    const auto client = esales::client::from_environment();
    if (!client) return std::cerr << client.failure().detail << '\n', 1;
    const auto visitor = esales::visitor::anonymous("d9528030-509c-4e0f-b585-7168f1e9feca", "b106299c-eac0-4f6f-96d2-93e57c255784").in_market("UK");
    const auto receipt = client->notify_add_to_cart(visitor, "Oy9keW5hbWljLXBhZ2VzL3N0YXJ0L2VzYWxlcy1zdGFydC0xOyM7cHJvZHVjdF9rZXk7UF8xMjUzODMtMDAxNF9VSzsjOztOT05FOk5PTkU7NjE7");
    std::cout << receipt.status_name() << ' ' << receipt.id << '\n';
    return receipt ? 0 : 1;
}
