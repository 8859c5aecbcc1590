#!/bin/sh
# Builds into target/packages/KIND what is installed or packaged: the libraries, the command, its manual pages and
# completions, the SBOM and the licences of the dependencies.
#
#   build.sh native     for this machine, by its C compiler
#   build.sh library    the libraries alone, for Linux on x86-64 with glibc 2.17 or later, by zig as C compiler and linker
#   build.sh panicking  the same with a way for tests to make it panic
#   build.sh portable   everything for the same systems, with the libraries of `library`
#
# `make test` and `make bench` use those of `library`.
# BUILD_PROFILE=dev: `native` is the debug build of `make build`, which takes minutes less. The tests of the installation
# use it.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
kind=$1
out=target/packages/$kind
rm -rf "$out"
mkdir -p "$out"
target=x86_64-unknown-linux-gnu.2.17
built=target/x86_64-unknown-linux-gnu/release
# Without the rlib, link-time optimisation covers the whole library, which is then 240 kB smaller and a seventh faster.
# The lower inlining threshold saves more than half a megabyte.
types="--crate-type cdylib,staticlib"
shape="--features guest -- -C llvm-args=-inline-threshold=15"

copy_libraries() {
    cp "$built/libesales_notify.so" "$out"
    sh packaging/archive.sh "$built/libesales_notify.a" "$out/libesales_notify.a"
}

# build_portable ARGUMENT... Cargo uses the same file name for a build with other arguments, so old files are
# removed first and the result is copied at once.
build_portable() {
    rm -f "$built"/deps/libesales_notify.so "$built"/deps/libesales_notify.a
    # The system's unwinder instead of zig's: an exception of the host that leaves a callback is GCC's, and crashes in another.
    cargo-zigbuild rustc --locked --release --target $target -p esales-notify --lib "$@" -C link-arg="$(cc -print-file-name=libgcc_s.so.1)"
    ln -s libesales_notify.so "$out/libesales_notify.so.0"
}

[ "$kind" = native ] || PATH=$root/target/packaging-venv/bin:$PATH
case $kind${BUILD_PROFILE:+-$BUILD_PROFILE} in
    native)
        built=target/release
        cargo rustc --locked --release --lib $types $shape
        copy_libraries
        cargo build --locked --release -p esales-notify-cli
        ;;
    native-dev)
        built=target/debug
        env -u MAKEFLAGS -u MFLAGS make -s build
        copy_libraries
        ;;
    library)
        build_portable $types $shape
        copy_libraries
        exit
        ;;
    panicking)
        # Optimised like a debug build, because only its linker and its dependencies matter.
        build_portable --crate-type cdylib $shape --cfg esales_test_panic --cfg esales_test_grown -C opt-level=0
        cp "$built/libesales_notify.so" "$out"
        exit
        ;;
    portable)
        cp target/packages/library/libesales_notify.so target/packages/library/libesales_notify.a "$out"
        cargo-zigbuild zigbuild --locked --release --target $target -p esales-notify-cli
        ;;
    *) sed -n 's/^#   /usage: /p' "$0" >&2; exit 2 ;;
esac
mkdir "$out/man" "$out/completions"
cp "$built/esales-notify" "$out"
strip --strip-unneeded --remove-section=.comment "$out/libesales_notify.so" "$out/esales-notify"
strip --strip-debug --remove-section=.comment --enable-deterministic-archives "$out/libesales_notify.a"

"$out/esales-notify" man "$out/man"
for shell in bash zsh fish; do
    "$out/esales-notify" completions $shell >"$out/completions/$shell"
done
. "$root/packaging/common.sh"
python3 packaging/sbom.py "$kind" "$out"
