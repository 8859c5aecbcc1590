#!/bin/sh
# The demo, against a sandbox on loopback: every language on this machine sends the same notification, and the command
# sends a visit from its first click to a payment.
# usage: demo.sh LIBRARY COMMAND
set -eu

library=$1
command=$2
root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/target/demo
mkdir -p "$out"
ln -sf "$library" "$out/libesales_notify.so.0"
ln -sf "$library" "$out/libesales_notify.so"

# The table has this order. Each program finds the sandbox by ESALES_BASE_URL, which the command sets.
set -- demo

# add NAME COMMAND: a language that is installed. lack NAME HOW: a language that is not.
c="env LD_LIBRARY_PATH='$out'"
"${CC:-cc}" -I"$root/include" "$root/examples/c/add_to_cart.c" -L"$out" -lesales_notify -o "$out/c"
set -- "$@" --run "C=$c '$out/c'"

if command -v "${CXX:-c++}" >/dev/null; then
    "${CXX:-c++}" -std=c++17 -I"$root/include" "$root/examples/cpp/add_to_cart.cpp" -L"$out" -lesales_notify -o "$out/cpp"
    set -- "$@" --run "C++=$c '$out/cpp'"
else
    set -- "$@" --missing "C++=apt-get install g++"
fi

l="env ESALES_NOTIFY_LIBRARY='$library'"
set -- "$@" --run "Python=$l PYTHONPATH='$root/bindings/python/src' python3 '$root/bindings/python/examples/add_to_cart.py'"

if command -v php >/dev/null && php -r 'exit(extension_loaded("FFI") ? 0 : 1);'; then
    # In a shop, composer makes this file; preload.php stands in for it.
    mkdir -p "$out/vendor"
    echo "<?php require '$root/bindings/php/preload.php';" >"$out/vendor/autoload.php"
    set -- "$@" --run "PHP=cd '$out' && $l php '$root/bindings/php/examples/add_to_cart.php'"
else
    set -- "$@" --missing "PHP=apt-get install php-cli (7.4 or newer, with its FFI extension)"
fi

if command -v mcs >/dev/null && command -v mono >/dev/null; then
    mcs -nologo -unsafe -out:"$out/csharp.exe" "$root"/bindings/csharp/src/*.cs "$root/bindings/csharp/examples/AddToCart.cs"
    set -- "$@" --run "C#=$l mono '$out/csharp.exe'"
else
    set -- "$@" --missing "C#=apt-get install mono-mcs mono-runtime"
fi

exec "$command" "$@"
