#!/bin/sh
# Builds the library with AddressSanitizer and with ThreadSanitizer, and runs the C programs of tests/c and
# tests/sanitize against both. Needs what tools/install-test-tools.sh installs, and ESALES_NOTIFY_COMMAND.
set -eu
cd "$(dirname "$0")/.."

target=x86_64-unknown-linux-gnu
libraries=$(rustc --print sysroot)/lib/rustlib/$target/lib
# Sanitizers are not stable in rustc yet. This lets the project's own toolchain have them.
export RUSTC_BOOTSTRAP=1
# The shipped configuration, but faster to build and with line numbers. std is not rebuilt, so it is not instrumented.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=line-tables-only
export CC_x86_64_unknown_linux_gnu=clang

# Linked like the feature `guest`, but without its allocator, because the sanitizers need their own.
linked="-Clink-arg=-Wl,-soname,libesales_notify.so.0 -Clink-arg=-Wl,-z,nodelete"

# build NAME [RUSTFLAG...]
build() {
    name=$1
    shift
    env CARGO_TARGET_DIR="target/sanitize/$name" \
        RUSTFLAGS="-Zsanitizer=$name -Cunsafe-allow-abi-mismatch=sanitizer -Cforce-frame-pointers=yes $linked $*" \
        CFLAGS_x86_64_unknown_linux_gnu="-fsanitize=$name -fno-omit-frame-pointer -g" \
        cargo rustc --locked --release --lib --crate-type cdylib --target $target
}

# Finds the mangled name of a function of std by its end.
std() {
    name=$(nm -D "$libraries"/libstd-*.so | awk '{ print $NF }' | grep "^_RNv.*3std3sys4sync.*$1\$" | sort -u)
    [ "$(printf '%s\n' "$name" | grep -c .)" = 1 ] || { echo "std has no one function $1: $name" >&2; exit 1; }
    echo "$name"
}

build address

# See tests/sanitize/std_sync.c.
lock=$(std 5mutex5futex.*14lock_contended)
wait=$(std 7condvar5futex.*Condvar4wait)
wait_timeout=$(std 7condvar5futex.*Condvar12wait_timeout)
once=$(std 4once5futex.*Once4call)
mkdir -p target/sanitize
clang -O1 -fPIC -c tests/sanitize/std_sync.c -o target/sanitize/std_sync.o -DMUTEX_LOCK="$lock" \
    -DCONDVAR_WAIT="$wait" -DCONDVAR_WAIT_TIMEOUT="$wait_timeout" -DONCE_CALL="$once"
build thread "-Clink-arg=$PWD/target/sanitize/std_sync.o" \
    "-Clink-arg=-Wl,--wrap=$lock,--wrap=$wait,--wrap=$wait_timeout,--wrap=$once"

exec env ESALES_NOTIFY_SANITIZED="$PWD/target/sanitize" ESALES_NOTIFY_SANITIZER_RUNTIMES="$libraries" \
    .venv/bin/python -m pytest -q tests/sanitize
