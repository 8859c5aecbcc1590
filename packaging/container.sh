#!/bin/sh
# target/packages/container: the folder in which packaging/container/Dockerfile is built.
. "$(dirname "$0")/common.sh"

context=$packages/container
rm -rf "$context"
mkdir -p "$context/state" "$context/run" "$context/licences"
cp packaging/container/Dockerfile "$context"
install -m 755 "$portable/esales-notify" "$context/esales-notify"
cp LICENSE-MIT LICENSE-APACHE "$portable/THIRD-PARTY-LICENSES.txt" "$context/licences"
settle "$context"
