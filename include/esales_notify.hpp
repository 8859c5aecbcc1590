/*
 * esales-notify for C++17: a header over the C API (esales_notify.h, whose rules hold here too).
 *
 * Failures are results, not exceptions: that an event does not get through is part of every shop's day, and a page
 * must never fall over it because somebody forgot a catch. Nothing here throws but std::bad_alloc, and the header
 * compiles with -fno-exceptions.
 */
#ifndef ESALES_NOTIFY_HPP
#define ESALES_NOTIFY_HPP

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "esales_notify.h"

namespace esales {

/** Why a call failed. */
struct error {
    /** An ESALES_* code, below 0. */
    std::int32_t status;
    /** What went wrong, in words that name the argument or option. */
    std::string detail;
};

/** A value, or the error that there is instead of one. */
template <class T>
class [[nodiscard]] result {
public:
    result(T value) : value_(std::move(value)) {}
    result(error why) : error_(std::move(why)) {}

    /** Whether there is a value. */
    explicit operator bool() const noexcept { return value_.has_value(); }
    /** The value; only if there is one. */
    T& operator*() & noexcept { return *value_; }
    const T& operator*() const& noexcept { return *value_; }
    T&& operator*() && noexcept { return *std::move(value_); }
    T* operator->() noexcept { return &*value_; }
    const T* operator->() const noexcept { return &*value_; }
    /** Why there is no value; status 0 and no words if there is one. */
    const error& failure() const noexcept { return error_; }

private:
    std::optional<T> value_;
    error error_{ESALES_DELIVERED, {}};
};

/** Who added the product to the cart. The strings are borrowed for the call. */
struct visitor {
    /** Storefront market, at most 128 bytes; none: the client's option "market". */
    std::optional<std::string_view> market;
    /** A UUID of the shop's (anonymous) or customer_key() of the visitor's id (signed in), at most 256 bytes. */
    std::string_view customer_key;
    /** A UUID for the visit, at most 256 bytes. */
    std::string_view session_key;
    /** customer_token() of a signed-in visitor, at most 256 bytes; none: anonymous. */
    std::optional<std::string_view> token;

    static visitor anonymous(std::string_view customer_key, std::string_view session_key) {
        return {std::nullopt, customer_key, session_key, std::nullopt};
    }
    static visitor signed_in(std::string_view customer_key, std::string_view session_key, std::string_view token) {
        return {std::nullopt, customer_key, session_key, token};
    }
    /** The same visitor in this market. */
    visitor in_market(std::string_view name) const { return {name, customer_key, session_key, token}; }
};

/** What became of a notification. */
struct [[nodiscard]] receipt {
    /** ESALES_DELIVERED, or an ESALES_* code below 0. */
    std::int32_t status = ESALES_INTERNAL;
    /** HTTP status of the last attempt's answer; 0: it got none. */
    std::int32_t http_status = 0;
    /** Attempts that were started; 0: nothing was sent. */
    std::uint32_t attempts = 0;
    /** Duration of the call. */
    std::chrono::microseconds elapsed{0};
    /** The id that was sent; empty if the arguments were refused. */
    std::string id;
    /** What happened, for a person. */
    std::string detail;

    /** Whether the call did what was asked. */
    explicit operator bool() const noexcept { return status >= 0; }
    /** Whether the same notification, with the same id, may get through later. */
    bool is_retryable() const noexcept { return status <= -20 && status > -30; }
    /** The code's name, such as "ESALES_TIMEOUT". */
    const char* status_name() const noexcept { return esales_status_name(status); }
};

namespace detail {

inline error last_error(std::int32_t status) { return {status, esales_last_error()}; }

/** A NUL-terminated copy; remembers the first argument that has a NUL inside, which C could not see. */
class c_strings {
public:
    std::string copy(const char* name, std::string_view text) {
        if (!bad_ && text.find('\0') != std::string_view::npos) bad_ = name;
        return std::string(text);
    }
    std::optional<std::string> copy(const char* name, std::optional<std::string_view> text) {
        if (!text) return std::nullopt;
        return copy(name, *text);
    }
    /** The refusal, if there is one to make. */
    std::optional<error> refusal() const {
        if (!bad_) return std::nullopt;
        return error{ESALES_INVALID_ARGUMENT, std::string(bad_) + " contains the character U+0000"};
    }

private:
    const char* bad_ = nullptr;
};

inline const char* pointer(const std::optional<std::string>& text) { return text ? text->c_str() : nullptr; }

struct free_config {
    void operator()(esales_config* config) const noexcept { esales_config_free(config); }
};
struct free_client {
    void operator()(esales_client* client) const noexcept { esales_client_free(client); }
};

}  // namespace detail

/** Sends notifications. Movable, not copyable; may be used from any number of threads at once. */
class client {
public:
    using option = std::pair<std::string_view, std::string_view>;

    /** A client with these options, such as {{"cluster_id", "w5d1cc1f4"}, {"timeout_ms", "500"}}. */
    static result<client> create(std::initializer_list<option> options) {
        esales_config* made = nullptr;
        if (const auto status = esales_config_new(&made); status < 0) return detail::last_error(status);
        const std::unique_ptr<esales_config, detail::free_config> config(made);
        for (const auto& [name, value] : options) {
            detail::c_strings strings;
            const auto c_name = strings.copy("the option's name", name);
            const auto c_value = strings.copy(c_name.c_str(), value);
            if (auto refusal = strings.refusal()) return *refusal;
            const auto status = esales_config_set(config.get(), c_name.c_str(), c_value.c_str());
            if (status < 0) return detail::last_error(status);
        }
        return from(config.get());
    }

    /** A client with the options of the ESALES_* environment variables. */
    static result<client> from_environment() { return from(nullptr); }

    /**
     * Tells the service that the visitor added the product behind the ticket to the cart, and waits for the answer,
     * for at most timeout_ms. See esales_notify_add_to_cart.
     */
    receipt notify_add_to_cart(const visitor& who, std::string_view ticket,
                               std::optional<std::string_view> id = std::nullopt) const {
        detail::c_strings strings;
        const auto market = strings.copy("market", who.market);
        const auto customer_key = strings.copy("customer_key", who.customer_key);
        const auto session_key = strings.copy("session_key", who.session_key);
        const auto token = strings.copy("token", who.token);
        const auto c_ticket = strings.copy("ticket", ticket);
        const auto c_id = strings.copy("id", id);
        receipt made;
        if (auto refusal = strings.refusal()) {
            made.status = refusal->status;
            made.detail = std::move(refusal->detail);
            return made;
        }
        esales_visitor c_visitor = ESALES_VISITOR_INIT;
        c_visitor.market = detail::pointer(market);
        c_visitor.customer_key = customer_key.c_str();
        c_visitor.session_key = session_key.c_str();
        c_visitor.token = detail::pointer(token);
        esales_receipt c_receipt = ESALES_RECEIPT_INIT;
        made.status = esales_notify_add_to_cart(handle_.get(), &c_visitor, c_ticket.c_str(), detail::pointer(c_id),
                                                &c_receipt);
        made.http_status = c_receipt.http_status;
        made.attempts = c_receipt.attempts;
        made.elapsed = std::chrono::microseconds(c_receipt.elapsed_us);
        made.id = c_receipt.id;
        made.detail = c_receipt.detail;
        return made;
    }

private:
    explicit client(esales_client* handle) : handle_(handle) {}

    static result<client> from(const esales_config* config) {
        esales_client* made = nullptr;
        if (const auto status = esales_client_new(config, &made); status < 0) return detail::last_error(status);
        return client(made);
    }

    std::unique_ptr<esales_client, detail::free_client> handle_;
};

/** The customer key of a signed-in visitor: SHA-256 of the visitor's id, as 64 lower-case hex digits. */
inline result<std::string> customer_key(std::string_view customer_id) {
    detail::c_strings strings;
    const auto c_id = strings.copy("customer_id", customer_id);
    if (auto refusal = strings.refusal()) return *refusal;
    char out[65];
    if (const auto status = esales_customer_key(c_id.c_str(), out); status < 0) return detail::last_error(status);
    return std::string(out);
}

/** The token of a signed-in visitor: HMAC-SHA256 of the customer key under the private key, in lower-case hex. */
inline result<std::string> customer_token(std::string_view private_key, std::string_view customer_key) {
    detail::c_strings strings;
    const auto c_private_key = strings.copy("private_key", private_key);
    const auto c_customer_key = strings.copy("customer_key", customer_key);
    if (auto refusal = strings.refusal()) return *refusal;
    char out[65];
    const auto status = esales_customer_token(c_private_key.c_str(), c_customer_key.c_str(), out);
    if (status < 0) return detail::last_error(status);
    return std::string(out);
}

/** A new random key (UUID version 4): for anonymous customer keys, session keys and ids. */
inline result<std::string> new_key() {
    char out[37];
    if (const auto status = esales_new_key(out); status < 0) return detail::last_error(status);
    return std::string(out);
}

/** The library's version, such as "0.1.0". */
inline std::string_view version() noexcept { return esales_version(); }

}  // namespace esales

#endif
