#include <esales_notify.hpp>
#include <iostream>

using esales::line, esales::notification;

int main() {
    const auto client = esales::client::from_environment();
    if (!client) return std::cerr << client.failure().detail << '\n', 1;
    const auto visitor = esales::visitor::anonymous("d9528030-509c-4e0f-b585-7168f1e9feca", "b106299c-eac0-4f6f-96d2-93e57c255784").in_market("UK");
    const auto send = [&](const char* what, const notification& sent) {
        const auto receipt = client->enqueue(visitor, sent);
        std::cout << what << ": " << receipt.status_name() << ' ' << receipt.detail << '\n';
    };

    send("click", notification::click("a ticket"));
    send("payment", notification::secure_payment(
                        {
                            // The price is that of one of them, and sent exactly as written.
                            line::of_product("P_125383-0014", 2, "199.50").with_variant("P_125383-0014_UK").with_cost("120.10"),
                            line::of_product("P_4711", 1, "10"),
                        },
                        "a private key"));
    send("end", notification::end());

    const auto is_empty = client->flush(std::chrono::seconds(5));
    if (!is_empty || !*is_empty) std::cout << "something still waits\n";
}
