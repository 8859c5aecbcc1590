#!/bin/sh
# Compiles the binding, its tests and its examples with Mono's compiler, and runs the suite.
#
#   test.sh [-b BUILD] [-f FILTER] mono
#   test.sh [-b BUILD] [-f FILTER] dotnet PATH_TO_DOTNET
#
# BUILD:  folder for what is compiled; target/csharp/RUNTIME under the repository's root unless given.
# FILTER: runs only the tests whose names contain it.
# Needs ESALES_NOTIFY_LIBRARY (the built library) and ESALES_NOTIFY_COMMAND (the command esales-notify).
set -eu

usage() {
    sed -n 's/^#   /usage: /p' "$0" >&2
    exit 2
}

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=
filter=
while getopts b:f: option; do
    case $option in
        b) build=$OPTARG ;;
        f) filter=$OPTARG ;;
        *) usage ;;
    esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || usage
runtime=$1
case $runtime in
    mono) [ $# -eq 1 ] || usage; program=mono ;;
    dotnet) [ $# -eq 2 ] || usage; program=$2 ;;
    *) usage ;;
esac
for needed in mcs "$program"; do
    command -v "$needed" >/dev/null || { echo "test.sh: $needed is not installed" >&2; exit 1; }
done
program=$(command -v "$program")
case $program in /*) ;; *) program=$PWD/$program ;; esac

build=${build:-$root/target/csharp/$runtime}
mkdir -p "$build"
build=$(cd "$build" && pwd)

# 7.2 is the highest that mcs knows; the project file allows 7.3.
compile="mcs -langversion:7.2 -warnaserror -optimize+"
$compile -unsafe -target:library -out:"$build/Esales.Notify.dll" -doc:"$build/Esales.Notify.xml" "$here"/src/*.cs
$compile -r:"$build/Esales.Notify.dll" -out:"$build/tests.exe" "$here"/tests/*.cs
for example in AddToCart OtherEvents Queue; do
    $compile -r:"$build/Esales.Notify.dll" -out:"$build/$example.exe" "$here/examples/$example.cs"
done

# The tests start programs of their own by this script, in the same runtime.
if [ "$runtime" = mono ]; then
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$program" >"$build/run"
else
    cat >"$build/runtimeconfig.json" <<'JSON'
{"runtimeOptions": {
  "framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"},
  "rollForward": "LatestMajor",
  "configProperties": {"System.Globalization.Invariant": true}
}}
JSON
    printf '#!/bin/sh\nexec "%s" exec --runtimeconfig "%s" "$@"\n' "$program" "$build/runtimeconfig.json" >"$build/run"
fi
chmod +x "$build/run"

# Some tests use paths that are not ASCII, and Mono prints a question mark for each such character under the C locale.
export LC_ALL=C.UTF-8
ESALES_TEST_ROOT=$root ESALES_TEST_RUN=$build/run exec "$build/run" "$build/tests.exe" "$filter"
