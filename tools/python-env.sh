#!/bin/sh
# python-env.sh FOLDER LOCK: a Python environment with the packages of the lock, verified by their hashes. Does nothing if
# it is there. FOLDER/installed is the lock that it was made from.
set -eu

cmp -s "$2" "$1/installed" && exit
python3 -m venv "$1"
"$1/bin/pip" install --quiet --disable-pip-version-check --retries 10 --timeout 60 --require-hashes -r "$2"
cp "$2" "$1/installed"
