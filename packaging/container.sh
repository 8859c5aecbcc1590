#!/bin/sh
# Makes target/packages/container, the build context of packaging/container/Dockerfile.
. "$(dirname "$0")/common.sh"

context=$packages/container
rm -rf "$context"
mkdir -p "$context/state" "$context/run" "$context/licences"
cp packaging/container/Dockerfile "$context"
install -m 755 "$portable/esales-notify" "$context/esales-notify"
cp LICENSE-MIT LICENSE-APACHE "$portable/THIRD-PARTY-LICENSES.txt" "$context/licences"
settle "$context"
