#!/bin/sh
# Installs what `make test` needs beside Rust: Debian packages, the Python environment .venv, and the .NET runtime.
# Does nothing where all of it is there. Needs root, or sudo, only for packages that are missing.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

# The first line is for C and C++, then PHP, Python, C#, then the sandbox's page and the reference of the C API, the peers
# of the benchmarks, and last the packages.
packages="gcc g++ clang binutils valgrind strace libcmocka-dev libcjson-dev doctest-dev
    php-cli php-zip nginx-light php-fpm apache2-bin libapache2-mod-php8.2 phpunit composer php-codesniffer
    uwsgi-core uwsgi-plugin-python3
    mono-mcs mono-runtime libmono-system-core4.0-cil libmono-system-runtime-serialization4.0-cil libmono-system-xml4.0-cil
    chromium curl fonts-dejavu-core doxygen
    wrk php-curl libcurl4-openssl-dev libmono-system-net-http4.0-cil openssl ca-certificates
    abigail-tools cmake debootstrap dpkg-dev fish lintian make man-db pkg-config systemd zsh"
# Whatever provides these commands will do; Debian's packages if nothing does.
command -v npm >/dev/null || packages="$packages npm"
python3 -c 'import ensurepip' 2>/dev/null || packages="$packages python3-venv"

missing=
for package in $packages; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get -o Acquire::Retries=5 update -qq
    # shellcheck disable=SC2086 -- the list is meant to split.
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=5 install -y -qq --no-install-recommends $missing
fi

if ! cmp -s tests/requirements.txt .venv/installed; then
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --retries 10 --timeout 60 -r tests/requirements.txt
    cp tests/requirements.txt .venv/installed
fi

# The Python peers of the benchmarks, apart from what the tests use.
if ! cmp -s benches/requirements.txt target/bench-venv/installed; then
    python3 -m venv target/bench-venv
    target/bench-venv/bin/pip install --quiet --disable-pip-version-check --retries 10 --timeout 60 -r benches/requirements.txt
    cp benches/requirements.txt target/bench-venv/installed
fi

dotnet=target/dotnet/node_modules/dotnet-3.1-linux-x64/dotnet
if [ ! -x "$dotnet" ]; then
    npm install --silent --fetch-retries 5 --no-save --no-package-lock --prefix target/dotnet dotnet-3.1-linux-x64@3.1.1007
fi
[ -x "$dotnet" ] || { echo "the .NET runtime is not at $dotnet" >&2; exit 1; }

axe=target/axe/node_modules/axe-core/axe.min.js
if [ ! -f "$axe" ]; then
    npm install --silent --fetch-retries 5 --no-save --no-package-lock --prefix target/axe axe-core@4.14.1
fi
[ -f "$axe" ] || { echo "axe-core is not at $axe" >&2; exit 1; }
