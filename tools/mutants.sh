#!/bin/sh
# Changes the pure rooms in one place at a time, and reports each change that their own unit tests do not notice. Every change
# is a build, so all of them take hours; ARGS="--file src/identity.rs" is for one file. tools/mutants.toml names the rooms, and
# what may stay.
# usage: mutants.sh [ARGUMENT OF CARGO-MUTANTS...]
set -eu
cd "$(dirname "$0")/.."

[ -x target/tools/bin/cargo-mutants ] ||
    cargo install --quiet --debug --locked --root target/tools --version 27.1.0 cargo-mutants
exec target/tools/bin/cargo-mutants mutants --config tools/mutants.toml --output target --package esales-notify "$@"
