// A page by CGI. `esales-notify drain` delivers its events: a CGI program exits after one page.
#include <cstdlib>
#include <esales_notify.hpp>
#include <iostream>
#include <iterator>
#include <optional>
#include <regex>
#include <string>

using esales::line, esales::notification, esales::visitor;

static std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

// A value of a form, without what a browser does to it.
static std::optional<std::string> field(const std::string& form, const std::string& name) {
    std::smatch found;
    if (!std::regex_search(form, found, std::regex("(?:^|&)" + name + "=([^&]*)"))) return std::nullopt;
    const std::string value = found[1];
    std::string decoded;
    for (std::size_t at = 0; at < value.size(); ++at) {
        const bool is_escape = value[at] == '%' && at + 2 < value.size() && std::isxdigit(value[at + 1]) && std::isxdigit(value[at + 2]);
        if (is_escape) decoded += static_cast<char>(std::stoi(value.substr(at + 1, 2), nullptr, 16)), at += 2;
        else decoded += value[at] == '+' ? ' ' : value[at];
    }
    return decoded;
}

// The key in the visitor's cookie. On the first visit the page makes a key, and its response sets the cookie.
static std::string key_of(const std::string& cookie, const std::string& lifetime) {
    const std::string cookies = variable("HTTP_COOKIE");
    std::smatch found;
    if (std::regex_search(cookies, found, std::regex("(?:^|; *)" + cookie + "=([0-9a-f-]{36})(?:;|$)"))) return found[1];
    const auto key = esales::new_key();
    if (!key) return "";
    std::cout << "Set-Cookie: " << cookie << '=' << *key << "; Path=/; HttpOnly; SameSite=Lax" << lifetime
              << (std::getenv("HTTPS") ? "; Secure" : "") << "\r\n";
    return *key;
}

// Your shop knows who is signed in. Here the web server sets the header, and removes any that a visitor sends.
static visitor who(const std::string& customer, const std::string& session, const std::string& private_key) {
    const auto key = esales::customer_key(variable("HTTP_X_REMOTE_USER"));
    if (!key) return visitor::anonymous(customer, session);
    const auto token = esales::customer_token(private_key, *key);
    return token ? visitor::signed_in(*key, session, *token) : visitor::anonymous(customer, session);
}

// The lines of the order, from your database. Return them once: an order that is sent twice is counted twice.
static std::vector<line> lines_of(const std::string&) {
    return {line::of_product("P_125383", 1, "199.50").with_variant("P_125383-0014_UK").with_cost("80")};
}

int main() {
    const std::string form(std::istreambuf_iterator<char>(std::cin), {});
    const auto customer = key_of("customer", "; Max-Age=31536000"), session = key_of("session", "");
    std::cout << "Content-Type: text/plain\r\n\r\nThank you\n";  // Your shop does its own work here. Then:

    const auto client = esales::client::from_environment();
    if (!client) std::cerr << "esales-notify: " << client.failure().detail << '\n';
    const auto private_key = variable("ESALES_PRIVATE_KEY");
    // Puts the event into the queue. Every failure is logged: no page fails because of an event.
    const auto tell = [&](const notification& event) {
        if (!client) return;
        const auto receipt = client->enqueue(who(customer, session, private_key), event);
        if (!receipt) std::cerr << "esales-notify: " << receipt.detail << '\n';
    };
    // The product of this ticket was added to the cart; the order with this number is paid.
    if (const auto ticket = field(form, "ticket")) tell(notification::add_to_cart(*ticket));
    if (const auto order = field(form, "order")) tell(notification::secure_payment(lines_of(*order), private_key));
}
