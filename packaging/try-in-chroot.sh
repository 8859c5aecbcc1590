#!/bin/sh
# Installs the Debian packages with apt in a Debian that has nothing of ours, and sends from there to the command's own
# sandbox. Needs root and debootstrap, and takes minutes: it is not part of `make test`.
#
#   try-in-chroot.sh [SUITE]     SUITE is bookworm unless given
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
suite=${1:-bookworm}
# The mirror that this machine uses itself.
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' "Codename: $suite" | head -n 1)
chroot=$(mktemp -d)
trap 'umount "$chroot/proc" 2>/dev/null || true; rm -rf --one-file-system "$chroot"' EXIT
trap 'exit 1' INT TERM

debootstrap --variant=minbase "$suite" "$chroot" "$mirror"
cp target/packages/*.deb examples/c/add_to_cart.c "$chroot/root"
mount -t proc proc "$chroot/proc"
chroot "$chroot" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive sh -eu -c '
    cd /root
    # Nothing is compiled yet: the command needs no more than the base system.
    apt-get install -y -qq --no-install-recommends ./esales-notify_*.deb ./libesales-notify0_*.deb
    mkfifo stop
    esales-notify sandbox --listen 127.0.0.1:0 --json --until-stdin-closes <stop >started &
    sandbox=$!
    exec 9>stop
    until [ -s started ]; do kill -0 $sandbox; done
    ESALES_BASE_URL=$(sed "s/.*\"base_url\": *\"\([^\"]*\)\".*/\1/" started)
    export ESALES_BASE_URL
    esales-notify send --market UK --ticket abc
    apt-get install -y -qq --no-install-recommends gcc pkg-config ./libesales-notify-dev_*.deb
    cc add_to_cart.c -o shared $(pkg-config --cflags --libs esales_notify)
    ./shared
    exec 9>&-
    wait $sandbox || true
    apt-get purge -y -qq esales-notify libesales-notify-dev libesales-notify0
    [ -z "$(find / -xdev -path /proc -prune -o -name "*esales*" ! -path "/root/*" ! -path "/var/*" -print)" ]
'
echo "the Debian packages work in a fresh $suite, and leave nothing behind"
