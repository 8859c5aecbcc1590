#!/bin/sh
# Writes the locks of the tools again: each requirements.txt from its requirements.in, each package-lock.json from its
# package.json. Only packages in the locks are installed, verified by their hashes. Needs npm and Python.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

python3 -m venv target/lock-venv
target/lock-venv/bin/pip install --quiet --disable-pip-version-check pip-tools==7.6.2
for folder in tests benches packaging tools/site; do
    (
        cd "$folder"
        # The locks contain no URLs, so that they also work with a mirror.
        env -u PIP_FIND_LINKS CUSTOM_COMPILE_COMMAND="sh tools/lock-tools.sh" "$root/target/lock-venv/bin/pip-compile" --quiet \
            --generate-hashes --allow-unsafe --strip-extras --annotation-style=line \
            --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --output-file requirements.txt requirements.in
    )
done
for folder in tools/npm/*/; do
    (cd "$folder" && npm install --silent --package-lock-only --omit-lockfile-registry-resolved)
done
