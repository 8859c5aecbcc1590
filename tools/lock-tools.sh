#!/bin/sh
# Writes the locks of the tools again: each requirements.txt from its requirements.in, each package-lock.json from its
# package.json. What the locks name is installed by its hash and nothing else is. Needs npm and Python.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

python3 -m venv target/lock-venv
target/lock-venv/bin/pip install --quiet --disable-pip-version-check pip-tools==7.6.2
for folder in tests benches packaging tools/site; do
    (
        cd "$folder"
        # Addresses stay out: a lock is as good with a mirror.
        env -u PIP_FIND_LINKS CUSTOM_COMPILE_COMMAND="sh tools/lock-tools.sh" "$root/target/lock-venv/bin/pip-compile" --quiet \
            --generate-hashes --allow-unsafe --strip-extras --annotation-style=line \
            --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --output-file requirements.txt requirements.in
    )
done
for folder in tools/npm/*/; do
    (cd "$folder" && npm install --silent --package-lock-only --omit-lockfile-registry-resolved)
done
