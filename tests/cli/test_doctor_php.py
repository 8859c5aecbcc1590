"""PHP as doctor finds it: the real php and php-fpm, with other settings, by a script that passes them on."""

import os
import pathlib
import shutil
import subprocess
import tempfile

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
    """Of one PHP that was named."""

    def run(program, *arguments):
        return doctor("--php", program, "--base-url", "http://127.0.0.1:1", *arguments)

    return run


def test_doctor_fails_for_php_cli_with_debians_settings(judge):
    facts = judge(CLI).expect("php.cli", "ok", "Command Line Interface")
    assert (facts["php"], facts["ffi_enable"]) == (CLI, "preload") and facts["version"].startswith("8.")


@pytest.mark.parametrize("setting, state, words", [
    ("ffi.enable=1", "ok", "all code"), ("ffi.enable=true", "ok", "all code"), ("ffi.enable=0", "failed", "switched off"),
    ("ffi.enable=false", "failed", "switched off"), ("ffi.enable=preload", "ok", "is enough"),
])
def test_doctor_judges_ffi_settings_of_php_cli(judge, php, setting, state, words):
    judged = judge(php("php", setting))
    judged.expect("php.cli", state, words)
    judged.expect("php.web", "skipped", "none was named")


def test_doctor_fails_when_php_has_no_ffi(judge, php):
    # Without any ini file no extension is loaded.
    judge(php("php", body=f"exec {CLI} -n")).expect("php.cli", "failed", "not loaded", "phpenmod ffi")


def test_doctor_fails_for_php_fpm_with_debians_settings(judge):
    facts = judge(FPM).expect("php.web", "failed", "pages may not use FFI", "ffi.enable=1")
    assert facts["sapi"] == "FPM/FastCGI"


@pytest.fixture
def readable():
    """A folder that www-data can read too."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


def test_doctor_judges_ffi_settings_of_php_fpm(judge, php, readable):
    there = readable / "preload.php"
    there.write_text("<?php\n")
    broken = readable / "broken.php"
    broken.write_text("<?php nonsense();\n")
    (readable / "preload.php.h").write_text('#define FFI_SCOPE "test"\nint abs(int);\n')
    for settings, state, words in [
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
        judge(php("php-fpm", *settings)).expect("php.web", state, words)


def test_doctor_only_warns_of_a_php_that_was_found_on_the_path(doctor, php):
    php("php", "ffi.enable=0")
    php("php-fpm8.2", "ffi.enable=preload")
    php("php-fpm7.4", "ffi.enable=1")
    php("php-config", body="exit 1")
    (php.folder / "php-fpm9").mkdir()
    found = doctor("--base-url", "http://127.0.0.1:1", env={"PATH": f"{doctor.path}:{php.folder}"})
    found.expect("php.cli", "warning", "switched off")
    web = [check for check in found.report["checks"] if check["check"] == "php.web"]
    assert [check["state"] for check in web] == ["ok", "warning"], web


def test_doctor_checks_every_php_that_is_named(doctor, php):
    named = ["--php", CLI, "--php", php("php-fpm", "ffi.enable=1"), "--base-url", "http://127.0.0.1:1"]
    both = doctor(*named)
    both.expect("php.cli", "ok")
    both.expect("php.web", "ok")


def test_doctor_fails_when_the_named_program_is_not_php(judge, php, tmp_path):
    judge("/bin/true").expect("php.cli", "failed", "does not describe itself")
    judge(tmp_path / "nonexistent").expect("php.cli", "failed", "No such file")
    judge(php("php-fpm", body="echo hello >&2; true")).expect("php.web", "failed", "with -i: hello", "run it with -i")


def test_doctor_ends_a_php_that_hangs(judge, php, tmp_path):
    """It holds a lock file open; when doctor has given up, nobody does."""
    mark = tmp_path / "mark"
    flock, sleep = shutil.which("flock"), shutil.which("sleep")
    stuck = php("php", body=f"exec 9>{mark}; {flock} 9; exec {sleep} 1000; #")
    judge(stuck, "--timeout-ms", "300").expect("php.cli", "failed", "no answer to -i")
    assert subprocess.run([flock, "--nonblock", str(mark), "true"]).returncode == 0
