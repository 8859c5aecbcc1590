"""The checks of PHP: the real php and php-fpm, started with other settings by a script."""

import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time

import pytest

CLI, FPM = shutil.which("php"), shutil.which("php-fpm8.2", path="/usr/sbin:/usr/bin")


@pytest.fixture
def php(tmp_path):
    """A php or php-fpm with these settings."""
    assert CLI and FPM, "tools/install-test-tools.sh installs php-cli and php-fpm"
    folder = tmp_path / "php"
    folder.mkdir()

    def make(name, *settings, body=None):
        program = folder / name
        flags = "".join(f" -d {setting}" for setting in settings)
        real = CLI if name == "php" else FPM
        program.write_text(f'#!/bin/sh\n{body or f"exec {real}{flags}"} "$@"\n')
        program.chmod(0o755)
        return program

    make.folder = folder
    return make


@pytest.fixture
def judge(doctor):
    """Runs doctor for one named PHP."""

    def run(program, *arguments):
        return doctor("--php", program, "--base-url", "http://127.0.0.1:1", *arguments)

    return run


def test_doctor_fails_for_php_cli_with_debians_settings(judge):
    facts = judge(CLI).expect("php.cli", "ok", "Command Line Interface")
    assert (facts["php"], facts["ffi_enable"]) == (CLI, "preload") and facts["version"].startswith("8.")


@pytest.mark.parametrize("setting, state, expected", [
    ("ffi.enable=1", "ok", "all code"), ("ffi.enable=true", "ok", "all code"), ("ffi.enable=0", "failed", "switched off"),
    ("ffi.enable=false", "failed", "switched off"), ("ffi.enable=preload", "ok", "is enough"),
])
def test_doctor_judges_ffi_settings_of_php_cli(judge, php, setting, state, expected):
    judged = judge(php("php", setting))
    judged.expect("php.cli", state, expected)
    judged.expect("php.web", "skipped", "none was named")


def test_doctor_fails_when_php_has_no_ffi(judge, php):
    # Without any ini file no extension is loaded.
    judge(php("php", body=f"exec {CLI} -n")).expect("php.cli", "failed", "not loaded", "phpenmod ffi")


def test_doctor_fails_for_php_fpm_with_debians_settings(judge):
    judged = judge(FPM)
    facts = judged.expect("php.web", "failed", "pages may not use FFI", "ffi.enable=1")
    # The advice begins with the best way: one pool.
    assert judged["php.web"]["advice"].startswith("put php_admin_value[ffi.enable] = 1 into the shop's pool")
    assert facts["sapi"] == "FPM/FastCGI"


@pytest.fixture
def readable():
    """A folder that www-data can also read."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


def test_doctor_judges_ffi_settings_of_php_fpm(judge, php, readable):
    there = readable / "preload.php"
    there.write_text("<?php\n")
    broken = readable / "broken.php"
    broken.write_text("<?php nonsense();\n")
    (readable / "preload.php.h").write_text('#define FFI_SCOPE "test"\nint abs(int);\n')
    for settings, state, expected in [
        (["ffi.enable=1"], "ok", "all code"),
        (["ffi.enable=0"], "failed", "switched off"),
        (["ffi.preload=/nonexistent.h"], "failed", "/nonexistent.h"),
        ([f"ffi.preload={there}.h"], "failed", "opcache.preload is not set"),
        (["opcache.preload=/nonexistent.php", "opcache.preload_user=www-data"], "failed", "Failed opening required"),
        ([f"opcache.preload={broken}", "opcache.preload_user=www-data"], "failed", "Fatal error"),
        ([f"opcache.preload={there}"], "failed", "opcache.preload_user"),
        ([f"opcache.preload={there}", "opcache.enable=0"], "failed", "without opcache.enable=1"),
        ([f"opcache.preload={there}", "opcache.preload_user=www-data"], "ok", "must load the binding's preload.php"),
    ]:
        judge(php("php-fpm", *settings)).expect("php.web", state, expected)


def test_doctor_only_warns_of_a_php_that_was_found_on_the_path(doctor, php):
    php("php", "ffi.enable=0")
    php("php-fpm8.2", "ffi.enable=preload")
    php("php-fpm7.4", "ffi.enable=1")
    php("php-config", body="exit 1")
    (php.folder / "php-fpm9").mkdir()
    found = doctor("--base-url", "http://127.0.0.1:1", env={"PATH": f"{doctor.path}:{php.folder}"})
    found.expect("php.cli", "skipped", "switched off (ffi.enable). If the shop runs on this PHP: put ffi.enable=1")
    web = [check for check in found.report["checks"] if check["check"] == "php.web"]
    assert [check["state"] for check in web] == ["ok", "skipped"], web
    assert "php_admin_value[ffi.enable] = 1" in web[1]["found"] and "--php checks it" in web[1]["found"]
    assert found["php.cli"]["facts"]["ffi_enable"] == "Off"


@pytest.fixture
def fpm(php, readable):
    """A php-fpm with its own folder of configuration, which has these pools."""
    folder = readable / "fpm"
    (folder / "pool.d").mkdir(parents=True)
    (folder / "php.ini").write_text("")

    def make(include="{folder}/pool.d/*.conf", below="", **pools):
        (folder / "php-fpm.conf").write_text(
            f"[global]\npid = {folder}/fpm.pid\nerror_log = {folder}/fpm.log\ndaemonize = no\ninclude={include.format(folder=folder)}\n")
        for name, lines in pools.items():
            (folder / f"pool.d/{name}.conf").write_text("\n".join([
                f"[{name}]", "user = www-data", "group = www-data", f"listen = {folder}/{name}.sock", "listen.mode = 0666",
                "pm = static", "pm.max_children = 1", *lines, ""]))
        ini = folder / below
        ini.mkdir(exist_ok=True)
        (ini / "php.ini").write_text("")
        return php("php-fpm", body=f"exec {FPM} -c {ini / 'php.ini'}")

    make.folder = folder
    return make


ALLOWED, REFUSED = ["php_admin_value[ffi.enable] = 1"], []


@pytest.mark.parametrize("pools, state, found, advice", [
    ({"shop": ALLOWED, "www": REFUSED}, "ok", "pool shop: ffi.enable=1, all code may use FFI; pool www: ffi.enable=preload", ""),
    ({"shop": ["php_admin_flag[ffi.enable] = on ; the shop's"], "www": REFUSED}, "ok", "pool shop: ffi.enable=1", ""),
    ({"shop": ['php_admin_value[ffi.enable] = "1"']}, "ok", "pool shop: ffi.enable=1", ""),
    ({"www": REFUSED}, "failed", "pages may not use FFI", "put php_admin_value[ffi.enable] = 1"),
    ({"www": ["; php_admin_value[ffi.enable] = 1"]}, "failed", "pages may not use FFI", ""),
    ({"www": ["php_admin_value[ffi.enable] = 0"]}, "failed", "pool www: FFI is switched off", ""),
    ({"shop": [*ALLOWED, "php_admin_value[disable_functions] = exec,getenv"]}, "failed", "pool shop: functions or classes that the binding needs are disabled: getenv()", ""),
    ({"www": ["php_value[ffi.enable] = 1"]}, "ok", "pool www: ffi.enable=1", ""),
])
def test_doctor_judges_ffi_settings_of_each_pool(judge, fpm, pools, state, found, advice):
    judge(fpm(**pools)).expect("php.web", state, found, advice)


def test_doctor_reports_ffi_enable_of_each_pool_as_a_fact(judge, fpm):
    facts = judge(fpm(shop=ALLOWED, www=REFUSED)).expect("php.web", "ok")
    assert facts["pools"] == {"shop": "1", "www": None} and facts["ffi_enable"] == "preload"


@pytest.mark.parametrize("include, below", [("pool.d/*.conf", ""), ("fpm/pool.d/*.conf", ""), ("{folder}/pool.d/shop.conf", ""),
                                            ("{folder}/pool.d/*.conf", "php")])
def test_doctor_finds_pools_when_their_include_is_relative_or_above_the_ini_folder(judge, fpm, include, below):
    judge(fpm(include, below, shop=ALLOWED)).expect("php.web", "ok", "pool shop: ffi.enable=1")


def test_doctor_accepts_the_line_of_a_pool_that_its_page_shows(judge, fpm, root):
    settings = re.findall(r"`(php_admin_value\[.*?)`", (root / "docs/doctor.md").read_text())
    assert len(settings) == 1
    judge(fpm(shop=settings)).expect("php.web", "ok", "pool shop: ffi.enable=1, all code may use FFI")


def fastcgi(socket_path, script):
    """The answer of a php-fpm to a request for this script."""
    def record(kind, content):
        return struct.pack("!BBHHBB", 1, kind, 1, len(content), 0, 0) + content

    pairs = {"SCRIPT_FILENAME": str(script), "REQUEST_METHOD": "GET"}.items()
    params = b"".join(bytes([len(name), len(value)]) + name.encode() + value.encode() for name, value in pairs)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(socket_path))
        connection.sendall(record(1, struct.pack("!HB5x", 1, 0)) + record(4, params) + record(4, b"") + record(5, b""))
        with connection.makefile("rb") as answer:
            return answer.read()


def test_php_fpm_allows_ffi_to_the_pools_that_doctor_accepts(fpm):
    """The real php-fpm, with two pools that may use FFI and one that may not."""
    program = fpm(shop=ALLOWED, www=REFUSED, value=["php_value[ffi.enable] = 1"])
    page = fpm.folder / "page.php"
    page.write_text("<?php try { FFI::cdef('int abs(int);'); echo 'may'; } catch (FFI\\Exception $e) { echo 'may not'; }")
    with subprocess.Popen([program, "-F", "-y", fpm.folder / "php-fpm.conf"], stderr=subprocess.DEVNULL) as running:
        try:
            sockets = [fpm.folder / f"{pool}.sock" for pool in ("shop", "www", "value")]
            deadline = time.monotonic() + 60
            while not all(one.exists() for one in sockets):
                assert running.poll() is None and time.monotonic() < deadline, (fpm.folder / "fpm.log").read_text()
                time.sleep(0.01)
            answers = [fastcgi(one, page).partition(b"\r\n\r\n")[2] for one in sockets]
        finally:
            running.terminate()
    assert [b"may not" not in answer and b"may" in answer for answer in answers] == [True, False, True], answers


def test_doctor_checks_every_php_that_is_named(doctor, php):
    named = ["--php", CLI, "--php", php("php-fpm", "ffi.enable=1"), "--base-url", "http://127.0.0.1:1"]
    both = doctor(*named)
    both.expect("php.cli", "ok")
    both.expect("php.web", "ok")


def test_doctor_fails_when_the_named_program_is_not_php(judge, php, tmp_path):
    judge("/bin/true").expect("php.cli", "failed", "is not that of PHP")
    judge(tmp_path / "nonexistent").expect("php.cli", "failed", "No such file")
    judge(php("php-fpm", body="echo hello >&2; true")).expect("php.web", "failed", "with -i is not that of PHP: hello", "run it with -i to see its message")


def test_doctor_ends_a_php_that_hangs(judge, php, tmp_path):
    """The PHP holds a lock file open. When doctor has given up, no process does."""
    mark = tmp_path / "mark"
    flock, sleep = shutil.which("flock"), shutil.which("sleep")
    stuck = php("php", body=f"exec 9>{mark}; {flock} 9; exec {sleep} 1000; #")
    judge(stuck, "--timeout-ms", "300").expect("php.cli", "failed", "no answer to -i")
    assert subprocess.run([flock, "--nonblock", str(mark), "true"]).returncode == 0
