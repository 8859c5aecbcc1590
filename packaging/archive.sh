#!/bin/sh
# archive.sh ARCHIVE OUT: copies the static library so that only the functions of the C API are global symbols. A program
# that links the copy may contain the same names as the library, for example another copy of ring or of Rust's standard
# library.
set -eu

archive=$1 out=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

nm -g --defined-only "$archive" 2>/dev/null | sed -n 's/.* T \(esales_[a-z_]*\)$/\1/p' | sort -u >"$work/exported"
[ -s "$work/exported" ] || { echo "archive.sh: $archive has no function of the C API" >&2; exit 1; }

# Links all needed code into one object. Sections stay separate, for programs linked with --gc-sections. Section groups
# are resolved, because the linker could replace a group by one of another library with the same name.
# By Rust's linker, and without the LLVM bitcode of Rust's standard library: with LLVM's plugin GNU's tools crash on it.
host=$(rustc -vV | sed -n 's/^host: //p')
"$(rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld" -flavor gnu -r --force-group-allocation $(sed 's/^/-u /' "$work/exported") -o "$work/all.o" "$archive"
objcopy --keep-global-symbols="$work/exported" --remove-section=.llvmbc --remove-section=.llvmcmd "$work/all.o" "$work/esales_notify.o"
ar crsD "$work/archive.a" "$work/esales_notify.o"

# A copy may be interrupted, so it gets its name when it is complete.
cp "$work/archive.a" "$out.new"
mv "$out.new" "$out"
