//! The generated modules of the Python package.

use esales_notify::{Group, OPTIONS, OptionKind, OptionSpec, Status};

use crate::header::{Declaration, Function, Header, Struct};
use crate::records::{self, Field};
use crate::text::{self, bare, fill, pascal};
use crate::{GENERATED, Output, kind, option_doc};

/// Python exceptions that ours derive from too.
const ALSO: &[(Status, &str)] = &[
    (Status::InvalidArgument, "ValueError"),
    (Status::InvalidConfig, "ValueError"),
    (Status::Timeout, "TimeoutError"),
    (Status::ConnectFailed, "ConnectionError"),
    (Status::ConnectionLost, "ConnectionError"),
];

pub(crate) fn outputs(header: &Header) -> Vec<Output> {
    let folder = "bindings/python/src/esales_notify";
    vec![
        Output::file(format!("{folder}/_status.py"), status()),
        Output::file(format!("{folder}/_outcomes.py"), outcomes()),
        Output::file(format!("{folder}/_native.py"), native(header)),
        Output::file(format!("{folder}/_records.py"), values(header)),
        Output::file(format!("{folder}/_options.py"), options()),
        Output::part(
            "bindings/python/README.md".to_owned(),
            "exceptions",
            table(),
        ),
    ]
}

fn module(doc: &str, body: &str) -> String {
    format!("\"\"\"{doc}\n\n{GENERATED}\n\"\"\"\n\n{body}")
}

fn status() -> String {
    let mut body = "from enum import IntEnum\n\n".to_owned();
    let mut all = vec!["    \"Kind\",\n".to_owned()];
    for status in Status::ALL {
        let (name, code) = (status.name(), status.code());
        body += &format!("#: {}\n{name} = {code}\n", status.text());
        all.push(format!("    \"{name}\",\n"));
    }
    body += "\n\nclass Kind(IntEnum):\n    \"\"\"What the visitor did.\"\"\"\n\n";
    for row in kind::KINDS {
        let name = bare(row.constant);
        body += &format!("    #: {}\n    {name} = {}\n", row.doc, row.kind as i32);
    }
    body += &format!("\n\n__all__ = [\n{}]\n", all.concat());
    module(
        "The status codes and the kinds of notification, under their names in C.",
        &body,
    )
}

fn class_of(status: Status) -> String {
    match status {
        Status::Timeout => "NotifyTimeoutError".to_owned(),
        Status::ServerError => "ServerError".to_owned(),
        _ => format!("{}Error", pascal(bare(status.name()))),
    }
}

/// The common base class of a group's codes, if there is one.
fn class_of_group(group: Group) -> Option<&'static str> {
    match group {
        Group::Final => Some("FinalError"),
        Group::Retryable => Some("RetryableError"),
        _ => None,
    }
}

fn also(status: Status) -> Option<&'static str> {
    ALSO.iter()
        .find(|(of, _)| *of == status)
        .map(|(_, class)| *class)
}

fn outcomes() -> String {
    let mut body = "from typing import Dict, Type\n\nfrom . import _status as s\nfrom ._errors import NotifyError\n".to_owned();
    let mut all = Vec::new();
    let mut map = String::new();
    let mut ranges = String::new();
    let mut class = |name: &str, parents: &str, doc: &str| {
        all.push(format!("    \"{name}\",\n"));
        format!("\n\nclass {name}({parents}):\n    \"\"\"{doc}\"\"\"\n")
    };
    for group in Group::ALL.iter().filter(|g| **g != Group::Success) {
        let parent = class_of_group(*group);
        if let Some(name) = parent {
            let (lowest, highest) = group.range();
            let doc = format!("{highest} to {lowest}: {}", text::python(group.text()));
            body += &class(name, "NotifyError", &doc);
            ranges += &format!("    if {lowest} <= status <= {highest}:\n        return {name}\n");
        }
        for status in Status::ALL.iter().filter(|s| s.group() == *group) {
            let name = class_of(*status);
            let parents = [parent, None, also(*status)]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(", ");
            let parents = match parent {
                Some(_) => parents,
                None => format!("NotifyError, {parents}"),
            };
            let doc = format!("{}: {}", status.code(), text::python(status.text()));
            body += &class(&name, parents.trim_end_matches(", "), &doc);
            map += &format!("    s.{}: {name},\n", status.name());
        }
    }
    body += &fill(
        r#"

_BY_STATUS: Dict[int, Type[NotifyError]] = {
{map}}


def error_class(status: int) -> Type[NotifyError]:
    """The class of a status. An unknown code of a later library gets the class of its group."""
    known = _BY_STATUS.get(status)
    if known is not None:
        return known
{ranges}    return NotifyError


__all__ = [
{all}]
"#,
        &[("map", &map), ("ranges", &ranges), ("all", &all.concat())],
    );
    module(
        "The exceptions: one class for each status code that is an error.",
        &body,
    )
}

/// The name of a struct's class, such as `ReceiptStruct`.
fn struct_class(name: &str) -> String {
    format!("{}Struct", pascal(bare(name)))
}

/// The name of a callback's type, such as `DeliveryFunction`.
fn callback_type(name: &str) -> String {
    let name = bare(name).trim_end_matches("_callback");
    format!("{}Function", pascal(name))
}

fn ctype(header: &Header, declaration: &Declaration, is_member: bool) -> String {
    let base = declaration.base.as_str();
    let plain = || match base {
        "size_t" => "c_size_t".to_owned(),
        other => format!("c_{}", other.trim_end_matches("_t")),
    };
    match (base, declaration.pointers, declaration.array) {
        ("void", 0, _) => "None".to_owned(),
        ("void", _, _) => "c_void_p".to_owned(),
        ("char", 0, Some(length)) if is_member => format!("c_char * {length}"),
        ("char", _, _) => "c_char_p".to_owned(),
        (base, 0, _) if header.is_callback(base) => callback_type(base),
        (base, 1, _) if header.is_struct(base) => format!("POINTER({})", struct_class(base)),
        (base, 1, _) if base.starts_with("esales_") => "c_void_p".to_owned(),
        (base, _, _) if base.starts_with("esales_") => "POINTER(c_void_p)".to_owned(),
        (_, 0, _) => plain(),
        _ => format!("POINTER({})", plain()),
    }
}

fn signature(header: &Header, function: &Function) -> String {
    let mut types = vec![ctype(header, &function.result, false)];
    types.extend(function.parameters.iter().map(|p| ctype(header, p, false)));
    types.join(", ")
}

fn native(header: &Header) -> String {
    let mut body = "from ctypes import (\n    CFUNCTYPE,\n    POINTER,\n    Structure,\n    c_char,\n    c_char_p,\n    c_int32,\n    \
                    c_size_t,\n    c_uint32,\n    c_uint64,\n    c_void_p,\n)\nfrom typing import Any, Callable\n"
        .to_owned();
    let mut imported = body.clone();
    body.clear();
    for structure in &header.structs {
        let fields: String = structure
            .members
            .iter()
            .map(|m| format!("        (\"{}\", {}),\n", m.name, ctype(header, m, true)))
            .collect();
        body += &format!(
            "\n\nclass {}(Structure):\n    \"\"\"``{}``\"\"\"\n\n    _fields_ = [\n{fields}    ]\n",
            struct_class(&structure.name),
            structure.name
        );
    }
    body += "\n\n#: The types of callbacks. Without an argument they make NULL.\n";
    for callback in &header.callbacks {
        body += &format!(
            "{} = CFUNCTYPE({})\n",
            callback_type(&callback.name),
            signature(header, callback)
        );
    }
    body += "\n\nclass Functions:\n    \"\"\"The C functions of one library.\"\"\"\n\n    \
             def __init__(self, function: Callable[..., Any]) -> None:\n";
    for function in &header.functions {
        let name = &function.name;
        let line = format!(
            "        self.{name} = function(\"{name}\", {})\n",
            signature(header, function)
        );
        body += &match line.len() > 120 {
            false => line,
            true => format!(
                "        self.{name} = function(\n            \"{name}\", {}\n        )\n",
                signature(header, function)
            ),
        };
    }
    // Only the types that the header uses.
    for name in ["c_char", "c_size_t"] {
        let is_used = body
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .any(|value| value == name);
        if !is_used {
            imported = imported.replace(&format!("    {name},\n"), "");
        }
    }
    module(
        "The structs and functions of the C header, for ctypes.",
        &(imported + &body),
    )
}

/// The fields for a member of the receipt, and how each is read from the struct.
fn receipt_fields(member: &Declaration) -> Vec<(String, &'static str, String, String)> {
    let name = member.name.clone();
    let doc = text::python(&records::doc_with("`None`", member));
    if name == "status" {
        return vec![
            (name, "int", "status".to_owned(), doc),
            (
                "name".to_owned(),
                "str",
                "name".to_owned(),
                "The name of the code, such as ``\"ESALES_DELIVERED\"``.".to_owned(),
            ),
        ];
    }
    let (kind, value) = match (member.array, records::is_nullable(member)) {
        (Some(_), _) => ("str", format!("out.{name}.decode()")),
        (None, true) => ("Optional[int]", format!("out.{name} or None")),
        (None, false) => ("int", format!("out.{name}")),
    };
    vec![(name, kind, value, doc)]
}

fn receipt(structure: &Struct) -> String {
    let fields: Vec<_> = structure.values().iter().flat_map(receipt_fields).collect();
    let declared: String = fields
        .iter()
        .map(|(name, kind, _, doc)| format!("    #: {doc}\n    {name}: {kind}\n"))
        .collect();
    let read: String = fields
        .iter()
        .map(|(_, _, value, _)| format!("            {value},\n"))
        .collect();
    fill(
        r#"
class Receipt(NamedTuple):
    """The outcome of one notification. Immutable. It is a tuple, because a frozen dataclass takes three times as long to
    make, and every call makes one."""

{declared}
    @property
    def elapsed(self) -> timedelta:
        """``elapsed_us`` as a ``timedelta``."""
        return timedelta(microseconds=self.elapsed_us)


def receipt_of(out: ReceiptStruct, status: int, name: str) -> Receipt:
    """The receipt that C wrote, with this status."""
    # The same as Receipt(...), in half the time.
    return tuple.__new__(
        Receipt,
        (
{read}        ),
    )

"#,
        &[("declared", &declared), ("read", &read)],
    )
}

fn stats(structure: &Struct) -> String {
    let counters = records::counters(structure);
    let names: Vec<&str> = counters.iter().map(|c| c.name.as_str()).collect();
    let counts: String = counters
        .iter()
        .map(|c| format!("    #: {}\n    {}: int\n", text::python(&c.doc), c.name))
        .collect();
    let (total, parts) = names
        .split_first()
        .map_or(("", &[][..]), |(first, rest)| (*first, rest));
    let of_self = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|n| format!("self.{n}")).collect();
        names.join(" + ")
    };
    let (mut declared, mut read) = (String::new(), String::new());
    for field in records::fields(structure) {
        let (name, kind, value, doc) = match field {
            Field::Counts { name, prefix, doc } => {
                let values: Vec<String> =
                    names.iter().map(|n| format!("out.{prefix}{n}")).collect();
                (
                    name.to_owned(),
                    "Counts",
                    format!("Counts({})", values.join(", ")),
                    doc.to_owned(),
                )
            }
            Field::Percentiles {
                name,
                stem,
                unit,
                doc,
            } => {
                let values: Vec<String> = ["p50", "p95", "p99"]
                    .iter()
                    .map(|p| format!("out.{stem}_{p}_{unit}"))
                    .collect();
                (
                    name,
                    "Percentiles",
                    format!("Percentiles({})", values.join(", ")),
                    doc,
                )
            }
            Field::Number(member) => (
                member.name.clone(),
                "int",
                format!("out.{}", member.name),
                member.doc.clone(),
            ),
        };
        declared += &format!("    #: {}\n    {name}: {kind}\n", text::python(&doc));
        read += &match value.len() > 90 {
            false => format!("        {name}={value},\n"),
            true => format!(
                "        {name}={},\n",
                value
                    .replace(", ", ",\n            ")
                    .replace('(', "(\n            ")
                    .replace(')', ",\n        )")
            ),
        };
    }
    fill(
        r#"
@dataclass(frozen=True)
class Counts:
    """Numbers of notifications, by their outcome. Immutable."""

{counts}
    @property
    def is_balanced(self) -> bool:
        """Whether the counters add up: ``{total} == {parts}``. False is a defect of the library."""
        return {total_of_self} == {parts_of_self}


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of durations. The field of :class:`Stats` has their meaning and unit. Immutable."""

    #: Half of the durations are not longer.
    p50: int
    #: 95 of 100 durations are not longer.
    p95: int
    #: 99 of 100 durations are not longer.
    p99: int


@dataclass(frozen=True)
class Stats:
    """The counters of a queue at the time of :meth:`Client.stats`. Immutable."""

{declared}
    @property
    def is_balanced(self) -> bool:
        """Whether the counters of the spool and of this process add up."""
        return self.spool.is_balanced and self.process.is_balanced


def stats_of(out: StatsStruct) -> Stats:
    """The statistics that C wrote."""
    return Stats(
{read}    )
"#,
        &[
            ("counts", &counts),
            ("total", total),
            ("parts", &parts.join(" + ")),
            ("total_of_self", &of_self(&[total])),
            ("parts_of_self", &of_self(parts)),
            ("declared", &declared),
            ("read", &read),
        ],
    )
}

fn values(header: &Header) -> String {
    let mut body = "from __future__ import annotations\n\nfrom dataclasses import dataclass\nfrom datetime import timedelta\n\
                    from typing import NamedTuple, Optional\n\nfrom ._native import ReceiptStruct, StatsStruct\n\n"
        .to_owned();
    body += &header
        .find("esales_receipt")
        .map_or_else(String::new, receipt);
    body += &header.find("esales_stats").map_or_else(String::new, stats);
    module(
        "Receipts and statistics as plain values, and how they are read from C.",
        &body,
    )
}

fn options() -> String {
    let mut body = "from __future__ import annotations\n\nimport os\nfrom typing import Literal, Optional, TypedDict, Union\n\n\n\
                    class ClientOptions(TypedDict, total=False):\n    \
                    \"\"\"The options of :class:`Client`. ``None`` counts as not given.\"\"\"\n"
        .to_owned();
    for option in OPTIONS {
        let doc = text::python(&option_doc(option));
        body += &format!(
            "\n    {}: {}\n    \"\"\"{doc}\"\"\"\n",
            option.name,
            option_type(option)
        );
    }
    module("The options of a client, for type checkers.", &body)
}

fn option_type(option: &OptionSpec) -> String {
    match option.kind {
        OptionKind::Flag => "Optional[bool]".to_owned(),
        OptionKind::Integer { .. } => "Optional[int]".to_owned(),
        OptionKind::Choice(values) => {
            let quoted: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
            format!("Optional[Literal[{}]]", quoted.join(", "))
        }
        // Text, and kinds that a later version may add.
        _ => "Union[str, \"os.PathLike[str]\", None]".to_owned(),
    }
}

fn table() -> String {
    let mut out = "| class | status | also a | meaning |\n|---|---|---|---|\n".to_owned();
    for group in Group::ALL.iter().filter(|g| **g != Group::Success) {
        if let Some(name) = class_of_group(*group) {
            let (lowest, highest) = group.range();
            out += &format!(
                "| `{name}` | {highest} to {lowest} | | the parent of these codes' classes: {} |\n",
                group.text()
            );
        }
        for status in Status::ALL.iter().filter(|s| s.group() == *group) {
            let also = also(*status).map_or(String::new(), |class| format!("`{class}` "));
            out += &format!(
                "| `{}` | {} | {also}| {} |\n",
                class_of(*status),
                status.code(),
                text::markdown(status.text())
            );
        }
    }
    out + "| `NotifyError` itself | any other | | a code that only a later library knows |\n"
}
