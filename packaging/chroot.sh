#!/bin/sh
# Makes two Debians in target/chroot, which tests/packages/test_chroot.py unpacks and enters: minimal.tar is the base
# system, tools.tar also has the compilers and interpreters that users of the packages have. Neither contains Rust or a
# part of this project. They are made once, from the mirror of this machine's apt. Needs root and debootstrap.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
tools="curl gcc g++ libc6-dev make pkg-config cmake python3-venv php-cli php-zip composer unzip
    mono-mcs mono-runtime libmono-system-core4.0-cil libmono-system-runtime-serialization4.0-cil libmono-system-xml4.0-cil nuget"
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")

mirror() {
    apt-get indextargets --format '$(SITE)' 'Created-By: Packages' "Codename: $suite" | head -n 1
}
mirror=$(mirror)
# A machine whose apt has never been updated does not know the package.
[ -n "$mirror" ] || { apt-get -o Acquire::Retries=5 update -qq && mirror=$(mirror); }
[ -n "$mirror" ] || { echo "apt has no mirror of $suite" >&2; exit 1; }
eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
[ -z "${http_proxy:-}" ] || export http_proxy

mkdir -p target/chroot
debian=$(mktemp -d target/chroot/making.XXXXXX)
chmod 755 "$debian"
trap 'rm -rf --one-file-system "$debian"' EXIT
trap 'exit 1' INT TERM

pack() {
    rm -rf "$debian"/var/lib/apt/lists/* "$debian"/var/cache/apt/*
    tar --numeric-owner -C "$debian" -cf "target/chroot/$1.part" .
    mv "target/chroot/$1.part" "target/chroot/$1"
}

inside() { # in a mount namespace, so that nothing stays mounted
    unshare --mount sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$debian" \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive ${http_proxy:+http_proxy="$http_proxy"} "$@"
}

debootstrap --variant=minbase "$suite" "$debian" "$mirror" >target/chroot/log 2>&1 || { cat target/chroot/log >&2; exit 1; }
# The chroot is discarded, so syncs are skipped. A download is tried again, because a mirror may fail once.
echo force-unsafe-io >"$debian/etc/dpkg/dpkg.cfg.d/unsafe-io"
echo 'Acquire::Retries "5";' >"$debian/etc/apt/apt.conf.d/retries"
pack minimal.tar
{
    inside apt-get update -qq
    # shellcheck disable=SC2086 -- the list is meant to split.
    inside apt-get install -y -qq --no-install-recommends $tools
} >target/chroot/log 2>&1 || { cat target/chroot/log >&2; exit 1; }
pack tools.tar
