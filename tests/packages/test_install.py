"""make install: the installed files, and C programs that find the library by pkg-config and by CMake."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


@pytest.fixture
def prefix(make_install, tmp_path):
    """Installs below a folder and then moves it, because no file may depend on the place of the installation."""
    make_install("install", PREFIX=tmp_path / "first", DESTDIR="")
    (tmp_path / "first").rename(tmp_path / "prefix")
    return tmp_path / "prefix"


def test_make_install_installs_the_listed_files(prefix, version):
    found = files(prefix)
    pages = [path for path in found if path.startswith("share/man/man1/")]
    assert {"share/man/man1/esales-notify.1", "share/man/man1/esales-notify-drain.1"} <= set(pages)
    assert [path for path in found if path not in pages] == [
        "bin/esales-notify",
        "include/esales_notify.h",
        "include/esales_notify.hpp",
        "lib/cmake/esales_notify/esales_notify-config-version.cmake",
        "lib/cmake/esales_notify/esales_notify-config.cmake",
        "lib/esales_notify/libesales_notify.a",
        "lib/libesales_notify.a",
        "lib/libesales_notify.so",
        "lib/libesales_notify.so.0",
        f"lib/libesales_notify.so.{version}",
        "lib/pkgconfig/esales_notify-libdir.pc",
        "lib/pkgconfig/esales_notify.pc",
        "lib/systemd/system/esales-notify-drain.service",
        "share/bash-completion/completions/esales-notify",
        "share/doc/esales-notify/CHANGELOG.md",
        "share/doc/esales-notify/LICENSE-APACHE",
        "share/doc/esales-notify/LICENSE-MIT",
        "share/doc/esales-notify/README.md",
        "share/doc/esales-notify/THIRD-PARTY-LICENSES.txt",
        "share/fish/vendor_completions.d/esales-notify.fish",
        "share/zsh/site-functions/_esales-notify",
    ]
    assert (prefix / "lib/libesales_notify.so").readlink().name == "libesales_notify.so.0"
    assert (prefix / "lib/libesales_notify.so.0").readlink().name == f"libesales_notify.so.{version}"


def test_make_install_uses_the_given_folders(make_install, tmp_path):
    where = {"PREFIX": "/opt/shop", "LIBDIR": "/opt/shop/lib/x86_64-linux-gnu", "INCLUDEDIR": "/opt/headers"}
    make_install("install", DESTDIR=tmp_path / "stage", **where)
    found = files(tmp_path / "stage")
    assert "opt/shop/lib/x86_64-linux-gnu/libesales_notify.so.0" in found
    assert "opt/headers/esales_notify.h" in found
    unit = (tmp_path / "stage/opt/shop/lib/systemd/system/esales-notify-drain.service").read_text()
    assert "ExecStart=/opt/shop/bin/esales-notify drain\n" in unit and "/usr/bin" not in unit
    for path in found:
        assert str(tmp_path).encode() not in (tmp_path / "stage" / path).read_bytes(), path


def test_make_uninstall_removes_only_what_was_installed(make_install, tmp_path):
    make_install("install", PREFIX="/usr", DESTDIR=tmp_path)
    others = ["usr/lib/libother.so", "usr/share/man/man1/esales.1", "usr/share/doc/esales-notify/mine.txt"]
    for other in others:
        (tmp_path / other).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / other).write_text("")
    make_install("uninstall", PREFIX="/usr", DESTDIR=tmp_path)
    assert files(tmp_path) == sorted(others)
    assert not (tmp_path / "usr/lib/cmake/esales_notify").exists()
    assert not (tmp_path / "usr/lib/esales_notify").exists()


def test_make_install_removes_an_older_version(make_install, tmp_path, version):
    """The older version is removed when a newer one is installed, so that ldconfig does not have to choose."""
    older = tmp_path / "usr/lib/libesales_notify.so.0.0.9"
    older.parent.mkdir(parents=True)
    older.write_text("")
    make_install("install", PREFIX="/usr", DESTDIR=tmp_path)
    assert sorted(path.name for path in older.parent.glob("*.so*")) == [
        "libesales_notify.so", "libesales_notify.so.0", f"libesales_notify.so.{version}"]
    older.write_text("")
    make_install("uninstall", PREFIX="/usr", DESTDIR=tmp_path)
    assert not list(older.parent.glob("*.so*"))


def test_second_make_install_replaces_the_first(make_install, tmp_path):
    make_install("install", PREFIX="/usr", DESTDIR=tmp_path)
    first = files(tmp_path)
    make_install("install", PREFIX="/usr", DESTDIR=tmp_path)
    assert files(tmp_path) == first


@pytest.mark.xdist_group("repository")
def test_installation_in_a_home_folder_delivers(root, elsewhere, readme_installs, quick_build, delivers):
    """Runs the commands of docs/install.md, which first build the library, with an empty home folder."""
    home = pathlib.Path.home()
    rust = {"CARGO_HOME": os.environ.get("CARGO_HOME", home / ".cargo"), "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", home / ".rustup")}
    environment = {**rust, "PATH": os.environ["PATH"], "HOME": elsewhere.folder, **quick_build}
    subprocess.run(["sh", "-e", "-c", readme_installs[1]], cwd=root, env=environment, check=True)
    program = (root / "target/add_to_cart").rename(elsewhere.folder / "program")
    assert "libesales_notify.so.0" in elsewhere.run("readelf", "-d", program)
    delivers(program)
    assert (elsewhere.folder / ".local/lib/libesales_notify.a").is_file()


def pkg_config(elsewhere, prefix, *arguments):
    """Uses the path of the .pc file, because pkg-config knows neither the new nor the original folder."""
    return elsewhere.run("pkg-config", *arguments, prefix / "lib/pkgconfig/esales_notify.pc").split()


@pytest.mark.parametrize("language", ["c", "cpp"])
def test_program_links_the_shared_library_by_pkg_config(elsewhere, prefix, delivers, language, version):
    compiler = {"c": ["cc"], "cpp": ["c++", "-std=c++17"]}[language]
    source = elsewhere.copy(f"examples/{language}/add_to_cart.{language}")
    assert pkg_config(elsewhere, prefix, "--modversion") == [version]
    elsewhere.run(*compiler, source, "-o", "program", *pkg_config(elsewhere, prefix, "--cflags", "--libs"),
                  f"-Wl,-rpath,{prefix / 'lib'}")
    assert "libesales_notify.so.0" in elsewhere.run("readelf", "-d", "program")
    delivers("./program")


@pytest.mark.parametrize("flags", [[], ["-static-libgcc"], ["-static"]], ids=["dynamic", "static-libgcc", "static"])
@pytest.mark.parametrize("language", ["c", "cpp"])
def test_program_links_the_archive_by_pkg_config_static(elsewhere, prefix, delivers, language, flags):
    """The archive is linked although the shared library is in the same folder."""
    compiler = {"c": ["cc"], "cpp": ["c++", "-std=c++17"]}[language]
    source = elsewhere.copy(f"examples/{language}/add_to_cart.{language}")
    elsewhere.run(*compiler, *flags, source, "-o", "program", *pkg_config(elsewhere, prefix, "--static", "--cflags", "--libs"))
    assert "libesales_notify" not in elsewhere.run("readelf", "-d", "program")
    shutil.rmtree(prefix / "lib")
    delivers("./program")


def test_pkg_config_lists_the_libraries_that_static_linking_needs(prefix, tmp_path):
    """The compiler adds libgcc by itself, shared or static."""
    done = subprocess.run(["rustc", "--edition=2024", "--crate-type=staticlib", "--crate-name=empty", "--print=native-static-libs",
                           "-o", tmp_path / "empty.a", "-"], input="", check=True, capture_output=True, text=True)
    words = done.stderr.split("native-static-libs: ")[1].splitlines()[0].split()
    words.remove("-lgcc_s")
    (private,) = re.findall(r"^Libs.private: -L\S+ (.*)$", (prefix / "lib/pkgconfig/esales_notify.pc").read_text(), re.M)
    assert private.split() == words
    names = ";".join(word.removeprefix("-l") for word in words)
    assert f'INTERFACE_LINK_LIBRARIES "{names}"' in (prefix / "lib/cmake/esales_notify/esales_notify-config.cmake").read_text()


CMAKE = """cmake_minimum_required(VERSION 3.13)
project(shop C CXX)
find_package(esales_notify {version} REQUIRED)
add_executable(program add_to_cart.c)
target_link_libraries(program PRIVATE {target})
add_executable(program_cpp add_to_cart.cpp)
target_compile_features(program_cpp PRIVATE cxx_std_17)
target_link_libraries(program_cpp PRIVATE {target})
"""


@pytest.mark.parametrize("target", ["esales_notify::esales_notify", "esales_notify::static"])
def test_program_links_the_library_by_cmake(elsewhere, prefix, delivers, target):
    elsewhere.copy("examples/c/add_to_cart.c")
    elsewhere.copy("examples/cpp/add_to_cart.cpp")
    elsewhere.write("CMakeLists.txt", CMAKE.format(version="0.1", target=target))
    elsewhere.run("cmake", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    elsewhere.run("cmake", "--build", "build")
    for program in ("build/program", "build/program_cpp"):
        linked = "libesales_notify" in elsewhere.run("readelf", "-d", program)
        assert linked == (target != "esales_notify::static")
        # CMake has written the library's folder into the program's run path.
        delivers(elsewhere.folder / program)


@pytest.mark.parametrize("wanted", ["0.2", "1.0", "0.0.9", "0.1.99"])
def test_cmake_refuses_an_incompatible_version(elsewhere, prefix, wanted):
    elsewhere.copy("examples/c/add_to_cart.c")
    elsewhere.copy("examples/cpp/add_to_cart.cpp")
    elsewhere.write("CMakeLists.txt", CMAKE.format(version=wanted, target="esales_notify::static"))
    words = elsewhere.run("cmake", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefix}", code=1)
    assert "compatible with requested version" in " ".join(words.split())


def test_make_install_installs_the_command_and_its_man_pages(elsewhere, prefix, version):
    command = prefix / "bin/esales-notify"
    assert elsewhere.run(command, "--version") == f"esales-notify {version}\n"
    for page in sorted((prefix / "share/man/man1").iterdir()):
        words = elsewhere.run("man", "--warnings", "-l", page, MANPAGER="cat", LC_ALL="C.UTF-8", MANWIDTH="100")
        assert "NAME" in words and "warning:" not in words, page
    # Each visible subcommand has a page; the hidden one, which writes the pages, has none.
    shown = elsewhere.run(command, "--help")
    pages = {page.stem for page in (prefix / "share/man/man1").iterdir()}
    for name in ("send", "drain", "queue", "doctor", "sandbox", "demo", "options", "completions"):
        assert f"  {name} " in shown and f"esales-notify-{name}" in pages
    assert "esales-notify-man" not in pages


def test_installed_completions_are_loaded_by_bash(elsewhere, prefix):
    script = prefix / "share/bash-completion/completions/esales-notify"
    ask = f"""source {script}
        function=$(complete -p esales-notify | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        COMP_WORDS=(esales-notify dr) COMP_CWORD=1
        $function esales-notify dr esales-notify
        echo "${{COMPREPLY[@]}}" """
    assert elsewhere.run("bash", "-c", ask) == "drain\n"


@pytest.mark.parametrize("shell,script", [
    ("zsh", "zsh/site-functions/_esales-notify"),
    ("fish", "fish/vendor_completions.d/esales-notify.fish"),
])
def test_installed_completions_are_accepted_by_their_shell(elsewhere, prefix, shell, script):
    """The shell only parses the completions. With an unclosed quote they must fail."""
    installed = prefix / "share" / script
    assert elsewhere.run(shell, "-n", installed) == ""
    broken = elsewhere.write("broken", installed.read_text() + "\n'")
    assert elsewhere.run(shell, "-n", broken, code={"zsh": 1, "fish": 127}[shell]) != ""
