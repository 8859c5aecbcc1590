/**
 * @file
 * esales-notify for C++17: a header on top of the C API. The rules in esales_notify.h apply here too.
 *
 * Failures are return values, not exceptions, so that a page of a shop cannot fail because of a missing
 * catch. Only std::bad_alloc is thrown, and the header compiles with -fno-exceptions. Your callbacks must
 * not throw: an exception that leaves a callback ends the process (std::terminate).
 */
#ifndef ESALES_NOTIFY_HPP
#define ESALES_NOTIFY_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "esales_notify.h"

/** The C++17 API. */
namespace esales {

/** Why a call failed. */
struct error {
    /** An ESALES_* code, below 0. */
    std::int32_t status;
    /** A message that names the argument or option. */
    std::string detail;
};

/**
 * A value or an error. If the result is a temporary, such as the return value of a call, its value and its error are
 * moved out, so that no reference to the temporary remains.
 */
template <class T>
class [[nodiscard]] result {
public:
    /** A result with a value. */
    result(T value) : value_(std::move(value)) {}
    /** A result with an error. */
    result(error why) : error_(std::move(why)) {}

    /** Whether there is a value. */
    explicit operator bool() const noexcept { return value_.has_value(); }
    /** The value. There must be one. */
    T& operator*() & noexcept { return *value_; }
    /** The value. There must be one. */
    const T& operator*() const& noexcept { return *value_; }
    /** The value, moved out. There must be one. */
    T operator*() && { return *std::move(value_); }
    /** Deleted: the value cannot be moved out of a constant temporary. Store the result first. */
    const T& operator*() const&& = delete;
    /** A member of the value, valid as long as the result. There must be a value. */
    T* operator->() noexcept { return &*value_; }
    /** A member of the value, valid as long as the result. There must be a value. */
    const T* operator->() const noexcept { return &*value_; }
    /** The error. If there is a value, its status is 0 and its message is empty. */
    const error& failure() const& noexcept { return error_; }
    /** The error, moved out. */
    error failure() && { return std::move(error_); }

private:
    std::optional<T> value_;
    error error_{ESALES_DELIVERED, {}};
};

/** The result of a call that returns no value. */
using void_result = result<std::monostate>;

/** The visitor who caused the event. It owns its strings. std::nullopt stands for NULL in C. */
struct visitor {
    /** @copydoc esales_visitor::market */
    std::optional<std::string> market;
    /** @copydoc esales_visitor::customer_key */
    std::string customer_key;
    /** @copydoc esales_visitor::session_key */
    std::string session_key;
    /** @copydoc esales_visitor::token */
    std::optional<std::string> token;

    /** A visitor who is not signed in. */
    static visitor anonymous(std::string_view customer_key, std::string_view session_key) {
        return {std::nullopt, std::string(customer_key), std::string(session_key), std::nullopt};
    }
    /** A visitor who is signed in. Pass the results of customer_key() and customer_token(). */
    static visitor signed_in(std::string_view customer_key, std::string_view session_key, std::string_view token) {
        return {std::nullopt, std::string(customer_key), std::string(session_key), std::string(token)};
    }
    /** Returns the visitor with this market. */
    visitor in_market(std::string_view name) const& { return visitor(*this).in_market(name); }
    /** Returns the visitor with this market. */
    visitor in_market(std::string_view name) && {
        market = name;
        return std::move(*this);
    }
};

/** One line of an order. It owns its strings. std::nullopt stands for NULL in C. See esales_line. */
struct line {
    /** @copydoc esales_line::product_key */
    std::optional<std::string> product_key;
    /** @copydoc esales_line::variant_key */
    std::optional<std::string> variant_key;
    /** @copydoc esales_line::quantity */
    std::uint32_t quantity = 0;
    /** @copydoc esales_line::selling_price */
    std::string selling_price;
    /** @copydoc esales_line::cost */
    std::optional<std::string> cost;

    /** A line with a product key. */
    static line of_product(std::string_view product_key, std::uint32_t quantity, std::string_view selling_price) {
        return {std::string(product_key), std::nullopt, quantity, std::string(selling_price), std::nullopt};
    }
    /** A line with a variant key only. */
    static line of_variant(std::string_view variant_key, std::uint32_t quantity, std::string_view selling_price) {
        return {std::nullopt, std::string(variant_key), quantity, std::string(selling_price), std::nullopt};
    }
    /** Returns the line with this variant key. */
    line with_variant(std::string_view key) const& { return line(*this).with_variant(key); }
    /** Returns the line with this variant key. */
    line with_variant(std::string_view key) && {
        variant_key = key;
        return std::move(*this);
    }
    /** Returns the line with this cost of one item. */
    line with_cost(std::string_view price) const& { return line(*this).with_cost(price); }
    /** Returns the line with this cost of one item. */
    line with_cost(std::string_view price) && {
        cost = price;
        return std::move(*this);
    }
};

/**
 * What happened. It owns its strings and lines. Make it with the function of its kind: a member of another kind
 * is refused. See esales_notification.
 */
struct notification {
    /** The kind of notification, such as ESALES_CLICK. */
    std::int32_t kind = 0;
    /** @copydoc esales_notification::id */
    std::optional<std::string> id;
    // fields: generated by `make generate`, do not edit
    /** The opaque string that the service returned with the product, 1 to 8192 bytes, sent unchanged. */
    std::optional<std::string> ticket;
    /**
     * The shop's key of the product, 1 to 256 bytes. The service may refuse a notification without it (400), even if
     * variant_key is set.
     */
    std::optional<std::string> product_key;
    /** The shop's key of the variant, 1 to 256 bytes. */
    std::optional<std::string> variant_key;
    /** The lines of the order, 1 to 10,000. */
    std::vector<line> lines;
    /**
     * The shop's private key, 1 to 4096 bytes. The library signs the payment with it during the call and does not keep
     * it.
     */
    std::optional<std::string> private_key;
    // end of fields

    // kinds: generated by `make generate`, do not edit
    /** The visitor added to the cart a product that the service had returned. */
    static notification add_to_cart(std::string_view ticket) {
        notification made;
        made.kind = ESALES_ADD_TO_CART;
        made.ticket = ticket;
        return made;
    }
    /** The visitor clicked a product that the service had returned. */
    static notification click(std::string_view ticket) {
        notification made;
        made.kind = ESALES_CLICK;
        made.ticket = ticket;
        return made;
    }
    /** The visitor clicked a product that did not come from the service and has no ticket. */
    static notification non_esales_click(std::string_view product_key) {
        notification made;
        made.kind = ESALES_NON_ESALES_CLICK;
        made.product_key = product_key;
        return made;
    }
    /** The visitor added to the cart a product that did not come from the service and has no ticket. */
    static notification non_esales_add_to_cart(std::string_view product_key) {
        notification made;
        made.kind = ESALES_NON_ESALES_ADD_TO_CART;
        made.product_key = product_key;
        return made;
    }
    /** The visitor paid for an order. Some clusters accept only signed payments. */
    static notification payment(std::vector<line> lines) {
        notification made;
        made.kind = ESALES_PAYMENT;
        made.lines = std::move(lines);
        return made;
    }
    /**
     * The visitor paid for an order. The notification is signed with the shop's private key, and its lines may have
     * costs.
     */
    static notification secure_payment(std::vector<line> lines, std::string_view private_key) {
        notification made;
        made.kind = ESALES_SECURE_PAYMENT;
        made.lines = std::move(lines);
        made.private_key = private_key;
        return made;
    }
    /** The visitor signed out: the session ends. */
    static notification end() {
        notification made;
        made.kind = ESALES_END;
        return made;
    }
    // end of kinds

    /** Returns the notification with this id. */
    notification with_id(std::string_view name) const& { return notification(*this).with_id(name); }
    /** Returns the notification with this id. */
    notification with_id(std::string_view name) && {
        id = name;
        return std::move(*this);
    }
    /** Returns the notification with this variant key. */
    notification with_variant(std::string_view key) const& { return notification(*this).with_variant(key); }
    /** Returns the notification with this variant key. */
    notification with_variant(std::string_view key) && {
        variant_key = key;
        return std::move(*this);
    }
};

/** The outcome of a notification. */
struct [[nodiscard]] receipt {
    /** @copydoc esales_receipt::status */
    std::int32_t status = ESALES_INTERNAL;
    /** @copydoc esales_receipt::http_status */
    std::int32_t http_status = 0;
    /** @copydoc esales_receipt::attempts */
    std::uint32_t attempts = 0;
    /** @copydoc esales_receipt::elapsed_us */
    std::chrono::microseconds elapsed{0};
    /** @copydoc esales_receipt::id */
    std::string id;
    /** @copydoc esales_receipt::detail */
    std::string detail;

    /** Whether the call succeeded: the status is 0 or more. */
    explicit operator bool() const noexcept { return status >= 0; }
    /** Whether the same notification may succeed later, with the same id. */
    bool is_retryable() const noexcept { return status <= -20 && status > -30; }
    /** The name of the status code, such as "ESALES_TIMEOUT". */
    const char* status_name() const noexcept { return esales_status_name(status); }
};

/** Numbers of notifications. At every moment accepted = delivered + dead + expired + dropped + pending. */
struct counts {
    std::uint64_t accepted = 0;   ///< @copydoc esales_stats::accepted
    std::uint64_t delivered = 0;  ///< @copydoc esales_stats::delivered
    std::uint64_t dead = 0;       ///< @copydoc esales_stats::dead
    std::uint64_t expired = 0;    ///< @copydoc esales_stats::expired
    std::uint64_t dropped = 0;    ///< @copydoc esales_stats::dropped
    std::uint64_t pending = 0;    ///< @copydoc esales_stats::pending
};

/** Percentiles of the last 1000 delivered notifications. 0: there are none. */
template <class Duration>
struct percentiles {
    Duration p50{0};  ///< The median.
    Duration p95{0};  ///< The 95th percentile.
    Duration p99{0};  ///< The 99th percentile.
};

/** The counters of a queue. See esales_stats. */
struct queue_stats {
    /** Notifications of all processes. */
    counts spool;
    /** Notifications that this process accepted, through clients that share this client's queue. */
    counts process;
    /** @copydoc esales_stats::process_refused */
    std::uint64_t process_refused = 0;
    /** @copydoc esales_stats::pending_bytes */
    std::uint64_t pending_bytes = 0;
    /** @copydoc esales_stats::oldest_age_ms */
    std::chrono::milliseconds oldest_age{0};
    /** @copydoc esales_stats::gate_failures */
    std::uint32_t gate_failures = 0;
    /** @copydoc esales_stats::gate_closed_ms */
    std::chrono::milliseconds gate_closed{0};
    /** Time from acceptance to the service's answer. */
    percentiles<std::chrono::milliseconds> age;
    /** Duration of the successful attempt. */
    percentiles<std::chrono::microseconds> latency;
};

/** The level of a log message. */
enum class log_level : std::int32_t {
    off = ESALES_LOG_OFF,
    error = ESALES_LOG_ERROR,
    warn = ESALES_LOG_WARN,
    info = ESALES_LOG_INFO,
    debug = ESALES_LOG_DEBUG
};

/** The callback of client::on_delivery. */
using delivery_callback = std::function<void(const receipt&)>;
/** The callback of log_to. The message is valid during the call. */
using log_callback = std::function<void(log_level, std::string_view)>;

namespace detail {

inline error last_error(std::int32_t status) { return {status, esales_last_error()}; }

/** Converts strings for C. It remembers the first string with a NUL inside, which C would cut. */
class c_strings {
public:
    /** A NUL-terminated copy. */
    std::string copy(const char* name, std::string_view text) {
        check(name, text);
        return std::string(text);
    }
    /** A pointer to a string that outlives the call. */
    const char* borrow(const char* name, const std::string& text) {
        check(name, text);
        return text.c_str();
    }
    const char* borrow(const char* name, const std::optional<std::string>& text) {
        return text ? borrow(name, *text) : nullptr;
    }
    /** A line for C. An error message names the line by this number. */
    esales_line borrow(std::size_t number, const line& given) {
        const bool was_bad = !bad_.empty();
        esales_line c = ESALES_LINE_INIT;
        c.quantity = given.quantity;
        c.product_key = borrow("product_key", given.product_key);
        c.variant_key = borrow("variant_key", given.variant_key);
        c.selling_price = borrow("selling_price", given.selling_price);
        c.cost = borrow("cost", given.cost);
        if (!was_bad && !bad_.empty()) bad_ = "lines[" + std::to_string(number) + "]." + bad_;
        return c;
    }
    /** The error for a string with a NUL inside, if there was one. */
    std::optional<error> refusal() const {
        if (bad_.empty()) return std::nullopt;
        return error{ESALES_INVALID_ARGUMENT, bad_ + " contains the character U+0000"};
    }

private:
    void check(const char* name, std::string_view text) {
        if (bad_.empty() && text.find('\0') != std::string_view::npos) bad_ = name;
    }

    std::string bad_;
};

/** Arguments of a call for C. They borrow the strings of the visitor and of the notification. */
class c_arguments {
public:
    c_arguments(const visitor& who, const notification& what) {
        visitor_.market = strings_.borrow("market", who.market);
        visitor_.customer_key = strings_.borrow("customer_key", who.customer_key);
        visitor_.session_key = strings_.borrow("session_key", who.session_key);
        visitor_.token = strings_.borrow("token", who.token);
        // members: generated by `make generate`, do not edit
        notification_.kind = what.kind;
        notification_.id = strings_.borrow("id", what.id);
        notification_.ticket = strings_.borrow("ticket", what.ticket);
        notification_.product_key = strings_.borrow("product_key", what.product_key);
        notification_.variant_key = strings_.borrow("variant_key", what.variant_key);
        notification_.private_key = strings_.borrow("private_key", what.private_key);
        // end of members
        lines_.reserve(what.lines.size());
        for (const auto& one : what.lines) lines_.push_back(strings_.borrow(lines_.size(), one));
        notification_.lines = lines_.data();
        notification_.line_count = lines_.size();
    }
    c_arguments(const c_arguments&) = delete;
    c_arguments& operator=(const c_arguments&) = delete;

    std::optional<error> refusal() const { return strings_.refusal(); }
    const esales_visitor* visitor() const { return &visitor_; }
    const esales_notification* notification() const { return &notification_; }

private:
    c_strings strings_;
    esales_visitor visitor_ = ESALES_VISITOR_INIT;
    esales_notification notification_ = ESALES_NOTIFICATION_INIT;
    std::vector<esales_line> lines_;
};

inline receipt receipt_of(const esales_receipt& c) {
    receipt made;
    made.status = c.status;
    made.http_status = c.http_status;
    made.attempts = c.attempts;
    made.elapsed = std::chrono::microseconds(c.elapsed_us);
    made.id = c.id;
    made.detail = c.detail;
    return made;
}

inline queue_stats stats_of(const esales_stats& c) {
    using ms = std::chrono::milliseconds;
    using us = std::chrono::microseconds;
    queue_stats made;
    made.spool = {c.accepted, c.delivered, c.dead, c.expired, c.dropped, c.pending};
    made.process = {c.process_accepted, c.process_delivered, c.process_dead,
                    c.process_expired,  c.process_dropped,   c.process_pending};
    made.process_refused = c.process_refused;
    made.pending_bytes = c.pending_bytes;
    made.oldest_age = ms(c.oldest_age_ms);
    made.gate_failures = c.gate_failures;
    made.gate_closed = ms(c.gate_closed_ms);
    made.age = {ms(c.age_p50_ms), ms(c.age_p95_ms), ms(c.age_p99_ms)};
    made.latency = {us(c.latency_p50_us), us(c.latency_p95_us), us(c.latency_p99_us)};
    return made;
}

/** Converts a time-out for C. */
inline std::uint32_t to_ms(std::chrono::milliseconds timeout) {
    constexpr std::chrono::milliseconds longest(UINT32_MAX);
    return static_cast<std::uint32_t>(std::clamp(timeout, std::chrono::milliseconds(0), longest).count());
}

/** The result of a call that waits: ESALES_TIMEOUT is not an error. */
inline result<bool> is_done(std::int32_t status) {
    if (status == ESALES_TIMEOUT) return false;
    if (status < 0) return last_error(status);
    return true;
}

/** A callback that may be replaced while it runs, even by itself: call() keeps it alive. */
template <class F>
class callback_slot {
public:
    void set(F callback) {
        auto fresh = callback ? std::make_shared<const F>(std::move(callback)) : nullptr;
        const std::lock_guard<std::mutex> guard(mutex_);
        callback_.swap(fresh);
    }
    template <class... Arguments>
    void call(Arguments&&... arguments) {
        std::shared_ptr<const F> held;
        {
            const std::lock_guard<std::mutex> guard(mutex_);
            held = callback_;
        }
        if (held) (*held)(std::forward<Arguments>(arguments)...);
    }

private:
    std::mutex mutex_;
    std::shared_ptr<const F> callback_;
};

struct free_config {
    void operator()(esales_config* config) const noexcept { esales_config_free(config); }
};
struct free_client {
    void operator()(esales_client* client) const noexcept { esales_client_free(client); }
};

}  // namespace detail

/** Sends notifications. It can be moved but not copied. Any number of threads may use it at once. */
class client {
public:
    /** The name and the value of an option. It owns both strings. */
    struct option {
        std::string name;   ///< The name, such as "timeout_ms".
        std::string value;  ///< The value as text, such as "500".
        /** Makes an option from any strings. */
        option(std::string_view name, std::string_view value) : name(name), value(value) {}
    };

    /** Makes a client with these options, such as {{"cluster_id", "w5d1cc1f4"}, {"timeout_ms", "500"}}. */
    static result<client> create(std::initializer_list<option> options) {
        esales_config* made = nullptr;
        if (const auto status = esales_config_new(&made); status < 0) return detail::last_error(status);
        const std::unique_ptr<esales_config, detail::free_config> config(made);
        for (const auto& [name, value] : options) {
            detail::c_strings strings;
            const char* c_name = strings.borrow("the option's name", name);
            const char* c_value = strings.borrow(c_name, value);
            if (auto refusal = strings.refusal()) return *refusal;
            const auto status = esales_config_set(config.get(), c_name, c_value);
            if (status < 0) return detail::last_error(status);
        }
        return from(config.get());
    }

    /** Makes a client with the options in the ESALES_* environment variables. */
    static result<client> from_environment() { return from(nullptr); }

    /** Sends a notification and waits for the answer, for at most timeout_ms. See esales_notify. */
    receipt notify(const visitor& who, const notification& what) const { return call(&esales_notify, who, what); }

    /**
     * Accepts the notification into the queue and returns the status ESALES_QUEUED. It never waits for the
     * network, and waits for the disk and other processes for at most enqueue_timeout_ms. See esales_enqueue.
     */
    receipt enqueue(const visitor& who, const notification& what) const { return call(&esales_enqueue, who, what); }

    /** Sends the most common notification: the visitor added the ticket's product to the cart. */
    receipt notify_add_to_cart(const visitor& who, std::string_view ticket,
                               std::optional<std::string_view> id = std::nullopt) const {
        return notify(who, add_to_cart(ticket, id));
    }

    /** Enqueues the most common notification: the visitor added the ticket's product to the cart. */
    receipt enqueue_add_to_cart(const visitor& who, std::string_view ticket,
                                std::optional<std::string_view> id = std::nullopt) const {
        return enqueue(who, add_to_cart(ticket, id));
    }

    /**
     * Waits until all notifications that were accepted before the call have left the queue, and the callbacks for those
     * that this process delivered have ended, for at most `timeout` (0 to about 49 days). Returns false if some have not
     * left, which stay in the queue, or if a callback has not ended. See esales_client_flush.
     */
    result<bool> flush(std::chrono::milliseconds timeout) const {
        return detail::is_done(esales_client_flush(handle(), detail::to_ms(timeout), nullptr));
    }

    /**
     * Ends this process's delivery of the queue, for good, and waits for requests in flight, for at most `timeout` (0
     * to about 49 days). Returns false if requests were still in flight; they are sent again later. The destructor does
     * not do this. See esales_client_stop_delivery.
     */
    result<bool> stop_delivery(std::chrono::milliseconds timeout) const {
        return detail::is_done(esales_client_stop_delivery(handle(), detail::to_ms(timeout)));
    }

    /** Returns the counters of the queue. Fails with ESALES_SPOOL_FAILED if the spool cannot be read. */
    result<queue_stats> stats() const {
        esales_stats found = ESALES_STATS_INIT;
        if (const auto status = esales_client_stats(handle(), &found); status < 0) return detail::last_error(status);
        return detail::stats_of(found);
    }

    /**
     * Returns the receipt of a notification that was accepted into the queue. Fails with ESALES_UNKNOWN_ID if the id
     * is unknown. See esales_client_receipt.
     */
    result<receipt> find_receipt(std::string_view id) const {
        detail::c_strings strings;
        const auto c_id = strings.copy("id", id);
        if (auto refusal = strings.refusal()) return *refusal;
        esales_receipt found = ESALES_RECEIPT_INIT;
        const auto status = esales_client_receipt(handle(), c_id.c_str(), &found);
        if (status < 0) return detail::last_error(status);
        return detail::receipt_of(found);
    }

    /**
     * Sets a callback for the outcomes of this process's delivery, which a thread of the library calls. An empty
     * function unregisters it. When this function or the destructor returns, the earlier callback has ended, unless
     * the call was made from within it. Only one thread at a time may call this. See esales_client_on_delivery.
     */
    void_result on_delivery(delivery_callback callback) {
        if (!state_) return error{ESALES_INVALID_ARGUMENT, "client was moved from"};
        const bool is_wanted = static_cast<bool>(callback);
        state_->on_delivery.set(std::move(callback));
        const auto status =
            esales_client_on_delivery(handle(), is_wanted ? &client::completed : nullptr, &state_->on_delivery);
        if (status < 0) return detail::last_error(status);
        return std::monostate();
    }

private:
    using function = std::int32_t (*)(const esales_client*, const esales_visitor*, const esales_notification*,
                                      esales_receipt*);
    /** The handle is destroyed before the callback, which may be running until then. */
    struct state {
        detail::callback_slot<delivery_callback> on_delivery;
        std::unique_ptr<esales_client, detail::free_client> handle;
    };

    explicit client(esales_client* handle) : state_(std::make_unique<state>()) { state_->handle.reset(handle); }

    const esales_client* handle() const noexcept { return state_ ? state_->handle.get() : nullptr; }

    static void completed(void* slot, const esales_receipt* what) noexcept {
        static_cast<detail::callback_slot<delivery_callback>*>(slot)->call(detail::receipt_of(*what));
    }

    static notification add_to_cart(std::string_view ticket, std::optional<std::string_view> id) {
        auto made = notification::add_to_cart(ticket);
        if (id) made.id = *id;
        return made;
    }

    receipt call(function send, const visitor& who, const notification& what) const {
        const detail::c_arguments arguments(who, what);
        if (auto refusal = arguments.refusal()) {
            receipt made;
            made.status = refusal->status;
            made.detail = std::move(refusal->detail);
            return made;
        }
        esales_receipt c_receipt = ESALES_RECEIPT_INIT;
        const auto status = send(handle(), arguments.visitor(), arguments.notification(), &c_receipt);
        auto made = detail::receipt_of(c_receipt);
        made.status = status;
        return made;
    }

    static result<client> from(const esales_config* config) {
        esales_client* made = nullptr;
        if (const auto status = esales_client_new(config, &made); status < 0) return detail::last_error(status);
        return client(made);
    }

    std::unique_ptr<state> state_;
};

/**
 * Sends the library's log messages up to `level` to `callback`, for the whole process. The callback may run on any
 * thread, including threads of the library. An empty function or log_level::off unregisters it. The messages never
 * contain keys, tokens or tickets. When this function returns, the earlier callback has ended, unless the call was
 * made from within it.
 */
inline void_result log_to(log_level level, log_callback callback) {
    // Never destroyed: a thread of the library may log while the process ends.
    static auto& slot = *new detail::callback_slot<log_callback>();
    const bool is_wanted = static_cast<bool>(callback) && level != log_level::off;
    const esales_log_callback log = [](void*, std::int32_t how, const char* message) noexcept {
        slot.call(static_cast<log_level>(how), std::string_view(message));
    };
    slot.set(std::move(callback));
    const auto status = esales_log_to(is_wanted ? log : nullptr, nullptr,
                                      static_cast<std::int32_t>(is_wanted ? level : log_level::off));
    if (status < 0) return detail::last_error(status);
    return std::monostate();
}

/**
 * Ends this process's delivery of every spool, and waits for requests in flight, for at most `timeout` (0 to about
 * 49 days). Returns false if requests were still in flight; they are sent again later. Call it once, when the program
 * ends. See esales_stop_delivery.
 */
inline result<bool> stop_delivery(std::chrono::milliseconds timeout) {
    return detail::is_done(esales_stop_delivery(detail::to_ms(timeout)));
}

/** Returns the customer key of a signed-in visitor: the SHA-256 of the visitor's id, as 64 lower-case hex digits. */
inline result<std::string> customer_key(std::string_view customer_id) {
    detail::c_strings strings;
    const auto c_id = strings.copy("customer_id", customer_id);
    if (auto refusal = strings.refusal()) return *refusal;
    char out[65];
    if (const auto status = esales_customer_key(c_id.c_str(), out); status < 0) return detail::last_error(status);
    return std::string(out);
}

/** Returns the token of a signed-in visitor: the HMAC-SHA256 of the customer key under the private key, in hex. */
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

/** Returns a new random key (UUID version 4) for an anonymous customer key, a session key or an id. */
inline result<std::string> new_key() {
    char out[37];
    if (const auto status = esales_new_key(out); status < 0) return detail::last_error(status);
    return std::string(out);
}

/** Returns the library's version, such as "0.1.0". */
inline std::string_view version() noexcept { return esales_version(); }

}  // namespace esales

#endif
