#!/bin/sh
# Mutation tests of the modules without I/O: changes them in one place at a time, and reports each change that their
# unit tests do not detect. Every change needs a build, so all of them take hours; ARGS="--file src/keys.rs" tests one
# file. tools/mutants.toml lists the modules, and the accepted changes.
# usage: mutants.sh [ARGUMENT OF CARGO-MUTANTS...]
set -eu
cd "$(dirname "$0")/.."

[ -x target/tools/bin/cargo-mutants ] ||
    cargo install --quiet --debug --locked --root target/tools --version 27.1.0 cargo-mutants
exec target/tools/bin/cargo-mutants mutants --config tools/mutants.toml --output target --package esales-notify "$@"
