# Sourced by the scripts that make packages: where things are, the version, and one moment for everything made of one
# source, so that the same source gives the same package.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
packages=$root/target/packages
portable=$packages/portable
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s -r CHANGELOG.md)}
export SOURCE_DATE_EPOCH

# HOMEPAGE, REPOSITORY and DOCUMENTATION.
. "$root/packaging/project"

# Writes the page $1 to $2, with links that lead somewhere without the repository. The others are kept as they are.
page() {
    from=$1
    to=$2
    shift 2
    python3 packaging/links.py "$from" "$version" "$@" >"$to"
}

# An empty folder for what goes into the package $1.
stage() {
    stage=$packages/stage/$1
    rm -rf "$stage"
    mkdir -p "$stage"
}

# Installs what is portable below a folder: DESTDIR [VARIABLE=VALUE...]
install_into() {
    destination=$1
    shift
    make -s -C "$root" install FROM="$portable" DESTDIR="$destination" "$@"
}

# The same time for all of a folder, and no trace of the umask.
settle() {
    find "$1" -type d -exec chmod 755 {} +
    find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}
