#!/bin/sh
# Puts what is installed and packaged into target/packages/KIND: the libraries, the command, its manual pages and
# completions, the bill of materials and the licences of others.
#
#   build.sh native     for this machine, by its C compiler
#   build.sh portable   for Linux on x86-64 with glibc 2.17 or later, by zig as C compiler and linker
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
kind=$1
out=target/packages/$kind
rm -rf "$out"
mkdir -p "$out/man" "$out/completions"

case $kind in
    native)
        cargo rustc --locked --release --lib --crate-type cdylib,staticlib
        cp target/release/libesales_notify.so target/release/libesales_notify.a "$out"
        built=target/command/release
        env CARGO_TARGET_DIR=target/command cargo build --locked --release -p esales-notify-cli
        ;;
    portable)
        PATH=$root/target/packaging-venv/bin:$PATH
        built=target/x86_64-unknown-linux-gnu/release
        target=x86_64-unknown-linux-gnu.2.17
        # Without the rlib, link-time optimisation reaches all of the library: it is 240 kB smaller. Cargo gives the two
        # kinds of build the same file name, so what the command's build left there must go, and the copy come first.
        rm -f "$built"/deps/libesales_notify.so "$built"/deps/libesales_notify.a
        cargo-zigbuild rustc --locked --release --target $target -p esales-notify --lib --crate-type cdylib,staticlib
        cp "$built/libesales_notify.so" "$built/libesales_notify.a" "$out"
        cargo-zigbuild zigbuild --locked --release --target $target -p esales-notify-cli
        ;;
    *) sed -n 's/^#   /usage: /p' "$0" >&2; exit 2 ;;
esac
cp "$built/esales-notify" "$out"
strip --strip-unneeded --remove-section=.comment "$out/libesales_notify.so" "$out/esales-notify"
strip --strip-debug --remove-section=.comment --enable-deterministic-archives "$out/libesales_notify.a"

"$out/esales-notify" man "$out/man"
for shell in bash zsh fish; do
    "$out/esales-notify" completions $shell >"$out/completions/$shell"
done
. "$root/packaging/common.sh"
python3 packaging/bill.py "$kind" "$out"
