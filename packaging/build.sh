#!/bin/sh
# Builds everything that is installed or packaged into target/packages/KIND: the libraries, the command, its manual
# pages and completions, the SBOM and the licences of the dependencies.
#
#   build.sh native     for this machine, by its C compiler
#   build.sh portable   for Linux on x86-64 with glibc 2.17 or later, by zig as C compiler and linker
#   build.sh panicking  the portable library alone, with a way for tests to make it panic
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
kind=$1
out=target/packages/$kind
rm -rf "$out"
mkdir -p "$out/man" "$out/completions"

# build_portable [RUSTC ARGUMENT...] Without the rlib, link-time optimisation covers the whole library, which is then
# 240 kB smaller. Cargo uses the same file name for a build with other arguments, so old files are removed first and the
# result is copied at once.
build_portable() {
    PATH=$root/target/packaging-venv/bin:$PATH
    built=target/x86_64-unknown-linux-gnu/release
    target=x86_64-unknown-linux-gnu.2.17
    rm -f "$built"/deps/libesales_notify.so "$built"/deps/libesales_notify.a
    cargo-zigbuild rustc --locked --release --target $target -p esales-notify --lib --crate-type cdylib,staticlib --features guest \
        -- -C llvm-args=-inline-threshold=25 "$@"
    cp "$built/libesales_notify.so" "$built/libesales_notify.a" "$out"
}

case $kind in
    native)
        cargo rustc --locked --release --lib --crate-type cdylib,staticlib --features guest -- -C llvm-args=-inline-threshold=25
        cp target/release/libesales_notify.so target/release/libesales_notify.a "$out"
        built=target/release
        cargo build --locked --release -p esales-notify-cli
        ;;
    portable)
        build_portable
        cargo-zigbuild zigbuild --locked --release --target $target -p esales-notify-cli
        ;;
    panicking)
        build_portable --cfg esales_test_panic --cfg esales_test_grown
        exit
        ;;
    *) sed -n 's/^#   /usage: /p' "$0" >&2; exit 2 ;;
esac
cp "$built/esales-notify" "$out"
sh packaging/archive.sh "$out/libesales_notify.a" "$out/libesales_notify.a"
strip --strip-unneeded --remove-section=.comment "$out/libesales_notify.so" "$out/esales-notify"
strip --strip-debug --remove-section=.comment --enable-deterministic-archives "$out/libesales_notify.a"

"$out/esales-notify" man "$out/man"
for shell in bash zsh fish; do
    "$out/esales-notify" completions $shell >"$out/completions/$shell"
done
. "$root/packaging/common.sh"
python3 packaging/sbom.py "$kind" "$out"
