"""The package: its texts, its types, and its wheel."""

from __future__ import annotations

import ast
import ctypes
import logging
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Callable, Dict, Set, Type

import pytest

import esales_notify as e
from esales_notify._callbacks import LEVELS
from esales_notify._native import LineStruct, NotificationStruct, ReceiptStruct, StatsStruct, VisitorStruct
from service import FOLDER, LIBRARY_VARIABLE, REPOSITORY, Sandbox, library

EXAMPLE = FOLDER / "examples" / "add_to_cart.py"
QUEUE_EXAMPLE = FOLDER / "examples" / "enqueue.py"
PAYMENT_EXAMPLE = FOLDER / "examples" / "payment.py"


def run(*command: str, environment: Dict[str, str], directory: Path = FOLDER) -> str:
    done = subprocess.run(
        command, env=environment, cwd=str(directory), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    output = done.stdout.decode()
    assert done.returncode == 0, output
    return output


def numbers_of_the_header() -> Dict[str, int]:
    header = (REPOSITORY / "include" / "esales_notify.h").read_text("utf-8")
    return {name: int(code) for name, code in re.findall(r"^#define (ESALES_\w+) (-?\d+)$", header, re.MULTILINE)}


def test_status_constants_equal_the_header() -> None:
    theirs = {name: code for name, code in numbers_of_the_header().items() if not name.startswith("ESALES_LOG_")}
    assert len(theirs) >= 28
    ours = {name: code for name, code in vars(e).items() if name.startswith("ESALES_")}
    kinds = {f"ESALES_{kind.name}": kind.value for kind in e.Kind}
    assert {**ours, **kinds} == theirs


def test_log_levels_equal_the_header() -> None:
    theirs = {name: code for name, code in numbers_of_the_header().items() if name.startswith("ESALES_LOG_")}
    assert theirs.pop("ESALES_LOG_OFF") == 0
    names = {logging.ERROR: "ERROR", logging.WARNING: "WARN", logging.INFO: "INFO", logging.DEBUG: "DEBUG"}
    assert {f"ESALES_LOG_{names[level]}": code for code, level in LEVELS.items()} == theirs


@pytest.mark.parametrize(
    ("name", "struct"),
    [
        ("esales_visitor", VisitorStruct),
        ("esales_line", LineStruct),
        ("esales_notification", NotificationStruct),
        ("esales_receipt", ReceiptStruct),
        ("esales_stats", StatsStruct),
    ],
)
def test_ctypes_structs_equal_the_header(name: str, struct: Type[ctypes.Structure]) -> None:
    header = (REPOSITORY / "include" / "esales_notify.h").read_text("utf-8")
    found = re.search(rf"typedef struct {name} {{(.*?)}} {name};", header, re.DOTALL)
    assert found is not None
    output = re.sub(r"/\*.*?\*/", "", found.group(1), flags=re.DOTALL)
    theirs = [tuple(field) for field in re.findall(r"^ *(\w[\w ]*?\*?)\s*(\w+(?:\[\d+\])?);$", output, re.MULTILINE)]
    types = {
        ctypes.c_char_p: ("const char *", ""),
        ctypes.c_int32: ("int32_t", ""),
        ctypes.c_uint32: ("uint32_t", ""),
        ctypes.POINTER(LineStruct): ("const struct esales_line *", ""),
        ctypes.c_uint64: ("uint64_t", ""),
        ctypes.c_char * 129: ("char", "[129]"),
        ctypes.c_char * 256: ("char", "[256]"),
    }
    # For ctypes these two are one type.
    assert ctypes.sizeof(ctypes.c_size_t) == 8
    theirs = [({"size_t": "uint64_t"}.get(kind, kind), member) for kind, member in theirs]
    ours = [(types[field[1]][0], field[0] + types[field[1]][1]) for field in struct._fields_]
    assert ours == theirs


def test_version_equals_the_header() -> None:
    header = (REPOSITORY / "include" / "esales_notify.h").read_text("utf-8")
    assert f'#define ESALES_VERSION "{e.__version__}"' in header


def test_modules_have_no_circular_import() -> None:
    imports: Dict[str, Set[str]] = {}
    for file in (FOLDER / "src" / "esales_notify").glob("*.py"):
        found = [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
        # Imports only for type checkers count too.
        imports[file.stem] = {
            module for node in found if node.level for module in ([node.module] if node.module else [a.name for a in node.names])
        }
    assert len(imports) >= 12
    assert "_status" in imports["_outcomes"]
    while imports:
        # Modules that import no other remaining module. If the rest is a cycle, there are none.
        free = {name for name, used in imports.items() if not used & set(imports)}
        assert free, f"a circle among {sorted(imports)}"
        imports = {name: used for name, used in imports.items() if name not in free}


def test_public_names_are_listed_and_documented() -> None:
    for name in e.__all__:
        value = getattr(e, name)
        if callable(value):
            assert value.__doc__, name
    public = {name for name in vars(e) if not name.startswith("_")}
    assert public == set(e.__all__) - {"__version__"}


@pytest.mark.parametrize(("example", "lines"), [(EXAMPLE, 10), (QUEUE_EXAMPLE, 15), (PAYMENT_EXAMPLE, 20)])
def test_python_readme_quotes_the_example(example: Path, lines: int) -> None:
    source = example.read_text("utf-8")
    assert len(source.splitlines()) <= lines
    assert f"```python\n{source}```" in (FOLDER / "README.md").read_text("utf-8")


def test_python_readme_lists_every_error() -> None:
    readme = (FOLDER / "README.md").read_text("utf-8")
    errors = [name for name in e.__all__ if name.endswith("Error")]
    assert len(errors) >= 18
    for name in errors:
        assert f"`{name}`" in readme, name


def test_python_example_runs(sandbox: Sandbox, environment: Dict[str, str], example: Dict[str, str]) -> None:
    environment["ESALES_BASE_URL"] = sandbox.base_url
    output = run(sys.executable, str(EXAMPLE), environment=environment)
    (received,) = sandbox.received()
    sent = received["notification"]
    assert output == f"ESALES_DELIVERED {sent['id']}\n"
    names = {"market": "market", "customerKey": "customer_key", "sessionKey": "session_key", "ticket": "ticket"}
    assert {theirs: sent[theirs] for theirs in names} == {theirs: example[ours] for theirs, ours in names.items()}


def test_python_queue_example_runs(sandbox: Sandbox, environment: Dict[str, str], tmp_path: Path) -> None:
    environment["ESALES_BASE_URL"] = sandbox.base_url
    environment["ESALES_SPOOL"] = str(tmp_path / "spool")
    output = run(sys.executable, str(QUEUE_EXAMPLE), environment=environment)
    (sent,) = sandbox.ids()
    assert output == f"ESALES_QUEUED {sent}\nESALES_DELIVERED {sent}\n"


def test_python_payment_example_runs(start_sandbox: Callable[..., Sandbox], environment: Dict[str, str]) -> None:
    sandbox = start_sandbox("--private-key", "a private key")
    environment["ESALES_BASE_URL"] = sandbox.base_url
    output = run(sys.executable, str(PAYMENT_EXAMPLE), environment=environment)
    assert output == "ESALES_DELIVERED\n" * 5
    kinds = [one["path"].split("?")[0].rsplit("/", 1)[1] for one in sandbox.received()]
    assert kinds == ["click", "non-esales-click", "non-esales-adding-to-cart", "payment", "end"]


def test_type_checker_accepts_the_package(environment: Dict[str, str]) -> None:
    output = run(sys.executable, "-m", "mypy", "--strict", "src", "tests", "examples", environment=environment)
    assert "Success" in output


CHECKERS = {
    "mypy": [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "/dev/null"],
    "pyright": [str(REPOSITORY / "target" / "pyright" / "node_modules" / ".bin" / "pyright"), "--pythonpath", sys.executable],
}


@pytest.mark.parametrize("checker", sorted(CHECKERS))
def test_type_checker_reports_mistakes_in_options(tmp_path: Path, environment: Dict[str, str], checker: str) -> None:
    right = tmp_path / "right.py"
    right.write_text(
        "from pathlib import Path\n"
        "from esales_notify import Client, ClientOptions\n"
        "options: ClientOptions = {'cluster_id': 'a', 'timeout_ms': 5}\n"
        "Client(**options)\n"
        "Client()\n"
        "Client(library='/lib/x.so', cluster_id=None, ca_file=Path('a.pem'), allow_http=True, overflow='drop_oldest')\n",
        "utf-8",
    )
    run(*CHECKERS[checker], str(right), environment={**environment, "MYPYPATH": str(FOLDER / "src")}, directory=tmp_path)
    for i, slip in enumerate(
        [
            "Client(timout_ms=5)",
            "Client(timeout=5)",
            "Client(cluster_id='a', timeout_ms='soon')",
            "Client(timeout_ms=0.5)",
            "Client(allow_http='yes')",
            "Client(overflow='drop_newest')",
            "Client(base_url=5)",
            "options: ClientOptions = {'timout_ms': 5}",
        ]
    ):
        wrong = tmp_path / f"wrong{i}.py"
        wrong.write_text(f"from esales_notify import Client, ClientOptions\n{slip}\n", "utf-8")
        done = subprocess.run(
            [*CHECKERS[checker], str(wrong)],
            env={**environment, "MYPYPATH": str(FOLDER / "src"), "PYTHONPATH": str(FOLDER / "src")},
            cwd=str(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 1 and b"wrong%d.py:2" % i in done.stdout, (slip, done.stdout.decode())


SLIPS = [
    "Line(product_key='P', quantity=1, selling_price=1.5)",
    "Line(product_key='P', quantity=1, selling_price='2', cost=1.5)",
    "Line(product_key='P', quantity=1.0, selling_price='1')",
    "Line(product_key='P', quantity='1', selling_price='1')",
    "Line(product_key='P', selling_price='1')",
    "Line('P', quantity=1, selling_price='1')",
    "Line(product_key=7, quantity=1, selling_price='1')",
    "line.quantity = 2",
    "Notification.add_to_cart()",
    "Notification.click(None)",
    "Notification.click('t', 'an id')",
    "Notification.non_esales_click(7)",
    "Notification.non_esales_add_to_cart('P', ticket='t')",
    "Notification.payment('lines')",
    "Notification.payment([{'product_key': 'P'}])",
    "Notification.payment(line)",
    "Notification.secure_payment([line])",
    "Notification.secure_payment([line], None)",
    "Notification.end('an id')",
    "Notification.end().id = 'i'",
    "client.notify(visitor, 'click')",
    "client.enqueue(Notification.end(), visitor)",
]


@pytest.mark.parametrize("checker", sorted(CHECKERS))
def test_type_checker_reports_mistakes_in_notifications(tmp_path: Path, environment: Dict[str, str], checker: str) -> None:
    right = (
        "# pyright: strict\n"
        "from decimal import Decimal\n"
        "from esales_notify import Client, Line, Notification, Receipt, Visitor\n"
        "client, visitor = Client(), Visitor.anonymous('c', 's')\n"
        "line = Line(product_key='P', variant_key=None, quantity=1, selling_price=Decimal('1'), cost=1)\n"
        "receipt: Receipt = client.notify(visitor, Notification.click('t', id='i'))\n"
        "receipt = client.enqueue(visitor, Notification.secure_payment((one for one in [line]), 'k'))\n"
        "print(Notification.non_esales_click(variant_key='V').lines, line.selling_price.upper())\n"
    )
    file = tmp_path / "notifications.py"
    environment["MYPYPATH"] = environment["PYTHONPATH"] = str(FOLDER / "src")
    file.write_text(right, "utf-8")
    run(*CHECKERS[checker], str(file), environment=environment, directory=tmp_path)
    file.write_text(right + "\n".join(SLIPS) + "\n", "utf-8")
    done = subprocess.run(
        [*CHECKERS[checker], str(file)],
        env=environment,
        cwd=str(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    found = {int(number) for number in re.findall(r"notifications\.py:(\d+).* error", done.stdout.decode())}
    first = right.count("\n") + 1
    missed = [slip for number, slip in enumerate(SLIPS, first) if number not in found]
    assert not missed, (missed, done.stdout.decode())
    assert min(found) == first


@pytest.mark.parametrize("with_library", [True, False])
def test_wheel_works_in_a_fresh_environment(tmp_path: Path, environment: Dict[str, str], with_library: bool) -> None:
    copy = tmp_path / "python"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("*.so", "__pycache__", ".*"))
    if with_library:
        shutil.copy(library(), copy / "src" / "esales_notify" / "libesales_notify.so")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path), environment=environment, directory=copy)
    (wheel,) = tmp_path.glob("*.whl")
    tag = wheel.name[: -len(".whl")].split("-", 2)[2]
    assert tag.startswith("py3-none-linux_") if with_library else tag == "py3-none-any"
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
        names = archive.namelist()
    assert "esales_notify/py.typed" in names
    assert ("esales_notify/libesales_notify.so" in names) == with_library
    assert not [name for name in names if not name.startswith("esales_notify")]
    metadata = next(site.glob("*.dist-info")) / "METADATA"
    text = metadata.read_text("utf-8")
    assert f"Version: {e.__version__}\n" in text
    assert "License-Expression: MIT OR Apache-2.0\n" in text
    environment["PYTHONPATH"] = str(site)
    if with_library:
        del environment[LIBRARY_VARIABLE]
    program = "import esales_notify as e; print(len(e.new_key()), e.__file__)"
    output = run(sys.executable, "-c", program, environment=environment, directory=tmp_path)
    assert output.split() == ["36", str(site / "esales_notify" / "__init__.py")]
