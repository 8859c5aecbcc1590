"""Compiles C99 and C++ programs against the built library and runs them, also under valgrind."""

import json
import os
import re
import subprocess

import pytest

C99 = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
CPP17 = ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
# POSIX for threads and strdup; cmocka needs setjmp and stdarg, which C99 has.
C_TEST = ["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-g", "-O1", "-pthread"]


def run(*command, env=None):
    result = subprocess.run([str(part) for part in command], env={**os.environ, **(env or {})}, capture_output=True)
    output = (result.stdout + result.stderr).decode(errors="replace")
    assert result.returncode == 0, f"{command}:\n{output}"
    return result.stdout.decode(errors="replace") + result.stderr.decode(errors="replace")


@pytest.fixture(scope="session")
def build(root, library_dir, tmp_path_factory):
    out = tmp_path_factory.mktemp("programs")

    def compile_program(source, *flags):
        compiler, standard = ("g++", CPP17) if source.endswith(".cpp") else ("gcc", C_TEST)
        program = out / source.replace("/", "-").rsplit(".", 1)[0]
        if not program.exists():
            # Flags after the sources, because they contain the libraries.
            run(compiler, *standard, f"-I{root}/include", root / source, f"-L{library_dir}", *flags,
                "-lesales_notify", "-o", program)
        return program

    return compile_program


@pytest.fixture
def environment(library_dir, sandbox):
    return {"LD_LIBRARY_PATH": str(library_dir), "ESALES_BASE_URL": sandbox.base_url}


@pytest.mark.parametrize(
    "compiler",
    [
        ["gcc", *C99], ["clang", *C99], ["gcc", "-std=c11", *C99[1:]],
        ["g++", "-x", "c++", *CPP17], ["clang++", "-x", "c++", *CPP17], ["g++", "-x", "c++", "-std=c++98", "-Wall", "-Werror"],
    ],
    ids=lambda c: " ".join(c),
)
def test_c_header_compiles_with_every_compiler_and_standard(root, tmp_path, library_dir, compiler):
    program = tmp_path / "header"
    run(*compiler, f"-I{root}/include", root / "tests/c/header.c", "-o", program)
    run(program)


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("flags", [[], ["-fno-exceptions"], ["-fno-rtti", "-O2"], ["-std=c++20"]], ids=" ".join)
def test_cpp_header_compiles_with_every_compiler_and_standard(root, tmp_path, compiler, flags):
    run(compiler, *CPP17, *flags, f"-I{root}/include", "-c", root / "examples/cpp/add_to_cart.cpp", "-o", tmp_path / "o")


def test_c_functions_refuse_null_and_invalid_arguments(root, build, environment, sandbox):
    program = build("tests/c/robustness.c", "-lcmocka", "-lcjson")
    output = run(program, root / "tests/vectors", env=environment)
    assert "[  PASSED  ] 10 test(s)." in output, output
    # Only its successful calls send: 4, and 2 in each of 25 rounds of 16 threads.
    assert sandbox.status()["received"] == 4 + 16 * 25 * 2


def test_c_program_sends_every_kind_of_notification(build, environment, sandbox):
    sandbox.script("204:times=10000")
    output = run(build("tests/c/notifications.c", "-lcmocka"), env=environment)
    assert "[  PASSED  ] 11 test(s)." in output, output
    # Only its successful calls send: 7 kinds twice, 2 large orders, 7 offsets, 7 kinds four times, 1, and
    # what 8 threads send in 25 rounds.
    assert sandbox.status()["received"] == 14 + 2 + 7 + 28 + 1 + 8 * 25 * 2


def test_c_program_uses_every_queue_function(build, environment, sandbox, tmp_path):
    output = run(build("tests/c/queue.c", "-lcmocka"), tmp_path, env=environment)
    assert "[  PASSED  ] 9 test(s)." in output, output
    ids = [r["notification"]["id"] for r in sandbox.received()]
    assert len(ids) == len(set(ids)) == 2 * 160 + 20 + 20 + 2 * 60 + 2 * 20 + 420


def test_process_that_stops_its_delivery_before_exit_sends_nothing_twice(build, environment, sandbox, tmp_path):
    program = build("tests/c/stop.c")
    environment |= {"ESALES_SPOOL": str(tmp_path / "spool"), "ESALES_CONCURRENCY": "8"}
    run(program, "enqueue", 6000, env={**environment, "ESALES_DELIVERY": "none"})
    rounds = 0
    while (before := sandbox.status()["received"]) < 6000:
        run(program, ["client", "process", "fork"][rounds % 3], 200, env=environment)
        rounds += 1
        assert sandbox.status()["received"] > before
    ids = [r["notification"]["id"] for r in sandbox.received()]
    duplicates = len(ids) - len(set(ids))
    assert (rounds >= 10, duplicates, len(ids)) == (True, 0, 6000), rounds


def test_stop_delivery_keeps_its_deadline_when_the_service_hangs(build, environment, sandbox, tmp_path):
    environment |= {"ESALES_SPOOL": str(tmp_path / "spool"), "ESALES_TIMEOUT_MS": "60000"}
    sandbox.script("hang:times=100")
    run(build("tests/c/stop_in_time.c"), env=environment)


def test_requests_of_every_kind_are_byte_identical(root, build, environment, sandbox):
    rows = json.loads((root / "tests/vectors/notifications.json").read_text())
    expected = [row for row in rows for _ in range(2 if row["kind"] == "add_to_cart" else 1)]
    sandbox.script(f"204:times={len(expected)}")
    run(build("tests/c/bodies.c", "-lcjson"), root / "tests/vectors", env=environment)
    received = [(r["path"], r["body"]) for r in sandbox.received()]
    assert received == [(row["path"], row["body"]) for row in expected]


def test_cpp_program_uses_the_whole_interface(build, environment, sandbox):
    sandbox.script("204:times=10000")
    output = run(build("tests/c/cpp.cpp", "-pthread"), env=environment)
    assert "SUCCESS" in output, output


def test_forked_child_does_not_use_the_parents_connection(build, environment, sandbox):
    run(build("tests/c/fork.c"), env=environment)
    connections = {r["notification"]["id"]: r["connection"] for r in sandbox.received()}
    assert connections == {"parent 1": 1, "child 1": 2, "child 2": 2, "child 3": 2, "parent 2": 1}


@pytest.mark.parametrize("source, processes", [("robustness.c", 1), ("notifications.c", 1), ("queue.c", 1 + 12)])
def test_valgrind_reports_no_error_and_no_leak(root, build, environment, sandbox, tmp_path, source, processes):
    if source == "notifications.c":
        sandbox.script("204:times=10000")
    logs = tmp_path / "memcheck"
    logs.mkdir()
    memcheck = ["valgrind", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect",
                "--show-leak-kinds=definite,indirect", f"--log-file={logs}/%p"]
    program = build(f"tests/c/{source}", "-lcmocka", "-lcjson")
    argument = tmp_path if source == "queue.c" else root / "tests/vectors"
    run(*memcheck, program, argument, env=environment)
    said = [log.read_text() for log in logs.iterdir()]
    # Shows that valgrind checked the program and its children.
    assert len(said) == processes and all("Memcheck" in output for output in said), said
    errors = [int(re.search(r"ERROR SUMMARY: (\d+) errors", output).group(1)) for output in said]
    assert errors.count(0) >= 1, said
    for count, output in zip(errors, said):
        # A child leaks its inherited memory on purpose, and has no other error.
        assert count == len(re.findall(r"lost in loss record", output)), output


def test_forced_panic_is_returned_as_esales_internal(root, tmp_path):
    panicking = os.environ.get("ESALES_NOTIFY_TEST_PANIC_LIBRARY", "")
    assert os.path.isfile(panicking), "ESALES_NOTIFY_TEST_PANIC_LIBRARY must name the library; `make test` sets it"
    for name in ("libesales_notify.so.0", "libesales_notify.so"):
        (tmp_path / name).symlink_to(panicking)
    program = tmp_path / "panic"
    run("gcc", *C_TEST, f"-I{root}/include", root / "tests/c/panic.c", f"-L{tmp_path}", "-lesales_notify", "-o", program)
    output = run(program, env={"LD_LIBRARY_PATH": str(tmp_path)})
    symbols = (root / "tests/abi/symbols.txt").read_text().split()
    not_tried = [symbol for symbol in symbols if f"{symbol}(" not in output]
    assert not not_tried, f"no panic was forced in {not_tried}"
