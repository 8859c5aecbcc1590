//! The generated sources of the C# binding.

use esales_notify::{Group, OPTIONS, OptionKind, OptionSpec, Status};

use crate::header::{Declaration, Function, Header, Struct};
use crate::records::{self, Field};
use crate::text::{self, Unit, bare, capital, fill, pascal, without_unit, xml};
use crate::{GENERATED, Output, kind, option_doc};

/// Exceptions that derive from exceptions of .NET. They are written by hand, in Exceptions.cs.
const BY_HAND: &[(Status, &str)] = &[
    (Status::InvalidArgument, "ArgumentException"),
    (Status::Closed, "ObjectDisposedException"),
];

/// Properties whose name would be misleading without the unit.
const PROPERTIES: &[(&str, &str)] = &[
    ("gate_closed", "GateClosedFor"),
    ("age", "DeliveryAge"),
    ("latency", "AttemptLatency"),
];

pub(crate) fn outputs(header: &Header) -> Vec<Output> {
    let file =
        |name: &str, text| Output::file(format!("bindings/csharp/src/{name}.Generated.cs"), text);
    let mut all = vec![
        file("StatusCode", status_code()),
        file("Kind", kinds()),
        file("Exceptions", exceptions()),
        file("Native", native(header)),
        file("ClientOptions", options()),
        Output::part(
            "bindings/csharp/README.md".to_owned(),
            "exceptions",
            table(),
        ),
    ];
    all.extend(
        header
            .find("esales_receipt")
            .map(|s| file("Receipt", receipt(s))),
    );
    all.extend(header.find("esales_stats").map(|s| file("Stats", stats(s))));
    all
}

/// A source file. The contents of the namespace are indented by one level.
fn source(usings: &str, body: &str) -> String {
    let indented: String = body
        .lines()
        .map(|line| match line.is_empty() {
            true => "\n".to_owned(),
            false => format!("    {line}\n"),
        })
        .collect();
    format!("// {GENERATED}\n\n{usings}namespace Esales.Notify\n{{\n{indented}}}\n")
}

/// Text for an XML comment, in the terms of C#.
fn xml_text(text: &str) -> String {
    xml(text).replace("NULL", "null")
}

fn enumeration(doc: &str, name: &str, members: &[(String, i32, String)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, number, doc)| {
            format!(
                "    /// <summary>{}</summary>\n    {name} = {number},\n",
                xml_text(doc)
            )
        })
        .collect();
    format!("{doc}public enum {name}\n{{\n{}}}\n", members.join("\n"))
}

fn status_code() -> String {
    let members: Vec<_> = Status::ALL
        .iter()
        .map(|s| (pascal(bare(s.name())), s.code(), s.text().to_owned()))
        .collect();
    let doc = "/// <summary>\n/// The outcome of a call. The numbers are those of the C API and are frozen: they are never renumbered or reused.\n\
               /// Zero or more is success. A later library may return a number that is not listed here.\n///
               /// </summary>\n";
    source("", &enumeration(doc, "StatusCode", &members))
}

fn kinds() -> String {
    let members: Vec<_> = kind::KINDS
        .iter()
        .map(|row| {
            (
                pascal(bare(row.constant)),
                row.kind as i32,
                row.doc.to_owned(),
            )
        })
        .collect();
    let doc = "/// <summary>What the visitor did.</summary>\n";
    source("", &enumeration(doc, "Kind", &members))
}

fn class_of(status: Status) -> String {
    match status {
        Status::Timeout => "NotifyTimeoutException".to_owned(),
        _ => format!("{}Exception", pascal(bare(status.name()))),
    }
}

fn class_of_group(group: Group) -> Option<&'static str> {
    match group {
        Group::Final => Some("FinalException"),
        Group::Retryable => Some("RetryableException"),
        _ => None,
    }
}

fn errors() -> impl Iterator<Item = Status> {
    Status::ALL.iter().copied().filter(|s| s.code() < 0)
}

fn by_hand(status: Status) -> Option<&'static str> {
    BY_HAND
        .iter()
        .find(|(of, _)| *of == status)
        .map(|(_, parent)| *parent)
}

fn exceptions() -> String {
    let class = |modifier: &str, name: &str, parent: &str, doc: &str| {
        fill(
            r#"/// <summary>{doc}</summary>
public {modifier}class {name} : {parent}
{
    internal {name}(Failure failure)
        : base(failure)
    {
    }
}

"#,
            &[
                ("doc", &xml_text(doc)),
                ("modifier", modifier),
                ("name", name),
                ("parent", parent),
            ],
        )
    };
    let (mut body, mut cases, mut ranges) = (String::new(), String::new(), String::new());
    for group in Group::ALL {
        let parent = class_of_group(*group);
        if let Some(name) = parent {
            let (lowest, highest) = group.range();
            body += &class(
                "",
                name,
                "NotifyException",
                &format!("{highest} to {lowest}: {}", group.text()),
            );
            ranges += &format!(
                "        if (code >= {lowest} && code <= {highest})\n        {{\n            return new {name}(failure);\n        }}\n"
            );
        }
        for status in errors().filter(|s| s.group() == *group) {
            let name = class_of(status);
            let argument = match status {
                Status::Closed => "failure.Name",
                _ => "failure",
            };
            cases += &format!(
                "            case StatusCode.{}: return new {name}({argument});\n",
                pascal(bare(status.name()))
            );
            if by_hand(status).is_none() {
                let doc = format!("{}: {}", status.code(), status.text());
                body += &class("sealed ", &name, parent.unwrap_or("NotifyException"), &doc);
            }
        }
    }
    body += &fill(
        r#"internal static class Failures
{
    /// <summary>The exception of an outcome. An unknown code of a later library gets the exception of its group.</summary>
    internal static System.Exception Make(Failure failure)
    {
        switch (failure.Code)
        {
{cases}        }
        int code = (int)failure.Code;
{ranges}        return new NotifyException(failure);
    }
}
"#,
        &[("cases", &cases), ("ranges", &ranges)],
    );
    source("", &body)
}

fn struct_type(name: &str) -> String {
    format!("Native{}", pascal(bare(name)))
}

/// The name of a member, without the unit if the value has one.
fn field_name(name: &str) -> String {
    let (stem, unit) = without_unit(name);
    format!("{}{}", pascal(stem), unit.map_or("", Unit::plural))
}

/// An unknown type stays unchanged, so that the binding does not compile.
fn number(base: &str) -> &str {
    match base {
        "int32_t" => "int",
        "uint32_t" => "uint",
        "uint64_t" => "ulong",
        "int64_t" => "long",
        "size_t" => "UIntPtr",
        "char" => "byte",
        other => other,
    }
}

/// Every parameter is a plain number or pointer, so that neither runtime copies or converts anything.
fn native_type(header: &Header, declaration: &Declaration) -> String {
    let base = declaration.base.as_str();
    let stars = "*".repeat(declaration.pointers);
    match (base, declaration.pointers) {
        ("void", 1) => "IntPtr".to_owned(),
        (base, _) if header.is_callback(base) => "IntPtr".to_owned(),
        (base, _) if header.is_struct(base) => format!("{}{stars}", struct_type(base)),
        (base, pointers) if base.starts_with("esales_") => {
            format!("IntPtr{}", "*".repeat(pointers.saturating_sub(1)))
        }
        ("char", 0) if declaration.array.is_some() => "byte*".to_owned(),
        (base, _) => format!("{}{stars}", number(base)),
    }
}

fn native_struct(header: &Header, structure: &Struct) -> String {
    let mut sizes = String::new();
    let mut members = String::new();
    for member in &structure.members {
        let name = field_name(&member.name);
        match member.array {
            Some(length) => {
                sizes += &format!("    internal const int {name}Size = {length};\n");
                members += &format!("    internal fixed byte {name}[{name}Size];\n");
            }
            None => members += &format!("    internal {} {name};\n", native_type(header, member)),
        }
    }
    if !sizes.is_empty() {
        sizes.push('\n');
    }
    format!(
        "/// <summary><c>{}</c>.</summary>\n[StructLayout(LayoutKind.Sequential)]\ninternal unsafe struct {}\n{{\n{sizes}{members}}}\n\n",
        structure.name,
        struct_type(&structure.name)
    )
}

fn parameters(header: &Header, function: &Function) -> Vec<String> {
    function
        .parameters
        .iter()
        .map(|p| native_type(header, p))
        .collect()
}

fn native(header: &Header) -> String {
    let mut body: String = header
        .structs
        .iter()
        .map(|s| native_struct(header, s))
        .collect();
    // One delegate for each signature, named after the first function that has it.
    let mut delegates: Vec<(String, String)> = Vec::new();
    let (mut fields, mut binds, mut declared) = (String::new(), String::new(), String::new());
    for function in &header.functions {
        let name = pascal(bare(&function.name));
        let result = native_type(header, &function.result);
        let signature = format!("{result}({})", parameters(header, function).join(", "));
        let known = delegates.iter().find(|(of, _)| *of == signature);
        let delegate = match known {
            Some((_, delegate)) => delegate.clone(),
            None => {
                let delegate = format!("{name}Function");
                let named: Vec<String> = function
                    .parameters
                    .iter()
                    .map(|p| format!("{} {}", native_type(header, p), csharp_name(&p.name)))
                    .collect();
                declared += &format!(
                    "\n    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]\n    internal delegate {result} {delegate}(\n        {});\n",
                    named.join(", ")
                )
                .replace("(\n        );", "();");
                delegates.push((signature, delegate.clone()));
                delegate
            }
        };
        fields += &format!("    internal {delegate} {name};\n");
        let bind = format!(
            "        {name} = Bind<{delegate}>(symbol, \"{}\");\n",
            function.name
        );
        match function.name.as_str() {
            // Bound first: a library without it is not ours, and a library of another version may lack the others.
            "esales_version" => binds = format!("{bind}        CheckVersion();\n{binds}"),
            _ => binds += &bind,
        }
    }
    body += &fill(
        r#"internal sealed unsafe partial class Native
{
{fields}
    private void BindAll(Func<string, IntPtr> symbol)
    {
{binds}    }
{declared}}
"#,
        &[
            ("fields", &fields),
            ("binds", &binds),
            ("declared", &declared),
        ],
    );
    source(
        "using System;\nusing System.Runtime.InteropServices;\n\n",
        &body,
    )
}

/// The name of a parameter, which must not be a keyword of C#.
fn csharp_name(name: &str) -> String {
    match name {
        "out" => "result".to_owned(),
        other => text::camel(other),
    }
}

fn property(name: &str, kind: &str, doc: &str) -> String {
    // A TimeSpan has no unit.
    let doc = match kind {
        "TimeSpan" | "Percentiles" => doc
            .replace(", in milliseconds", "")
            .replace(", in microseconds", "")
            .replace(" in microseconds", "")
            .replace(". 0:", ". Zero:"),
        _ => doc.to_owned(),
    };
    let doc = doc.as_str();
    format!(
        "    /// <summary>{}</summary>\n    public {kind} {name} {{ get; }}\n",
        xml_text(doc)
    )
}

fn receipt(structure: &Struct) -> String {
    let mut read = String::new();
    let mut properties = Vec::new();
    for member in structure.values() {
        let (stem, unit) = without_unit(&member.name);
        let (field, mut name) = (field_name(&member.name), pascal(stem));
        let doc = records::doc_with("null", member);
        let (kind, value) = match (member.array, unit, records::is_nullable(member)) {
            (Some(_), _, _) => (
                "string",
                format!("Utf8.Read(receipt->{field}, NativeReceipt.{field}Size)"),
            ),
            (None, Some(unit), _) => ("TimeSpan", format!("{}(receipt->{field})", unit.plural())),
            (None, None, true) => (
                "int?",
                format!("receipt->{field} == 0 ? (int?)null : receipt->{field}"),
            ),
            _ if name == "Status" => {
                name = "StatusCode".to_owned();
                ("StatusCode", format!("(StatusCode)receipt->{field}"))
            }
            _ => ("int", format!("(int)receipt->{field}")),
        };
        read += &format!("        {name} = {value};\n");
        properties.push(property(&name, kind, &doc));
        if name == "StatusCode" {
            read += &format!("        StatusName = native.NameOf(receipt->{field});\n");
            properties.push(property(
                "StatusName",
                "string",
                "The code's name in the C API, such as `ESALES_DELIVERED`.",
            ));
        }
    }
    let body = fill(
        r#"/// <summary>The outcome of a notification. Immutable; any thread may use it.</summary>
public sealed partial class Receipt
{
    internal unsafe Receipt(Native native, NativeReceipt* receipt)
    {
{read}    }

{properties}}
"#,
        &[("read", &read), ("properties", &properties.join("\n"))],
    );
    source("using System;\n\n", &body)
}

fn stats(structure: &Struct) -> String {
    let counters = records::counters(structure);
    let names: Vec<String> = counters.iter().map(|c| pascal(&c.name)).collect();
    let counter_properties: Vec<String> = counters
        .iter()
        .map(|c| property(&pascal(&c.name), "long", &c.doc))
        .collect();
    let arguments: Vec<String> = counters
        .iter()
        .map(|c| format!("ulong {}", text::camel(&c.name)))
        .collect();
    let assigned: String = counters
        .iter()
        .map(|c| {
            format!(
                "        {} = (long){};\n",
                pascal(&c.name),
                text::camel(&c.name)
            )
        })
        .collect();
    let (total, parts) = names
        .split_first()
        .map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let mut read = String::new();
    let mut properties = Vec::new();
    for field in records::fields(structure) {
        let (name, kind, value, doc) = match field {
            Field::Counts { name, prefix, doc } => {
                let values: Vec<String> = names
                    .iter()
                    .map(|n| format!("                stats->{}{n}", pascal(prefix)))
                    .collect();
                (
                    capital(name),
                    "Counts",
                    format!("new Counts(\n{})", values.join(",\n")),
                    doc.to_owned(),
                )
            }
            Field::Percentiles {
                stem, unit, doc, ..
            } => {
                let values: Vec<String> = ["p50", "p95", "p99"]
                    .iter()
                    .map(|p| duration(&format!("{stem}_{p}_{unit}"), "                "))
                    .collect();
                (
                    renamed(&stem),
                    "Percentiles",
                    format!("new Percentiles(\n{})", values.join(",\n")),
                    doc,
                )
            }
            Field::Number(member) => {
                let (stem, unit) = without_unit(&member.name);
                let field = field_name(&member.name);
                let (kind, value) = match (unit, member.base.as_str()) {
                    (Some(_), _) => ("TimeSpan", duration(&member.name, "")),
                    (None, "uint64_t") => ("long", format!("(long)stats->{field}")),
                    _ => ("int", format!("(int)stats->{field}")),
                };
                (renamed(stem), kind, value, member.doc.clone())
            }
        };
        read += &format!("            {name} = {value};\n");
        properties.push(property(&name, kind, &doc));
    }
    let body = fill(
        r#"/// <summary>
/// The counters of a queue. Immutable; any thread may use it.
/// </summary>
public sealed partial class Stats
{
    internal unsafe Stats(NativeStats* stats)
    {
        unchecked
        {
{read}        }
    }

{properties}}

/// <summary>Numbers of notifications, by their outcome. Immutable.</summary>
public sealed partial class Counts
{
    internal Counts({arguments})
    {
{assigned}    }

{counter_properties}
    /// <summary>Whether the counters add up. False is a defect of the library.</summary>
    public bool IsBalanced
    {
        get { return {total} == {parts}; }
    }
}

/// <summary>Percentiles of durations; zero if there were none. Immutable.</summary>
public sealed class Percentiles
{
    internal Percentiles(TimeSpan p50, TimeSpan p95, TimeSpan p99)
    {
        P50 = p50;
        P95 = p95;
        P99 = p99;
    }

    /// <summary>Half of the durations are not longer.</summary>
    public TimeSpan P50 { get; }

    /// <summary>95 of 100 durations are not longer.</summary>
    public TimeSpan P95 { get; }

    /// <summary>99 of 100 durations are not longer.</summary>
    public TimeSpan P99 { get; }
}
"#,
        &[
            ("read", &read),
            ("properties", &properties.join("\n")),
            ("arguments", &arguments.join(", ")),
            ("assigned", &assigned),
            ("counter_properties", &counter_properties.join("\n")),
            ("total", total),
            ("parts", &parts.join(" + ")),
        ],
    );
    source("using System;\n\n", &body)
}

/// The expression that makes a member of the statistics a `TimeSpan`.
fn duration(member: &str, indent: &str) -> String {
    let (_, unit) = without_unit(member);
    let make = match unit {
        Some(Unit::Microseconds) => "Receipt.Microseconds",
        _ => "Milliseconds",
    };
    format!("{indent}{make}(stats->{})", field_name(member))
}

fn renamed(stem: &str) -> String {
    let found = PROPERTIES.iter().find(|(of, _)| *of == stem);
    found.map_or_else(|| pascal(stem), |(_, name)| (*name).to_owned())
}

fn options() -> String {
    let (mut properties, mut enums) = (Vec::new(), String::new());
    for option in OPTIONS {
        let (property, enumeration) = option_property(option);
        properties.push(property);
        enums += &enumeration;
    }
    let body = format!(
        "public sealed partial class ClientOptions\n{{\n{}}}\n{enums}",
        properties.join("\n")
    );
    source("using System;\n\n", &body)
}

fn option_property(option: &OptionSpec) -> (String, String) {
    let (stem, unit) = without_unit(option.name);
    let (name, key) = (pascal(stem), option.name);
    let (kind, get, set) = match (option.kind, unit) {
        (OptionKind::Flag, _) => (
            "bool?".to_owned(),
            format!("Flag(\"{key}\")"),
            "Text(value)".to_owned(),
        ),
        (OptionKind::Integer { .. }, Some(unit)) => {
            let unit = unit.plural();
            (
                "TimeSpan?".to_owned(),
                format!("{unit}(\"{key}\")"),
                format!("From{unit}(\"{key}\", value)"),
            )
        }
        (OptionKind::Integer { max, .. }, None) if max <= i32::MAX as u64 => (
            "int?".to_owned(),
            format!("Int32(\"{key}\")"),
            "Text(value)".to_owned(),
        ),
        (OptionKind::Integer { .. }, None) => (
            "long?".to_owned(),
            format!("Int64(\"{key}\")"),
            "Text(value)".to_owned(),
        ),
        (OptionKind::Choice(_), _) => (
            format!("{name}?"),
            format!("({name}?)Choice(\"{key}\", {name}Texts)"),
            format!("FromChoice(\"{key}\", (int?)value, {name}Texts)"),
        ),
        _ => (
            "string".to_owned(),
            format!("String(\"{key}\")"),
            "Text(value)".to_owned(),
        ),
    };
    let mut property = format!(
        "    /// <summary>{}</summary>\n    public {kind} {name}\n    {{\n        get {{ return {get}; }}\n        \
         set {{ Set(\"{key}\", {set}); }}\n    }}\n",
        xml(&option_doc(option))
    );
    let OptionKind::Choice(choices) = option.kind else {
        return (property, String::new());
    };
    let quoted: Vec<String> = choices
        .iter()
        .map(|choice| format!("\"{choice}\""))
        .collect();
    property += &format!(
        "\n    private static readonly string[] {name}Texts = {{ {} }};\n",
        quoted.join(", ")
    );
    let members: Vec<String> = choices
        .iter()
        .map(|choice| {
            format!(
                "    /// <summary>The value <c>{choice}</c>.</summary>\n    {},\n",
                pascal(choice)
            )
        })
        .collect();
    let enumeration = format!(
        "\n/// <summary>The values of the option <c>{key}</c>.</summary>\npublic enum {name}\n{{\n{}}}\n",
        members.join("\n")
    );
    (property, enumeration)
}

fn table() -> String {
    let mut out = "| exception | code | derives from | meaning |\n|---|---|---|---|\n".to_owned();
    for status in errors() {
        let parent = by_hand(status)
            .or(class_of_group(status.group()))
            .unwrap_or("NotifyException");
        out += &format!(
            "| `{}` | {} | `{parent}` | {} |\n",
            class_of(status),
            status.code(),
            text::markdown(status.text())
        );
    }
    out + "| `LibraryNotFoundException` | | `DllNotFoundException` | the message lists what was tried and what to do |\n"
}
