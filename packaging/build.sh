#!/bin/sh
# Builds into target/packages/KIND what is installed or packaged: the libraries, the command, its manual pages and
# completions, the SBOM and the licences of the dependencies.
#
#   build.sh native     for this machine, by its C compiler
#   build.sh portable   for Linux on x86-64 with glibc 2.17 or later, by zig as C compiler and linker; the libraries of
#                       `library`
#   build.sh library    the portable libraries alone, with symbols. `make test` and `make bench` use them
#   build.sh panicking  the same with a way for tests to make it panic
#
# BUILD_PROFILE: Cargo's profile of `native`, unless it is release. The tests of the installation use dev, which builds faster.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
kind=$1
out=target/packages/$kind
rm -rf "$out"
mkdir -p "$out"
target=x86_64-unknown-linux-gnu.2.17
# Without the rlib, link-time optimisation covers the whole library, which is then 240 kB smaller and a seventh faster.
# The lower inlining threshold saves more than half a megabyte.
shape="-p esales-notify --lib --crate-type cdylib,staticlib --features guest"
flags="-- -C llvm-args=-inline-threshold=15"

# build_portable [RUSTC ARGUMENT...] Cargo uses the same file name for a build with other arguments, so old files are
# removed first and the result is copied at once.
build_portable() {
    built=target/x86_64-unknown-linux-gnu/release
    rm -f "$built"/deps/libesales_notify.so "$built"/deps/libesales_notify.a
    # The system's unwinder instead of zig's: an exception of the host that leaves a callback is GCC's, and crashes in another.
    cargo-zigbuild rustc --locked --release --target $target $shape $flags -C link-arg="$(cc -print-file-name=libgcc_s.so.1)" "$@"
    cp "$built/libesales_notify.so" "$out"
    ln -s libesales_notify.so "$out/libesales_notify.so.0"
    sh packaging/archive.sh "$built/libesales_notify.a" "$out/libesales_notify.a"
}

[ "$kind" = native ] || PATH=$root/target/packaging-venv/bin:$PATH
case $kind in
    native)
        profile=${BUILD_PROFILE:-release}
        # The same build as `make build`, which would otherwise replace its files while they are used.
        [ "$profile" = release ] || flags=
        cargo rustc --locked --profile "$profile" $shape $flags
        built=target/$([ "$profile" = dev ] && echo debug || echo "$profile")
        cp "$built/libesales_notify.so" "$out"
        sh packaging/archive.sh "$built/libesales_notify.a" "$out/libesales_notify.a"
        cargo build --locked --profile "$profile" -p esales-notify-cli
        ;;
    portable)
        built=target/x86_64-unknown-linux-gnu/release
        cp target/packages/library/libesales_notify.so target/packages/library/libesales_notify.a "$out"
        cargo-zigbuild zigbuild --locked --release --target $target -p esales-notify-cli
        ;;
    library)
        build_portable
        exit
        ;;
    panicking)
        build_portable --cfg esales_test_panic --cfg esales_test_grown
        exit
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
