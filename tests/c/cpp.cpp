// The C++ header: RAII, results, string_view, and refusal of NULs. ESALES_BASE_URL is a sandbox.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "esales_notify.hpp"

static const auto anna = esales::visitor::anonymous("d9528030-509c-4e0f-b585-7168f1e9feca",
                                                    "b106299c-eac0-4f6f-96d2-93e57c255784")
                             .in_market("UK");

static esales::client sandbox() {
    auto made = esales::client::create({{"base_url", std::getenv("ESALES_BASE_URL")}, {"timeout_ms", "30000"}});
    REQUIRE(made);
    return *std::move(made);
}

TEST_CASE("delivery returns a receipt") {
    const auto client = sandbox();
    const auto receipt = client.notify_add_to_cart(anna, "ticket");
    CHECK(receipt);
    CHECK(receipt.status == ESALES_DELIVERED);
    CHECK(receipt.http_status == 204);
    CHECK(receipt.attempts == 1);
    CHECK(receipt.id.size() == 36);
    CHECK(receipt.elapsed.count() > 0);
    CHECK(std::string(receipt.status_name()) == "ESALES_DELIVERED");
    CHECK(client.notify_add_to_cart(anna, "ticket", "my-id").id == "my-id");
}

TEST_CASE("string_view into a longer string is sent without the rest") {
    const std::string page = "ticket=abc&x";
    const auto ticket = std::string_view(page).substr(7, 3);
    CHECK(sandbox().notify_add_to_cart(anna, ticket, "part"));
}

TEST_CASE("client can be made from the environment") {
    const auto client = esales::client::from_environment();
    REQUIRE(client);
    CHECK(client->notify_add_to_cart(anna, "ticket"));
}

template <class R, class = void>
struct has_star : std::false_type {};
template <class R>
struct has_star<R, std::void_t<decltype(*std::declval<R>())>> : std::true_type {};

TEST_CASE("result of a temporary leaves no dangling reference") {
    using text = esales::result<std::string>;
    static_assert(std::is_same_v<decltype(*esales::new_key()), std::string>, "a value, not a reference into the result");
    static_assert(std::is_same_v<decltype(esales::new_key().failure()), esales::error>);
    static_assert(has_star<text&>() && has_star<const text&>() && has_star<text>() && !has_star<const text>());

    std::string key(36, 'a'), session(36, 'b'), token(64, 'c'), market = "UK";
    const auto signed_in = esales::visitor::signed_in(key, session, token).in_market(market);
    const auto in_another = signed_in.in_market(std::string(20, 'd'));
    esales::client::option option("customer_key", key);
    for (auto* text : {&key, &session, &token, &market}) text->assign(text->size(), 'x');
    CHECK(signed_in.customer_key == std::string(36, 'a'));
    CHECK(signed_in.session_key == std::string(36, 'b'));
    CHECK(signed_in.token == std::string(64, 'c'));
    CHECK(signed_in.market == "UK");
    CHECK(in_another.market == std::string(20, 'd'));
    CHECK(in_another.token == signed_in.token);
    CHECK(option.value == std::string(36, 'a'));

    const auto visitor = esales::visitor::anonymous(*esales::new_key(), *esales::new_key()).in_market(std::string("UK"));
    CHECK(visitor.customer_key.size() == 36);
    CHECK(sandbox().notify_add_to_cart(visitor, "ticket"));
    const auto& made = *esales::new_key();
    CHECK(made.size() == 36);
}

static const std::vector<esales::line> order{
    esales::line::of_product("P1", 2, "199.50").with_variant("V1"),
    esales::line::of_variant("V2", 1, "10"),
};

TEST_CASE("every kind is delivered by notify and by enqueue") {
    using esales::notification;
    const auto client = sandbox();
    const std::vector<notification> kinds{
        notification::add_to_cart("ticket"),
        notification::click("ticket"),
        notification::non_esales_click("P1").with_variant("V1"),
        notification::non_esales_add_to_cart("P1"),
        notification::payment(order),
        notification::secure_payment({order[0].with_cost("120.10"), order[1]}, "my private key"),
        notification::end(),
    };
    for (std::size_t i = 0; i < kinds.size(); i++) {
        CAPTURE(i);
        CHECK(kinds[i].kind == static_cast<std::int32_t>(i) + ESALES_ADD_TO_CART);
        CHECK(client.notify(anna, kinds[i]).status == ESALES_DELIVERED);
        const auto queued = client.enqueue(anna, kinds[i].with_id("of kind " + std::to_string(i)));
        CHECK(queued.status == ESALES_QUEUED);
        CHECK(queued.id == "of kind " + std::to_string(i));
        CHECK(*client.flush(std::chrono::seconds(60)));
        CHECK(client.find_receipt(queued.id)->status == ESALES_DELIVERED);
    }
}

TEST_CASE("notification owns copies of its strings") {
    using esales::notification;
    static_assert(!std::is_reference_v<decltype(notification::click("").with_id(""))>, "not a reference to a temporary");
    static_assert(!std::is_reference_v<decltype(esales::line::of_product("", 1, "").with_cost(""))>);
    std::string text(40, 'a');
    auto click = notification::click(text).with_id(text);
    auto product = notification::non_esales_click(text).with_variant(text);
    auto lines = std::vector{esales::line::of_product(text, 1, text).with_variant(text).with_cost(text)};
    auto payment = notification::secure_payment(lines, text);
    text.assign(text.size(), 'x');
    lines.clear();
    const std::string before(40, 'a');
    CHECK(click.ticket == before);
    CHECK(click.id == before);
    CHECK(product.product_key == before);
    CHECK(product.variant_key == before);
    CHECK(payment.private_key == before);
    REQUIRE(payment.lines.size() == 1);
    CHECK(payment.lines[0].product_key == before);
    CHECK(payment.lines[0].variant_key == before);
    CHECK(payment.lines[0].selling_price == before);
    CHECK(payment.lines[0].cost == before);
    // All arguments are made from temporaries that no longer exist when the call begins.
    const auto made = notification::payment({esales::line::of_product(*esales::new_key(), 1, std::string("1.50"))})
                          .with_id(*esales::new_key());
    CHECK(made.id->size() == 36);
    CHECK(sandbox().notify(anna, made));
}

TEST_CASE("refusal names the invalid member") {
    using namespace std::string_view_literals;
    using esales::line, esales::notification;
    const auto client = sandbox();
    const auto refuses = [&](const notification& what, const char* name) {
        const auto is_refusal = [&](const esales::receipt& receipt) {
            INFO(receipt.detail);
            CHECK(receipt.detail.find(name) != std::string::npos);
            return receipt.status == ESALES_INVALID_ARGUMENT && receipt.attempts == 0;
        };
        return is_refusal(client.notify(anna, what)) && is_refusal(client.enqueue(anna, what));
    };
    CHECK(refuses(notification(), "kind is 0"));
    CHECK(refuses(notification::click(""), "ticket is empty"));
    CHECK(refuses(notification::click("a\0b"sv), "ticket contains the character U+0000"));
    CHECK(refuses(notification::click("t").with_id("a\0b"sv), "id contains the character U+0000"));
    CHECK(refuses(notification::click("t").with_variant("V1"), "variant_key does not belong to click"));
    CHECK(refuses(notification::non_esales_click("a\0b"sv), "product_key contains the character U+0000"));
    CHECK(refuses(notification::payment({}), "lines are missing"));
    CHECK(refuses(notification::payment({order[0], order[1].with_cost("1")}), "lines[1].cost does not belong"));
    CHECK(refuses(notification::payment({line::of_product("P1", 0, "1")}), "lines[0].quantity"));
    CHECK(refuses(notification::payment({order[0], line::of_product("P1", 1, "1,5")}), "lines[1].selling_price"));
    CHECK(refuses(notification::payment({order[0], line::of_product("P1", 1, "1\0"sv)}),
                  "lines[1].selling_price contains the character U+0000"));
    CHECK(refuses(notification::payment({order[0], line::of_product("\0"sv, 1, "1")}), "lines[1].product_key contains"));
    CHECK(refuses(notification::secure_payment(order, "k\0"sv), "private_key contains the character U+0000"));
    CHECK(refuses(notification::secure_payment(order, ""), "private_key is empty"));
    const std::vector<line> too_many(10001, order[0]);
    CHECK(refuses(notification::payment(too_many), "lines has 10001"));
}

TEST_CASE("create returns an error when an option is invalid") {
    using namespace std::string_view_literals;
    const auto unknown = esales::client::create({{"timeout", "1"}});
    CHECK_FALSE(unknown);
    CHECK(unknown.failure().status == ESALES_INVALID_CONFIG);
    CHECK(unknown.failure().detail.find("timeout_ms") != std::string::npos);
    CHECK(esales::client::create({}).failure().detail.find("cluster_id") != std::string::npos);
    const auto nul = esales::client::create({{"market", "a\0b"sv}});
    CHECK(nul.failure().status == ESALES_INVALID_ARGUMENT);
    CHECK(nul.failure().detail.find("market") != std::string::npos);
}

TEST_CASE("NULs and empty strings are refused by name") {
    using namespace std::string_view_literals;
    const auto client = sandbox();
    const auto names = [](const esales::receipt& receipt, const char* name) {
        return receipt.status == ESALES_INVALID_ARGUMENT && receipt.attempts == 0 &&
               receipt.detail.find(name) != std::string::npos;
    };
    CHECK(names(client.notify_add_to_cart(anna, "a\0b"sv), "ticket"));
    CHECK(names(client.notify_add_to_cart(anna, ""), "ticket"));
    CHECK(names(client.notify_add_to_cart(anna, "t", "a\0b"sv), "id"));
    CHECK(names(client.notify_add_to_cart(anna.in_market("a\0b"sv), "t"), "market"));
    CHECK(names(client.notify_add_to_cart(esales::visitor::anonymous("a\0b"sv, "s").in_market("UK"), "t"), "customer_key"));
    CHECK(names(client.notify_add_to_cart(esales::visitor::anonymous("a", "s\0"sv).in_market("UK"), "t"), "session_key"));
    CHECK(names(client.notify_add_to_cart(esales::visitor::signed_in("a", "s", "\0"sv).in_market("UK"), "t"), "token"));
    CHECK(esales::customer_key("a\0b"sv).failure().status == ESALES_INVALID_ARGUMENT);
    CHECK(esales::customer_token("\0"sv, "k").failure().detail.find("private_key") != std::string::npos);
}

TEST_CASE("customer keys and tokens equal known values") {
    const auto key = esales::customer_key("abc");
    REQUIRE(key);
    CHECK(*key == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const auto token = esales::customer_token("key", "The quick brown fox jumps over the lazy dog");
    REQUIRE(token);
    CHECK(*token == "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
    CHECK(esales::new_key()->size() == 36);
    CHECK(esales::version() == ESALES_VERSION);
}

static const auto LONG = std::chrono::seconds(60);

TEST_CASE("enqueued notification is delivered, counted and passed to the callback") {
    std::mutex mutex;
    std::condition_variable reported;
    std::vector<std::string> ids;
    auto client = sandbox();
    REQUIRE(client.on_delivery([&](const esales::receipt& receipt) {
        const std::lock_guard<std::mutex> guard(mutex);
        if (receipt.status == ESALES_DELIVERED) ids.push_back(receipt.id);
        reported.notify_one();
    }));
    // The callback moves with its client.
    auto moved = std::move(client);
    CHECK_FALSE(client.on_delivery(nullptr));
    const auto queued = moved.enqueue_add_to_cart(anna, "ticket");
    CHECK(queued);
    CHECK(queued.status == ESALES_QUEUED);
    CHECK(moved.enqueue_add_to_cart(anna, "ticket", "my-queued-id").id == "my-queued-id");
    const auto flushed = moved.flush(LONG);
    REQUIRE(flushed);
    CHECK(*flushed);
    {
        std::unique_lock<std::mutex> lock(mutex);
        CHECK(reported.wait_for(lock, LONG, [&] { return ids.size() == 2; }));
        CHECK(std::find(ids.begin(), ids.end(), queued.id) != ids.end());
    }
    const auto found = moved.find_receipt(queued.id);
    REQUIRE(found);
    CHECK(found->status == ESALES_DELIVERED);
    CHECK(moved.find_receipt("never seen").failure().status == ESALES_UNKNOWN_ID);
    const auto stats = moved.stats();
    REQUIRE(stats);
    CHECK(stats->spool.accepted >= 2);
    CHECK(stats->spool.accepted == stats->spool.delivered);
    CHECK(stats->process.accepted == stats->spool.accepted);
    CHECK(stats->process_refused == 0);
    CHECK(stats->pending_bytes == 0);
    CHECK(stats->gate_failures == 0);
    CHECK(stats->latency.p50.count() > 0);
}

TEST_CASE("callback can unregister itself") {
    auto client = sandbox();
    std::atomic<int> calls{0};
    auto kept = std::make_shared<int>(7);
    std::weak_ptr<int> watched = kept;
    REQUIRE(client.on_delivery([&, kept](const esales::receipt&) {
        CHECK(client.on_delivery(nullptr));
        // The captured values of the function live until it has ended.
        calls += *kept == 7;
    }));
    kept.reset();
    for (int i = 0; i < 20; i++) CHECK(client.enqueue_add_to_cart(anna, "ticket"));
    CHECK(*client.flush(LONG));
    // A flush may return a little before the callback is called.
    while (calls == 0) std::this_thread::yield();
    CHECK(client.on_delivery(nullptr));
    CHECK(calls == 1);
    CHECK(watched.expired());
}

TEST_CASE("enqueue returns an error when the queue is full") {
    using namespace std::string_view_literals;
    const auto client = esales::client::create({{"base_url", "http://127.0.0.1:9"}, {"max_items", "1"}});
    REQUIRE(client);
    CHECK(client->enqueue_add_to_cart(anna, "t"));
    const auto refused = client->enqueue_add_to_cart(anna, "t");
    CHECK_FALSE(refused);
    CHECK(refused.status == ESALES_QUEUE_FULL);
    CHECK(client->enqueue_add_to_cart(anna, "a\0b"sv).detail.find("ticket") != std::string::npos);
    CHECK(client->find_receipt("a\0b"sv).failure().detail.find("id") != std::string::npos);
    const auto flushed = client->flush(std::chrono::milliseconds(-1));
    REQUIRE(flushed);
    CHECK_FALSE(*flushed);
}

TEST_CASE("stop_delivery stops the delivery") {
    auto client = esales::client::create({{"base_url", "http://127.0.0.1:9"}, {"max_items", "2"}});
    REQUIRE(client);
    CHECK(client->enqueue_add_to_cart(anna, "t"));
    const auto stopped = client->stop_delivery(LONG);
    REQUIRE(stopped);
    CHECK(*stopped);
    CHECK(client->enqueue_add_to_cart(anna, "t"));
    CHECK_FALSE(*client->flush(std::chrono::milliseconds(50)));
    const esales::client elsewhere = std::move(*client);
    CHECK(client->stop_delivery(LONG).failure().status == ESALES_INVALID_ARGUMENT);
    // There is no spool.
    CHECK(*esales::stop_delivery(std::chrono::milliseconds(0)));
}

TEST_CASE("log callback is called until it is unregistered") {
    std::mutex mutex;
    std::vector<std::string> said;
    const auto client = sandbox();
    REQUIRE(esales::log_to(esales::log_level::debug, [&](esales::log_level level, std::string_view words) {
        const std::lock_guard<std::mutex> guard(mutex);
        if (level == esales::log_level::debug) said.emplace_back(words);
    }));
    CHECK(client.notify_add_to_cart(anna, "ticket", "logged"));
    REQUIRE(esales::log_to(esales::log_level::off, nullptr));
    const auto before = said.size();
    CHECK(before > 0);
    CHECK(client.notify_add_to_cart(anna, "ticket"));
    CHECK(said.size() == before);
}

TEST_CASE("callback that throws ends the process by std::terminate") {
    const auto client = sandbox();
    const auto child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        std::set_terminate([] { _exit(42); });
        if (!esales::log_to(esales::log_level::debug, [](esales::log_level, std::string_view) { throw 1; })) _exit(1);
        (void)client.notify_add_to_cart(anna, "ticket");
        _exit(2);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 42);
}

TEST_CASE("client can be moved and shared by threads") {
    static_assert(!std::is_copy_constructible_v<esales::client>);
    static_assert(std::is_nothrow_move_constructible_v<esales::client>);
    auto first = sandbox();
    const auto second = std::move(first);
    // Not a crash: a moved-from client is a NULL handle to C.
    CHECK(first.notify_add_to_cart(anna, "t").status == ESALES_INVALID_ARGUMENT);
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; i++) threads.emplace_back([&] { CHECK(second.notify_add_to_cart(anna, "t")); });
    for (auto& thread : threads) thread.join();
}

TEST_CASE("is_retryable is true after a temporary failure") {
    const auto client = esales::client::create({{"base_url", "http://127.0.0.1:9"}, {"max_attempts", "1"}});
    const auto receipt = client->notify_add_to_cart(anna, "t");
    CHECK_FALSE(receipt);
    CHECK(receipt.status == ESALES_CONNECT_FAILED);
    CHECK(receipt.is_retryable());
    CHECK_FALSE(client->notify_add_to_cart(anna, "").is_retryable());
}
