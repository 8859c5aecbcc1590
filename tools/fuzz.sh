#!/bin/sh
# Fuzzes every entry point that parses foreign data, for FUZZ_SECONDS each (default 20). Failing inputs are kept in
# fuzz/artifacts. Once fixed, move them to fuzz/seeds, which `make test` runs.
set -eu
cd "$(dirname "$0")/.."

# Sanitizers and coverage are not stable in rustc yet. This lets the project's own toolchain have them.
export RUSTC_BOOTSTRAP=1
export PATH="$PWD/target/fuzz-tools/bin:$PATH"
[ -x target/fuzz-tools/bin/cargo-fuzz ] ||
    cargo install --quiet --locked --root target/fuzz-tools --version 0.13.2 cargo-fuzz
cargo fuzz build --target-dir target/fuzz

# Thousands of spools are made, in a memory file system if the machine has one.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm

# run TARGET SECONDS: its output is in target/fuzz/TARGET.log.
run() {
    mkdir -p "fuzz/corpus/$1"
    cargo fuzz run --target-dir target/fuzz "$1" "fuzz/corpus/$1" "fuzz/seeds/$1" -- \
        -max_total_time="$2" -timeout=10 -print_final_stats=1 >"target/fuzz/$1.log" 2>&1
}

# First a planted defect. It shows that the sanitizer is on and that a crash fails the run.
if run planted 5 || ! grep -q 'AddressSanitizer: heap-buffer-overflow' target/fuzz/planted.log; then
    echo "the planted defect was not found: see target/fuzz/planted.log" >&2
    exit 1
fi
rm -rf fuzz/artifacts/planted

failed=
for target in config answer retry_after segment journal dead_letters spool_files c_arguments; do
    if run "$target" "${FUZZ_SECONDS:-20}"; then
        echo "$target: $(awk '/number_of_executed_units/ { print $2 }' "target/fuzz/$target.log") inputs, nothing found"
    else
        failed="$failed $target"
        tail -n 40 "target/fuzz/$target.log" >&2
    fi
done
[ -z "$failed" ] || { echo "found something:$failed; see target/fuzz and fuzz/artifacts" >&2; exit 1; }
