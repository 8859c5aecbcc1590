"""The modules of the sandbox use each other in one direction."""

import graphlib
import re

import pytest

PATHS = re.compile(r"\b(?:crate|self|super)(?:::\w+)*::(?:\w+|\{[^{}]*\})")


def modules(folder):
    """The name of each module of a crate, such as `journal::repeats`, with its text without comments and tests."""
    found = {}
    for file in folder.rglob("*.rs"):
        if file.name in ("lib.rs", "main.rs") or file.stem.endswith("_tests"):
            continue
        parts = file.relative_to(folder).with_suffix("").parts
        text = re.sub(r"//.*", "", file.read_text()).split("#[cfg(test)]")[0]
        found["::".join(parts[:-1] if parts[-1] == "mod" else parts)] = text
    return found


def uses(name, text, known):
    """The modules that a module names. A folder's own file uses all files of the folder."""
    yield from (f"{name}::{child}" for child in re.findall(r"\bmod (\w+);", text) if f"{name}::{child}" in known)
    for path in PATHS.findall(text):
        start, _, group = path.partition("{")
        for last in (group.strip("} \n").split(",") if group else [""]):
            first, *rest = (start + last.strip()).strip(":").split("::")
            # `self` and `super` of a folder's own file are the folder and what it is in.
            base = {"crate": [], "self": name.split("::"), "super": name.split("::")[:-1]}[first]
            whole = base + rest
            while whole and "::".join(whole) not in known:
                whole.pop()
            if whole and "::".join(whole) != name:
                yield "::".join(whole)


def in_order(found):
    graph = {name: set(uses(name, text, found)) for name, text in found.items()}
    return list(graphlib.TopologicalSorter(graph).static_order())


def test_sandbox_modules_have_no_cycle(root):
    found = modules(root / "tools/sandbox/src")
    order = in_order(found)
    assert set(order) == set(found) and order.index("script") < order.index("journal") < order.index("http::server")


def test_module_cycle_check_fails_when_there_is_a_cycle():
    found = {"a": "use crate::b::Thing;", "b": "mod c; pub use c::Thing;", "b::c": "pub(super) use crate::{a, d};"}
    with pytest.raises(graphlib.CycleError):
        in_order(found)
    with pytest.raises(graphlib.CycleError):
        in_order({"b::c": "use super::d::One;", "b::d": "use crate::b::c;"})
    assert in_order({"a": "use crate::b;  // and crate::c", "b": "pub(super) use self::inner::One;"}) == ["b", "a"]
