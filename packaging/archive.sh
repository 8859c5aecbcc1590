#!/bin/sh
# archive.sh ARCHIVE: makes everything in a static library of ours local but the functions of the C API, so that a program
# that links it may have the same names: another copy of ring, of SQLite, of Rust's own library. In place.
set -eu

archive=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

nm -g --defined-only "$archive" 2>/dev/null | sed -n 's/.* T \(esales_[a-z_]*\)$/\1/p' | sort -u >"$work/exported"
[ -s "$work/exported" ] || { echo "archive.sh: $archive has no function of the C API" >&2; exit 1; }

# One object of all that these functions need. Sections stay apart, for a program that links it with --gc-sections; groups
# do not, since the linker may drop a group of ours in favour of another one with the same name.
ld -r --force-group-allocation $(sed 's/^/-u /' "$work/exported") -o "$work/all.o" "$archive"
objcopy --keep-global-symbols="$work/exported" "$work/all.o" "$work/esales_notify.o"
ar crsD "$work/archive.a" "$work/esales_notify.o"

# Beside the archive first: a copy may be interrupted, a rename may not.
cp "$work/archive.a" "$archive.new"
mv "$archive.new" "$archive"
