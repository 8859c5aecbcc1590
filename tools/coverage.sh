#!/bin/sh
# Runs the tests of Rust, and those that drive the library and the command from outside, with coverage counters, and
# prints for each file of src/ how much of it no test ran. The source with its counts is
# target/coverage/html/index.html. Needs `rustup component add llvm-tools`.
set -eu
cd "$(dirname "$0")/.."

host=$(rustc -vV | sed -n 's/^host: //p')
llvm=$(rustc --print sysroot)/lib/rustlib/$host/bin
[ -x "$llvm/llvm-cov" ] || { echo "coverage.sh: rustc's llvm-cov is missing: rustup component add llvm-tools" >&2; exit 1; }
out=$PWD/target/coverage
rm -rf "$out/raw" "$out/html"
mkdir -p "$out/raw"

# Each program has eight files, which its processes share. The counts are in the files at once (%c), because many tests
# kill processes.
export LLVM_PROFILE_FILE="$out/raw/%c%8m.profraw" CARGO_TARGET_DIR="$out/build"
with_counts() {
    env RUSTFLAGS="-C instrument-coverage -C llvm-args=-runtime-counter-relocation" "$@"
}

programs=$(with_counts cargo test --locked -p esales-notify --no-run 2>&1 | tee /dev/stderr |
    sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
with_counts cargo test --locked -p esales-notify --lib --tests
with_counts cargo rustc --locked --lib --crate-type cdylib --features guest
library=$out/libesales_notify.so
cp "$out/build/debug/libesales_notify.so" "$library"
with_counts cargo build --locked -p esales-notify-cli
command=$out/build/debug/esales-notify
# Left out: tests of programs that link another library, and tests that count what the process itself opens, writes or
# allocates, and so notice the files with the counts.
failed=
for suite in tests/c tests/net tests/cli tests/agent tests/reliability tests/fleet tests/hosts bindings/python/tests; do
    env ESALES_NOTIFY_LIBRARY="$library" ESALES_NOTIFY_COMMAND="$command" .venv/bin/python -m pytest -q -n 4 --dist loadgroup $suite \
        --ignore=bindings/python/tests/test_package.py -k "not compiles_everywhere and not valgrind and not panic \
        and not standard_descriptor and not size_of_files and not memory_stays_flat and not linking and not side_effect" ||
        failed="$failed $suite"
done

# A process that a test starts with an environment of its own writes its counts where it runs.
find . -maxdepth 1 -name 'default_*.profraw' -exec mv {} "$out/raw" \;
"$llvm/llvm-profdata" merge --sparse --failure-mode=warn "$out"/raw/*.profraw -o "$out/counts"
objects=$(printf -- '--object %s ' $programs)
# Tests, and the kit that tests the spool's engines, are left out.
set -- --instr-profile "$out/counts" --ignore-filename-regex '/src/(.*/)?(tests|kit)(/|\.rs)|_tests\.rs' \
    "$library" $objects --object "$command" "$PWD/src"
"$llvm/llvm-cov" show --format html --output-dir "$out/html" "$@"
"$llvm/llvm-cov" report --show-branch-summary=false "$@"
[ -z "$failed" ] || { echo "coverage.sh: tests failed in$failed" >&2; exit 1; }
