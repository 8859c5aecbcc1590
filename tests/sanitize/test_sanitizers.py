"""Runs the C programs against the library that tools/sanitize.sh built with AddressSanitizer (and LeakSanitizer) and
with ThreadSanitizer: they report nothing, except the planted defects."""

import os
import pathlib
import subprocess

import pytest

SYMBOLS = {"address": "__asan_report_load8", "thread": "__tsan_read8"}
SANITIZED = pathlib.Path(os.environ["ESALES_NOTIFY_SANITIZED"])
RUNTIMES = pathlib.Path(os.environ["ESALES_NOTIFY_SANITIZER_RUNTIMES"])


def library(sanitizer):
    return SANITIZED / sanitizer / "x86_64-unknown-linux-gnu/release/libesales_notify.so"


def undefined(file):
    return subprocess.run(["nm", file], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def build(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("sanitized")

    def compile_program(sanitizer, source):
        folder = out / sanitizer
        program = folder / pathlib.Path(source).stem
        if program.exists():
            return program
        folder.mkdir(exist_ok=True)
        for name in ("libesales_notify.so.0", "libesales_notify.so"):
            if not (folder / name).exists():
                (folder / name).symlink_to(library(sanitizer))
        is_cpp = source.endswith(".cpp")
        compiler = ["clang++", "-std=c++17"] if is_cpp else ["clang", "-std=gnu11"]
        object_file = program.with_suffix(".o")
        subprocess.run([*compiler, "-g", "-O1", "-Wall", "-Werror", f"-fsanitize={sanitizer}", "-fno-omit-frame-pointer",
                        f"-I{root}/include", "-c", root / source, "-o", object_file], check=True)
        # The runtime of the compiler that instrumented the library, not clang's: there can be only one in a process.
        runtime = RUNTIMES / f"librustc-stable_rt.{sanitizer[0]}san.a"
        subprocess.run([compiler[0], object_file, f"-L{folder}", "-lesales_notify", "-lcmocka", "-lcjson",
                        "-Wl,--whole-archive", runtime, "-Wl,--no-whole-archive", "-Wl,--export-dynamic",
                        "-lpthread", "-ldl", "-lm", "-lrt", "-lresolv", "-o", program], check=True)
        assert SYMBOLS[sanitizer] in undefined(program)
        return program

    return compile_program


@pytest.fixture
def environment(root, sandbox):
    return {
        **os.environ,
        "ESALES_BASE_URL": sandbox.base_url,
        "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
        # By die_after_fork=0 a child may start threads.
        "TSAN_OPTIONS": f"die_after_fork=0:second_deadlock_stack=1:suppressions={root}/tests/sanitize/tsan.supp",
    }


def run(program, *arguments, env):
    env = {**env, "LD_LIBRARY_PATH": str(program.parent)}
    result = subprocess.run([program, *arguments], env=env, capture_output=True, text=True, errors="replace")
    return result.returncode, result.stdout + result.stderr


@pytest.mark.parametrize("sanitizer", SYMBOLS)
def test_sanitized_library_is_instrumented(sanitizer):
    assert f" U {SYMBOLS[sanitizer]}" in undefined(library(sanitizer))


@pytest.mark.parametrize("sanitizer, source, expected", [
    ("address", "overflow.c", "AddressSanitizer: heap-buffer-overflow"),
    ("address", "leak.c", "LeakSanitizer: detected memory leaks"),
    ("thread", "race.c", "ThreadSanitizer: data race"),
])
def test_sanitizer_reports_a_planted_defect(build, environment, sanitizer, source, expected):
    code, said = run(build(sanitizer, f"tests/sanitize/{source}"), env=environment)
    assert code != 0 and expected in said, said
    # The defect is found in the library's code or memory, not only in the program's.
    assert "esales_notify::" in said or "src/ffi/" in said, said


PROGRAMS = ["tests/c/robustness.c", "tests/c/notifications.c", "tests/c/queue.c", "tests/c/fork.c", "tests/c/cpp.cpp", "tests/sanitize/threads.c"]


@pytest.mark.parametrize("source", PROGRAMS)
@pytest.mark.parametrize("sanitizer", SYMBOLS)
def test_sanitizer_reports_nothing_in_the_c_programs(root, build, environment, sandbox, tmp_path, sanitizer, source):
    arguments = {"robustness.c": [root / "tests/vectors"], "queue.c": [tmp_path], "threads.c": [tmp_path]}
    program = build(sanitizer, source)
    if pathlib.Path(source).name in ("notifications.c", "cpp.cpp"):
        # The sandbox refuses a payment whose private key it does not know.
        sandbox.script("204:times=10000")
    code, said = run(program, *arguments.get(pathlib.Path(source).name, []), env=environment)
    assert code == 0 and "Sanitizer" not in said, said[-20000:]
