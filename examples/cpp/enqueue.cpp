#include <esales_notify.hpp>
#include <iostream>

int main() {
    const auto client = esales::client::from_environment();  // ESALES_SPOOL names the directory that holds the queue
    if (!client) return std::cerr << client.failure().detail << '\n', 1;
    const auto visitor = esales::visitor::anonymous("d9528030-509c-4e0f-b585-7168f1e9feca", "b106299c-eac0-4f6f-96d2-93e57c255784").in_market("UK");
    const auto receipt = client->enqueue_add_to_cart(visitor, "a ticket");
    std::cout << receipt.status_name() << ' ' << receipt.id << '\n';

    // A server goes on here. A program that ends waits, or what is in the memory of its process is lost.
    const auto is_empty = client->flush(std::chrono::seconds(5));
    if (!is_empty || !*is_empty) std::cout << "something still waits\n";
    const auto outcome = client->find_receipt(receipt.id);
    if (!outcome) return std::cerr << outcome.failure().detail << '\n', 1;
    std::cout << outcome->status_name() << ' ' << outcome->id << '\n';
    return *outcome ? 0 : 1;
}
