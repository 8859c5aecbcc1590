//! The generated sources of the PHP package.

use esales_notify::{Group, OPTIONS, OptionKind, OptionSpec, Status};

use crate::header::{Declaration, Header, Struct};
use crate::records::{self, Field};
use crate::text::{self, Unit, bare, camel, capital, fill, pascal, php, without_unit};
use crate::{GENERATED, Output, kind, option_doc};

/// PHP exceptions that ours derive from.
const PARENTS: &[(Status, &str)] = &[
    (Status::InvalidArgument, "\\InvalidArgumentException"),
    (Status::Closed, "\\LogicException"),
];

/// The longest line.
const WIDTH: usize = 120;

/// Hand-written files, loaded before and after the generated ones.
const FIRST: &[&str] = &[
    "Exception/NotifyException",
    "Exception/HasStatus",
    "Exception/LibraryException",
];
const LAST: &[&str] = &[
    "Internal/Functions",
    "Internal/Text",
    "Visitor",
    "Line",
    "Notification",
    "Internal/Library",
    "Internal/Backend",
    "Internal/NativeClient",
    "Internal/Keys",
    "Internal/Wording",
    "Internal/AgentConnection",
    "Internal/AgentClient",
    "Client",
    "Internal/Loader",
    "Internal/PreloadHeader",
    "Identity",
    "Log",
];

pub(crate) fn outputs(header: &Header) -> Vec<Output> {
    let mut files: Vec<(String, String)> = Vec::new();
    for group in Group::ALL {
        if let Some(name) = class_of_group(*group) {
            let (lowest, highest) = group.range();
            let doc = format!("{highest} to {lowest}: {}", group.text());
            files.push((
                format!("Exception/{name}"),
                exception("", name, "\\RuntimeException", &doc),
            ));
        }
        for status in errors().filter(|s| s.group() == *group) {
            let name = class_of(status);
            let parent = class_of_group(*group).unwrap_or_else(|| parent_of(status));
            let doc = format!("{}: {}", status.code(), status.text());
            files.push((
                format!("Exception/{name}"),
                exception("final ", &name, parent, &doc),
            ));
        }
    }
    files.push(("Status".to_owned(), status()));
    files.push(("Kind".to_owned(), kinds()));
    files.push(("ClientOptions".to_owned(), options()));
    if let (Some(r), Some(s)) = (header.find("esales_receipt"), header.find("esales_stats")) {
        files.push(("Receipt".to_owned(), receipt_class(r)));
        files.push(("Counts".to_owned(), counts_class(s)));
        files.push(("Percentiles".to_owned(), percentiles_class()));
        files.push(("Stats".to_owned(), stats_class(s)));
        files.push(("Internal/Records".to_owned(), records_class(r, s)));
    }
    files.push(("Internal/Failure".to_owned(), failure()));
    let loaded: Vec<&str> = FIRST
        .iter()
        .copied()
        .chain(files.iter().map(|(name, _)| name.as_str()))
        .chain(LAST.iter().copied())
        .collect();
    let mut all = vec![
        Output::file("bindings/php/preload.php".to_owned(), preload(&loaded)),
        Output::part("bindings/php/README.md".to_owned(), "exceptions", table()),
    ];
    all.extend(
        files
            .into_iter()
            .map(|(name, text)| Output::file(format!("bindings/php/src/{name}.php"), text)),
    );
    all
}

fn source(namespace: &str, body: &str) -> String {
    format!(
        "<?php\n\n// {GENERATED}\n\ndeclare(strict_types=1);\n\nnamespace Esales\\Notify{namespace};\n\n{body}"
    )
}

/// A doc comment, with the line length of PSR-12.
fn comment(indent: &str, doc: &str) -> String {
    let prefix = format!("{indent} * ");
    let lines = text::wrap(&php(doc), &prefix, &prefix, WIDTH);
    format!("{indent}/**\n{lines}{indent} */\n")
}

fn errors() -> impl Iterator<Item = Status> {
    Status::ALL.iter().copied().filter(|s| s.code() < 0)
}

fn class_of(status: Status) -> String {
    format!("{}Exception", pascal(bare(status.name())))
}

fn class_of_group(group: Group) -> Option<&'static str> {
    match group {
        Group::Final => Some("FinalException"),
        Group::Retryable => Some("RetryableException"),
        _ => None,
    }
}

fn parent_of(status: Status) -> &'static str {
    let found = PARENTS.iter().find(|(of, _)| *of == status);
    found.map_or("\\RuntimeException", |(_, parent)| *parent)
}

fn exception(modifier: &str, name: &str, parent: &str, doc: &str) -> String {
    let head = format!(
        "{}{modifier}class {name} extends {parent}",
        comment("", doc)
    );
    let body = match parent.starts_with('\\') {
        true => " implements NotifyException\n{\n    use HasStatus;\n}\n",
        false => "\n{\n}\n",
    };
    source("\\Exception", &format!("{head}{body}"))
}

/// The constants of a class, each with its doc.
fn constants<'a>(rows: impl Iterator<Item = (&'a str, i32, &'a str)>) -> String {
    rows.map(|(name, number, doc)| {
        format!(
            "{}    public const {} = {number};\n\n",
            comment("    ", doc),
            bare(name)
        )
    })
    .collect()
}

fn status() -> String {
    let rows = Status::ALL.iter().map(|s| (s.name(), s.code(), s.text()));
    let body = fill(
        r#"use Esales\Notify\Internal\Loader;

/**
 * The status codes of the C API, without the prefix ESALES_.
 *
 * The numbers are frozen: they are never renumbered or reused. 0 or more is success.
 */
final class Status
{
{constants}    private function __construct()
    {
    }

    /**
     * Returns the name of a code in the C API, such as "ESALES_TIMEOUT", or "ESALES_UNKNOWN" for an unknown number.
     *
     * @param int         $status  a code
     * @param string|null $library path of the shared library; null: searched as described in the README
     *
     * @throws Exception\LibraryException if the library cannot be loaded
     */
    public static function name(int $status, ?string $library = null): string
    {
        return Loader::load($library)->statusName($status);
    }

    /**
     * Returns the meaning of a code, in one sentence.
     *
     * @param int         $status  a code
     * @param string|null $library path of the shared library; null: searched as described in the README
     *
     * @throws Exception\LibraryException if the library cannot be loaded
     */
    public static function text(int $status, ?string $library = null): string
    {
        return Loader::load($library)->statusText($status);
    }
}
"#,
        &[("constants", &constants(rows))],
    );
    source("", &body)
}

fn kinds() -> String {
    let rows = kind::KINDS
        .iter()
        .map(|row| (row.constant, row.kind as i32, row.doc));
    let body = format!(
        "/**\n * What the visitor did.\n */\nfinal class Kind\n{{\n{}    private function __construct()\n    {{\n    }}\n}}\n",
        constants(rows)
    );
    source("", &body)
}

fn failure() -> String {
    let (mut uses, mut map, mut ranges) = (Vec::new(), String::new(), String::new());
    for status in errors() {
        let name = class_of(status);
        map += &format!(
            "        Status::{} => {name}::class,\n",
            bare(status.name())
        );
        uses.push(format!("use Esales\\Notify\\Exception\\{name};\n"));
    }
    for group in Group::ALL {
        if let Some(name) = class_of_group(*group) {
            let (lowest, highest) = group.range();
            ranges += &format!(
                "        if ($class === null && $status >= {lowest} && $status <= {highest}) {{\n            $class = {name}::class;\n        }}\n"
            );
            uses.push(format!("use Esales\\Notify\\Exception\\{name};\n"));
        }
    }
    uses.push("use Esales\\Notify\\Exception\\NotifyException;\n".to_owned());
    uses.sort();
    let body = fill(
        r#"{uses}use Esales\Notify\Receipt;
use Esales\Notify\Status;

/**
 * Converts status codes to exceptions.
 *
 * @internal
 */
final class Failure
{
    private const CLASSES = [
{map}    ];

    private function __construct()
    {
    }

    /**
     * The exception for a code below 0. An unknown code of a later library gets the exception of its group.
     */
    public static function exception(
        int $status,
        string $statusName,
        string $message,
        ?Receipt $receipt
    ): NotifyException {
        $class = self::CLASSES[$status] ?? null;
{ranges}        $class = $class ?? InternalException::class;

        return new $class($message, $status, $statusName, $receipt);
    }
}
"#,
        &[("uses", &uses.concat()), ("map", &map), ("ranges", &ranges)],
    );
    source("\\Internal", &body)
}

/// A field of an immutable class: its name, type and doc.
struct Property {
    name: String,
    kind: &'static str,
    doc: String,
}

/// A class of read-only values; `more` is added at its end.
fn immutable(class: &str, doc: &str, properties: &[Property], more: &str) -> String {
    let (mut declared, mut parameters, mut assigned, mut getters) =
        (String::new(), Vec::new(), String::new(), Vec::new());
    for Property { name, kind, doc } in properties {
        declared += &format!("    private {kind} ${name};\n\n");
        parameters.push(format!("        {kind} ${name}"));
        assigned += &format!("        $this->{name} = ${name};\n");
        getters.push(fill(
            "{comment}    public function get{Name}(): {kind}\n    {\n        return $this->{name};\n    }\n",
            &[("comment", &comment("    ", doc)), ("Name", &capital(name)), ("kind", kind), ("name", name)],
        ));
    }
    let body = fill(
        r#"/**
 * {doc} Immutable.
 */
final class {class}
{
{declared}    /**
     * Only the library makes objects of this class.
     *
     * @internal
     */
    public function __construct(
{parameters}
    ) {
{assigned}    }

{getters}{more}}
"#,
        &[
            ("doc", doc),
            ("class", class),
            ("declared", &declared),
            ("parameters", &parameters.join(",\n")),
            ("assigned", &assigned),
            ("getters", &getters.join("\n")),
            ("more", more),
        ],
    );
    source("", &body)
}

fn is_balanced(doc: &str, expression: &str) -> String {
    format!(
        "\n    /**\n     * {doc}\n     */\n    public function isBalanced(): bool\n    {{\n        return {expression};\n    }}\n"
    )
}

/// The name of a property: the unit is written out.
fn property_name(name: &str) -> String {
    let (stem, unit) = without_unit(name);
    format!("{}{}", camel(stem), unit.map_or("", Unit::plural))
}

/// The properties for a member of the receipt, each with the expression that reads it.
fn receipt_properties(member: &Declaration) -> Vec<(Property, String)> {
    let name = property_name(&member.name);
    let doc = records::doc_with("null", member);
    let property = |kind, doc: &str| Property {
        name: name.clone(),
        kind,
        doc: doc.to_owned(),
    };
    let read = format!("$receipt->{}", member.name);
    if name == "status" {
        let status_name = Property {
            name: "statusName".to_owned(),
            kind: "string",
            doc: "The name of the code in the C API, such as \"ESALES_DELIVERED\".".to_owned(),
        };
        return vec![
            (property("int", &doc), "$status".to_owned()),
            (status_name, "$statusName".to_owned()),
        ];
    }
    let (kind, value) = match (member.array, records::is_nullable(member)) {
        (Some(_), _) => ("string", format!("FFI::string({read})")),
        (None, true) => ("?int", format!("{read} === 0 ? null : {read}")),
        (None, false) => ("int", read),
    };
    vec![(property(kind, &doc), value)]
}

fn receipt_class(structure: &Struct) -> String {
    let properties: Vec<Property> = structure
        .values()
        .iter()
        .flat_map(receipt_properties)
        .map(|(property, _)| property)
        .collect();
    immutable("Receipt", "The outcome of a notification.", &properties, "")
}

fn counts_class(structure: &Struct) -> String {
    let counters = records::counters(structure);
    let properties: Vec<Property> = counters
        .iter()
        .map(|c| Property {
            name: camel(&c.name),
            kind: "int",
            doc: c.doc.clone(),
        })
        .collect();
    let names: Vec<String> = properties
        .iter()
        .map(|p| format!("$this->{}", p.name))
        .collect();
    let (total, parts) = names
        .split_first()
        .map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    immutable(
        "Counts",
        "Numbers of notifications, by their outcome.",
        &properties,
        &is_balanced(
            "Whether the counters add up. False is a defect of the library.",
            &format!("{total}\n            === {}", parts.join(" + ")),
        ),
    )
}

fn percentiles_class() -> String {
    let property = |name: &str, doc: &str| Property {
        name: name.to_owned(),
        kind: "int",
        doc: doc.to_owned(),
    };
    immutable(
        "Percentiles",
        "Percentiles of durations. The getter of Stats has their meaning and unit.",
        &[
            property("p50", "Half of the durations are not longer."),
            property("p95", "95 of 100 durations are not longer."),
            property("p99", "99 of 100 durations are not longer."),
        ],
        "",
    )
}

/// The properties of the statistics, each with the expression that reads it.
fn stats_properties(structure: &Struct) -> Vec<(Property, String)> {
    let counters = records::counters(structure);
    let made = |class: &str, members: Vec<String>| {
        let members: Vec<String> = members
            .iter()
            .map(|m| format!("                $stats->{m}"))
            .collect();
        format!("new {class}(\n{}\n            )", members.join(",\n"))
    };
    records::fields(structure)
        .into_iter()
        .map(|field| match field {
            Field::Counts { name, prefix, doc } => {
                let members = counters
                    .iter()
                    .map(|c| format!("{prefix}{}", c.name))
                    .collect();
                let property = Property {
                    name: name.to_owned(),
                    kind: "Counts",
                    doc: doc.to_owned(),
                };
                (property, made("Counts", members))
            }
            Field::Percentiles {
                name,
                stem,
                unit,
                doc,
            } => {
                let members = ["p50", "p95", "p99"]
                    .iter()
                    .map(|p| format!("{stem}_{p}_{unit}"))
                    .collect();
                let property = Property {
                    name: property_name(&name),
                    kind: "Percentiles",
                    doc,
                };
                (property, made("Percentiles", members))
            }
            Field::Number(member) => {
                let property = Property {
                    name: property_name(&member.name),
                    kind: "int",
                    doc: member.doc.clone(),
                };
                (property, format!("$stats->{}", member.name))
            }
        })
        .collect()
}

fn stats_class(structure: &Struct) -> String {
    let properties: Vec<Property> = stats_properties(structure)
        .into_iter()
        .map(|(p, _)| p)
        .collect();
    immutable(
        "Stats",
        "The counters of a queue at the time of Client::stats().",
        &properties,
        &is_balanced(
            "Whether the counters of the spool and of this process add up.",
            "$this->spool->isBalanced() && $this->process->isBalanced()",
        ),
    )
}

fn records_class(receipt: &Struct, stats: &Struct) -> String {
    let lines = |values: Vec<String>| {
        let lines: Vec<String> = values.iter().map(|v| format!("            {v}")).collect();
        lines.join(",\n")
    };
    let of_receipt = receipt
        .values()
        .iter()
        .flat_map(receipt_properties)
        .map(|(_, v)| v)
        .collect();
    let of_stats = stats_properties(stats)
        .into_iter()
        .map(|(_, v)| v)
        .collect();
    let body = fill(
        r#"use Esales\Notify\Counts;
use Esales\Notify\Percentiles;
use Esales\Notify\Receipt;
use Esales\Notify\Stats;
use FFI;
use FFI\CData;

/**
 * Converts structs of C to objects.
 *
 * @internal
 */
final class Records
{
    private function __construct()
    {
    }

    public static function receipt(CData $receipt, int $status, string $statusName): Receipt
    {
        return new Receipt(
{receipt}
        );
    }

    public static function stats(CData $stats): Stats
    {
        return new Stats(
{stats}
        );
    }
}
"#,
        &[("receipt", &lines(of_receipt)), ("stats", &lines(of_stats))],
    );
    source("\\Internal", &body)
}

fn options() -> String {
    let (mut docs, mut parameters, mut values) = (String::new(), Vec::new(), String::new());
    for option in OPTIONS {
        let name = camel(option.name);
        let kind = option_type(option);
        let secret = match option.name {
            // The value may contain a password.
            "proxy" => "#[\\SensitiveParameter]\n        ",
            _ => "",
        };
        docs += &text::wrap(
            &format!("@param {kind}|null ${name} {}", php(&option_doc(option))),
            "     * ",
            "     *     ",
            WIDTH,
        );
        parameters.push(format!("        {secret}?{kind} ${name} = null"));
        values += &format!("            '{}' => ${name},\n", option.name);
    }
    // An option of the PHP package only: see `Internal/AgentClient.php`.
    docs += &text::wrap(
        "@param string|null $agent Address of an agent (esales-notify drain --listen) to use instead of the shared library, \
         such as unix:/run/esales-notify/agent.socket or 127.0.0.1:8181. Beside it, only market and enqueue_timeout_ms may \
         be set. Default: unset.",
        "     * ",
        "     *     ",
        WIDTH,
    );
    parameters.push("        ?string $agent = null".to_owned());
    values += "            'agent' => $agent,\n";
    let body = fill(
        r#"/**
 * Typed options of a client: new Client(new ClientOptions(timeoutMs: 500)). Null: not set. Immutable.
 */
final class ClientOptions
{
    /** @var array<string, string|int|bool|null> */
    private array $values;

    /**
{docs}     */
    public function __construct(
{parameters}
    ) {
        $this->values = [
{values}        ];
    }

    /**
     * Returns the options under their names in the library.
     *
     * @return array<string, string|int|bool|null>
     */
    public function toArray(): array
    {
        return $this->values;
    }
}
"#,
        &[
            ("docs", &docs),
            ("parameters", &parameters.join(",\n")),
            ("values", &values),
        ],
    );
    source("", &body)
}

fn option_type(option: &OptionSpec) -> &'static str {
    match option.kind {
        OptionKind::Flag => "bool",
        OptionKind::Integer { .. } => "int",
        _ => "string",
    }
}

fn preload(classes: &[&str]) -> String {
    let list: String = classes
        .iter()
        .map(|class| format!("        '{class}',\n"))
        .collect();
    fill(
        r#"<?php

// {GENERATED}

/**
 * Loads every class of the package, in the order of their dependencies.
 *
 * For the ini setting opcache.preload, alone or required by a preload script of your own: with PHP's default
 * ffi.enable=preload, a web server's PHP lets only preloaded code use FFI. It also loads the package without Composer.
 */

declare(strict_types=1);

foreach (
    [
{list}    ] as $esalesNotifyClass
) {
    require_once __DIR__ . '/src/' . $esalesNotifyClass . '.php';
}
unset($esalesNotifyClass);
"#,
        &[("GENERATED", GENERATED), ("list", &list)],
    )
}

fn table() -> String {
    let mut out = "| exception | code | meaning |\n|---|---|---|\n".to_owned();
    for group in Group::ALL {
        if let Some(name) = class_of_group(*group) {
            let (lowest, highest) = group.range();
            out += &format!(
                "| `{name}` | {highest} to {lowest} | The parent of these codes' classes. {} |\n",
                group.text()
            );
        }
        for status in errors().filter(|s| s.group() == *group) {
            let also = match PARENTS.iter().find(|(of, _)| *of == status) {
                Some((_, parent)) => format!(" (also a `{parent}`)"),
                None => String::new(),
            };
            out += &format!(
                "| `{}`{also} | {} | {} |\n",
                class_of(status),
                status.code(),
                text::markdown(status.text())
            );
        }
    }
    out + "| `LibraryException` | none | FFI is missing or off, a function is disabled, or the library was not found: the message says what to do. |\n"
}
