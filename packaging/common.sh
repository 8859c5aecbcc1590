# Sourced by the scripts that make packages: the folders, the version, and one time stamp for all files, so that the
# same source gives the same package.
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

# Writes the page $1 to $2. Links into the repository become web addresses; other links stay unchanged.
page() {
    from=$1
    to=$2
    shift 2
    python3 packaging/links.py "$from" "$version" "$@" >"$to"
}

# Makes an empty folder for the contents of the package $1.
stage() {
    stage=$packages/stage/$1
    rm -rf "$stage"
    mkdir -p "$stage"
}

# Installs the portable build below a folder: DESTDIR [VARIABLE=VALUE...]
install_into() {
    destination=$1
    shift
    env -u MAKEFLAGS -u MFLAGS make -s -C "$root" install FROM="$portable" DESTDIR="$destination" "$@"
}

# Sets the same time for all files of a folder, and modes that do not depend on the umask.
settle() {
    find "$1" -type d -exec chmod 755 {} +
    find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}
