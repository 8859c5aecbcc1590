// A C++ host with handlers for SIGPIPE, SIGTERM, SIGCHLD, SIGPROF and SIGALRM, none with SA_RESTART, and with timers
// that fire a thousand times a second: system calls are interrupted everywhere.
//
//   signals SECONDS   sends and enqueues until SIGTERM, or for so long; then flushes, and prints what it saw. ESALES_*
//                     says where to. Prints "ready" when all its threads are at work; every id that was taken is a line
//                     on stdout.
//   signals descriptors   what a started program finds open beyond 0, 1 and 2
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fstream>
#include <string>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "esales_notify.h"

namespace {

constexpr int handled[] = {SIGPIPE, SIGTERM, SIGCHLD, SIGPROF, SIGALRM};
std::atomic<int> seen[NSIG];
std::atomic<bool> should_stop, a_foreign_thread_ran_a_handler;
// The host's threads register here.
std::atomic<pid_t> ours[64];
std::atomic<int> ours_count;
char foreign_name[17];

pid_t tid() { return static_cast<pid_t>(syscall(SYS_gettid)); }

// All signals are blocked, as in a new thread, which is not registered yet.
void join_the_hosts_threads() {
    ours[ours_count++] = tid();
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

extern "C" void handle(int signal) {
    const int saved = errno;
    const pid_t me = tid();
    bool is_ours = false;
    for (int i = 0; i < ours_count && i < 64; i++) is_ours |= ours[i] == me;
    if (!is_ours) {
        a_foreign_thread_ran_a_handler = true;
        prctl(PR_GET_NAME, foreign_name);
    }
    ++seen[signal];
    if (signal == SIGTERM) should_stop = true;
    errno = saved;
}

void install() {
    for (const int signal : handled) {
        struct sigaction action{};
        action.sa_handler = handle;
        if (sigaction(signal, &action, nullptr) != 0) std::exit(3);
    }
}

bool are_still_installed() {
    for (const int signal : handled) {
        struct sigaction action{};
        if (sigaction(signal, nullptr, &action) != 0 || action.sa_handler != handle || action.sa_flags & SA_RESTART) return false;
    }
    return true;
}

void took(const std::string &id) {
    const std::string line = id + "\n";
    while (write(1, line.data(), line.size()) < 0 && errno == EINTR) continue;
}

std::atomic<int> sent, enqueued, lost_connections, unexpected;

template <class Call>
void tell(Call call, const esales_client *client, std::int32_t good, std::atomic<int> &count) {
    esales_visitor visitor = ESALES_VISITOR_INIT;
    esales_receipt receipt = ESALES_RECEIPT_INIT;
    visitor.market = "UK";
    visitor.customer_key = "d9528030-509c-4e0f-b585-7168f1e9feca";
    visitor.session_key = "b106299c-eac0-4f6f-96d2-93e57c255784";
    const std::int32_t status = call(client, &visitor, "t", nullptr, &receipt);
    if (status == good) {
        took(receipt.id), ++count;
    } else if (status == ESALES_CONNECTION_LOST) {
        ++lost_connections;
    } else {
        std::fprintf(stderr, "%s %s\n", esales_status_name(status), receipt.detail), ++unexpected;
    }
}

void send_on(const esales_client *client) {
    join_the_hosts_threads();
    while (!should_stop) tell(esales_notify_add_to_cart, client, ESALES_DELIVERED, sent);
}

// Limits the notifications that are flushed at the end, however slow the machine is.
bool has_much_to_deliver(const esales_client *client) {
    esales_stats stats = ESALES_STATS_INIT;
    return esales_client_stats(client, &stats) == 0 && stats.pending > 200;
}

void enqueue_on(const esales_client *client) {
    join_the_hosts_threads();
    while (!should_stop) {
        if (!has_much_to_deliver(client)) tell(esales_enqueue_add_to_cart, client, ESALES_QUEUED, enqueued);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

long descriptors() {
    long count = -3;  // Itself and two names that are none.
    DIR *const folder = opendir("/proc/self/fd");
    while (readdir(folder)) ++count;
    closedir(folder);
    return count;
}

// A child of the host, for which only the host may wait. It ends at once, or runs a program that lists its inherited
// descriptors.
bool has_child_ended_well(bool is_exec) {
    const pid_t child = fork();
    if (child == 0) {
        if (is_exec) execl("/proc/self/exe", "signals", "descriptors", nullptr);
        _exit(is_exec);
    }
    int status = -1;
    pid_t waited;
    while ((waited = waitpid(child, &status, 0)) < 0 && errno == EINTR) continue;
    return waited == child && status == 0;
}

double seconds_of(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// Checks that the library's threads, found by their names, block every signal that can be blocked.
int threads_of_the_library() {
    int count = 0;
    DIR *const folder = opendir("/proc/self/task");
    while (const dirent *const entry = readdir(folder)) {
        const std::string task = std::string("/proc/self/task/") + entry->d_name;
        std::string name, line;
        std::getline(std::ifstream(task + "/comm"), name);
        const bool is_named = name.rfind("esales-", 0) == 0;
        const pid_t number = std::atoi(entry->d_name);
        bool is_ours = number == 0;
        for (int i = 0; i < ours_count; i++) is_ours |= ours[i] == number;
        if (is_ours) continue;
        std::ifstream status(task + "/status");
        unsigned long long blocked = 0;
        while (std::getline(status, line))
            if (line.rfind("SigBlk:", 0) == 0) blocked = std::stoull(line.substr(7), nullptr, 16);
        // The thread may have ended meanwhile.
        if (blocked == 0 && access(task.c_str(), F_OK) != 0) continue;
        // KILL and STOP cannot be blocked; 32 and 33 belong to the C library.
        constexpr unsigned long long all = ~0ull & ~(1ull << (SIGKILL - 1)) & ~(1ull << (SIGSTOP - 1)) & ~(3ull << 31);
        if (!is_named || (blocked & all) != all)
            std::fprintf(stderr, "thread %s: \"%s\" blocks %#llx\n", entry->d_name, name.c_str(), blocked), ++unexpected;
        ++count;
    }
    closedir(folder);
    return count;
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    if (std::strcmp(argv[1], "descriptors") == 0) {
        if (descriptors() != 3) std::fprintf(stderr, "%ld descriptors in a started program\n", descriptors());
        return descriptors() != 3;
    }
    join_the_hosts_threads();
    install();
    esales_client *client = nullptr;
    if (esales_client_new(nullptr, &client) < 0) return std::fprintf(stderr, "%s\n", esales_last_error()), 1;

    const double began = seconds_of(CLOCK_MONOTONIC), began_of_cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    const itimerval often{{0, 1000}, {0, 1000}};
    if (setitimer(ITIMER_PROF, &often, nullptr) != 0 || setitimer(ITIMER_REAL, &often, nullptr) != 0) return 3;
    std::vector<std::thread> threads;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    for (int i = 0; i < 2; i++) {
        threads.emplace_back(send_on, client);
        threads.emplace_back(enqueue_on, client);
    }
    while (ours_count < 5) std::this_thread::yield();
    sigemptyset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    while (enqueued == 0 || sent == 0) std::this_thread::yield();
    took("ready");

    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::atoi(argv[1]));
    int most_threads = 0, children = 0;
    bool was_child_reaped = true;
    while (!should_stop && std::chrono::steady_clock::now() < end) {
        const int now = threads_of_the_library();
        most_threads = now > most_threads ? now : most_threads;
        was_child_reaped &= has_child_ended_well(children % 10 == 0);
        ++children;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    should_stop = true;
    for (auto &thread : threads) thread.join();
    const bool is_flushed = esales_client_flush(client, 300000, nullptr) == 0;
    const double elapsed = seconds_of(CLOCK_MONOTONIC) - began, of_cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - began_of_cpu;
    const itimerval never{};
    setitimer(ITIMER_PROF, &never, nullptr), setitimer(ITIMER_REAL, &never, nullptr);
    esales_client_free(client);
    // No child is left, as a zombie or otherwise.
    was_child_reaped &= waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD;

    const bool ok = is_flushed && are_still_installed() && !a_foreign_thread_ran_a_handler && was_child_reaped && unexpected == 0;
    std::fprintf(stderr, "flushed %d, installed %d, foreign %d%s, reaped %d, unexpected %d\n", is_flushed, are_still_installed(),
                 a_foreign_thread_ran_a_handler.load(), foreign_name, was_child_reaped, unexpected.load());
    std::fprintf(stderr, "sent %d enqueued %d lost %d threads %d children %d PIPE %d TERM %d CHLD %d PROF %d ALRM %d ms %.0f cpu_ms %.0f\n",
                 sent.load(), enqueued.load(), lost_connections.load(), most_threads, children, seen[SIGPIPE].load(),
                 seen[SIGTERM].load(), seen[SIGCHLD].load(), seen[SIGPROF].load(), seen[SIGALRM].load(), elapsed * 1000,
                 of_cpu * 1000);
    return !ok;
}
