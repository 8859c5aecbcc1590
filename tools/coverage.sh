#!/bin/sh
# Runs the tests of Rust, of C and of Python with coverage counters, and prints for each file of src/ how much of it no
# test ran. The source with its counts is target/coverage/html/index.html. Needs `rustup component add llvm-tools`, and
# ESALES_NOTIFY_COMMAND for the tests of C and Python.
set -eu
cd "$(dirname "$0")/.."

host=$(rustc -vV | sed -n 's/^host: //p')
llvm=$(rustc --print sysroot)/lib/rustlib/$host/bin
[ -x "$llvm/llvm-cov" ] || { echo "coverage.sh: rustc's llvm-cov is missing: rustup component add llvm-tools" >&2; exit 1; }
out=$PWD/target/coverage
rm -rf "$out/raw" "$out/html"
mkdir -p "$out/raw"

# Each program has eight files, which its processes share.
export LLVM_PROFILE_FILE="$out/raw/%8m.profraw" CARGO_TARGET_DIR="$out/build"
with_counts() {
    env RUSTFLAGS="-C instrument-coverage" "$@"
}

programs=$(with_counts cargo test --locked -p esales-notify --no-run 2>&1 | tee /dev/stderr |
    sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
with_counts cargo test --locked -p esales-notify --lib --tests
with_counts cargo rustc --locked --lib --crate-type cdylib --features guest
library=$out/libesales_notify.so
cp "$out/build/debug/libesales_notify.so" "$library"
run="env ESALES_NOTIFY_LIBRARY=$library .venv/bin/python -m pytest -q -n 4 --dist loadgroup"
$run tests/c -k "not compiles_everywhere and not valgrind and not panic"
$run bindings/python/tests --ignore=bindings/python/tests/test_package.py

"$llvm/llvm-profdata" merge --sparse --failure-mode=warn "$out"/raw/*.profraw -o "$out/counts"
objects=$(printf -- '--object %s ' $programs)
# Tests, and the kit that tests the spool's engines, are left out.
set -- --instr-profile "$out/counts" --ignore-filename-regex '/src/(.*/)?(tests|kit)(/|\.rs)|_tests\.rs' \
    "$library" $objects "$PWD/src"
"$llvm/llvm-cov" show --format html --output-dir "$out/html" "$@"
"$llvm/llvm-cov" report --show-branch-summary=false "$@"
