"""The public properties of the shared library: its symbols, its name, its linking, its headers, its size."""

import os
import re
import subprocess


def output(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def version_of(root):
    return re.search(r'^version = "(.*)"', (root / "Cargo.toml").read_text(), re.M).group(1)


def test_exported_symbols_equal_the_committed_list(root, library):
    exported = [line.split()[-1] for line in output("nm", "-D", "--defined-only", library).splitlines()]
    assert exported == (root / "tests/abi/symbols.txt").read_text().split()


def test_library_has_a_soname_and_nodelete(library):
    dynamic = output("readelf", "-d", library)
    assert "soname: [libesales_notify.so.0]" in dynamic
    assert re.search(r"Flags:.*NODELETE", dynamic)


def test_library_needs_only_the_c_library(library):
    needed = re.findall(r"NEEDED.*\[(.*)\]", output("readelf", "-d", library))
    # Older versions of glibc, for which the packages are built, have more libraries.
    glibc = {"libc.so.6", "ld-linux-x86-64.so.2", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"}
    assert set(needed) <= {*glibc, "libgcc_s.so.1"}


def test_library_has_no_initialisers(library):
    """No constructor beyond the compiler's frame_dummy and std's argument catcher (which only stores argc and argv)."""
    section = re.search(r"\.init_array\s+INIT_ARRAY\s+\S+\s+\S+\s+(\S+)", output("readelf", "-SW", library))
    assert int(section.group(1), 16) <= 2 * 8


def test_headers_use_only_prefixed_names(root):
    for header in ("include/esales_notify.h", "bindings/php/resources/esales_notify.h"):
        text = (root / header).read_text()
        for macro in re.findall(r"^#define (\w+)", text, re.M):
            assert macro.startswith(("ESALES_", "FFI_")), macro
        for name in re.findall(r"^(?:int32_t|void|const char \*) ?(\w+)\(", text, re.M):
            assert name.startswith("esales_"), name


def test_header_declares_exactly_the_exported_symbols(root):
    symbols = set((root / "tests/abi/symbols.txt").read_text().split())
    for header in ("include/esales_notify.h", "bindings/php/resources/esales_notify.h"):
        declared = set(re.findall(r"\b(esales_\w+)\(", re.sub(r"/\*.*?\*/", "", (root / header).read_text(), flags=re.S)))
        assert declared == symbols, header


def test_php_ffi_parses_its_header(root, library_dir):
    """Both the ini setting ffi.preload and FFI::load read the library's name from the header."""
    header = root / "bindings/php/resources/esales_notify.h"
    show = 'echo $ffi->esales_version(), " ", FFI::sizeof($ffi->new("esales_receipt"));'
    env = {**os.environ, "LD_LIBRARY_PATH": str(library_dir)}
    for arguments in (
        ["-d", f"ffi.preload={header}", "-r", f'$ffi = FFI::scope("esales_notify"); {show}'],
        ["-r", f'$ffi = FFI::load("{header}"); {show}'],
    ):
        result = subprocess.run(["php", *arguments], env=env, capture_output=True, text=True)
        assert (result.returncode, result.stdout) == (0, f"{version_of(root)} 416"), result


def test_versions_of_library_header_and_bindings_agree(root):
    version = version_of(root)
    assert f'#define ESALES_VERSION "{version}"' in (root / "include/esales_notify.h").read_text()
    assert f"## {version}" in (root / "CHANGELOG.md").read_text()


def test_library_has_no_dependencies_of_the_tools(root):
    tree = output("cargo", "tree", "--manifest-path", root / "Cargo.toml", "-p", "esales-notify", "-e", "normal,build",
                  "--prefix", "none")
    for crate in ("clap", "tokio", "hyper", "axum", "rcgen", "cbindgen", "proptest", "tempfile"):
        assert not re.search(rf"^{crate} ", tree, re.M), crate


def test_library_size_is_within_its_bound(library, tmp_path, root, capsys):
    stripped = tmp_path / "stripped.so"
    output("strip", "-o", stripped, library)
    size = stripped.stat().st_size
    program = tmp_path / "load"
    output("gcc", "-O2", "-o", program, root / "tests/abi/load_time.c", "-ldl")
    with capsys.disabled():
        print(f"\nstripped library: {size / 2**20:.2f} MiB; dlopen: {output(program, stripped).strip()}")
    assert size <= 4 * 2**20
