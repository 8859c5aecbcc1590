//! Notifications in each language: the parts of hand-written files that depend on the tables of kinds and fields, and
//! the copying into the C struct.

use crate::Output;
use crate::header::{Declaration, Header};
use crate::kind::{FIELDS, Field, FieldSpec, KINDS, Kind, KindSpec, Need, Repeat};
use crate::text::{bare, camel, fill, pascal, php, python, wrap, xml};

/// The longest line.
const WIDTH: usize = 120;

pub(crate) fn outputs(header: &Header) -> Vec<Output> {
    let part = |path: &str, name, text| Output::part(path.to_owned(), name, text);
    let members = header
        .find("esales_notification")
        .map_or(&[][..], |found| found.values());
    let each = |of: fn(&FieldSpec) -> String| FIELDS.iter().map(of).collect::<String>();
    let in_c = |of: fn(&Declaration) -> String| members.iter().map(of).collect::<String>();
    let kinds = |of: fn(&KindSpec) -> String| KINDS.iter().map(of).collect::<Vec<_>>().join("\n");
    let rows = |of: fn(&KindSpec) -> String| {
        let row = |row: &KindSpec| format!("| `{}` | `{}` |\n", of(row), row.name);
        let rows: String = KINDS.iter().map(row).collect();
        format!("| made by | [kind](../../docs/kinds.md) |\n|---|---|\n{rows}")
    };
    let hpp = "include/esales_notify.hpp";
    let of_python = "bindings/python/src/esales_notify/_notification.py";
    let of_php = "bindings/php/src/Notification.php";
    let of_csharp = "bindings/csharp/src/Notification.cs";
    let call_memory = "bindings/csharp/src/CallMemory.cs";
    vec![
        part(hpp, "fields", each(cpp_field)),
        part(hpp, "kinds", KINDS.iter().map(cpp_kind).collect()),
        part(hpp, "members", in_c(cpp_member)),
        part(of_python, "texts", python_texts()),
        part(of_python, "fields", each(python_field)),
        part(of_python, "kinds", kinds(python_kind)),
        part(
            "bindings/python/src/esales_notify/_client.py",
            "members",
            in_c(python_member),
        ),
        part(
            "bindings/python/README.md",
            "notifications",
            rows(python_call),
        ),
        part(
            of_php,
            "fields",
            FIELDS.iter().map(php_field).collect::<Vec<_>>().join("\n"),
        ),
        part(of_php, "kinds", kinds(php_kind)),
        part(
            of_php,
            "getters",
            FIELDS.iter().map(php_getter).collect::<Vec<_>>().join("\n"),
        ),
        part(of_php, "hidden", php_hidden()),
        part(
            "bindings/php/src/Internal/Library.php",
            "members",
            in_c(php_member),
        ),
        part(
            "bindings/php/src/Internal/Wording.php",
            "kinds",
            KINDS.iter().map(php_wording).collect(),
        ),
        part(
            "bindings/php/src/Internal/Wording.php",
            "fields",
            KINDS.iter().map(php_worded_fields).collect(),
        ),
        part("bindings/php/README.md", "notifications", rows(php_call)),
        part(of_csharp, "constructor", csharp_constructor()),
        part(
            of_csharp,
            "fields",
            FIELDS
                .iter()
                .map(csharp_field)
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        part(of_csharp, "kinds", kinds(csharp_kind)),
        part(call_memory, "room", csharp_room(members)),
        part(call_memory, "members", in_c(csharp_member)),
        part(
            "bindings/csharp/README.md",
            "notifications",
            rows(csharp_call),
        ),
        part(
            "tools/sandbox/src/verdict/notification.rs",
            "fields",
            each(sandbox_field),
        ),
    ]
}

/// An argument of the function that makes a notification of a kind.
struct Argument {
    row: &'static FieldSpec,
    is_required: bool,
    /// Whether it is the first of several arguments of which one is required.
    is_first_choice: bool,
}

impl Argument {
    fn is_lines(&self) -> bool {
        is_lines(self.row)
    }
}

fn is_lines(row: &FieldSpec) -> bool {
    row.field == Field::Lines
}

fn arguments(kind: Kind) -> Vec<Argument> {
    let fields = kind.spec().fields;
    let first_choice = fields.iter().find(|(_, need)| *need == Need::OneOf);
    let argument = |(field, need): &(Field, Need)| Argument {
        row: field.spec(),
        is_required: *need == Need::Required,
        is_first_choice: first_choice.is_some_and(|(first, _)| first == field),
    };
    fields.iter().map(argument).collect()
}

/// The sentence with the names of fields as the language writes them.
fn renamed(text: &str, name: fn(&str) -> String) -> String {
    FIELDS.iter().fold(text.to_owned(), |text, row| {
        text.replace(&format!("`{}`", row.name), &format!("`{}`", name(row.name)))
    })
}

fn joined<T>(items: &[T], of: impl Fn(&T) -> String) -> String {
    items.iter().map(of).collect::<Vec<_>>().join(", ")
}

// C++

fn cpp_doc(indent: &str, text: &str) -> String {
    let one = format!("{indent}/** {text} */\n");
    if one.len() <= WIDTH {
        return one;
    }
    let lines = wrap(
        text,
        &format!("{indent} * "),
        &format!("{indent} * "),
        WIDTH,
    );
    format!("{indent}/**\n{lines}{indent} */\n")
}

fn cpp_field(row: &FieldSpec) -> String {
    let doc = cpp_doc("    ", &row.doc.replace('`', ""));
    match is_lines(row) {
        true => format!("{doc}    std::vector<line> {};\n", row.name),
        false => format!("{doc}    std::optional<std::string> {};\n", row.name),
    }
}

fn cpp_kind(row: &KindSpec) -> String {
    // If one of several is enough, the others have functions of their own, such as with_variant.
    let given: Vec<Argument> = arguments(row.kind)
        .into_iter()
        .filter(|argument| argument.is_required || argument.is_first_choice)
        .collect();
    let parameters = joined(&given, |argument| match argument.is_lines() {
        true => format!("std::vector<line> {}", argument.row.name),
        false => format!("std::string_view {}", argument.row.name),
    });
    let values: String = given
        .iter()
        .map(|argument| match (argument.is_lines(), argument.row.name) {
            (true, name) => format!("        made.{name} = std::move({name});\n"),
            (false, name) => format!("        made.{name} = {name};\n"),
        })
        .collect();
    let doc = cpp_doc("    ", row.doc);
    let (name, constant) = (row.name, row.constant);
    format!(
        "{doc}    static notification {name}({parameters}) {{\n        notification made;\n        made.kind = {constant};\n\
         {values}        return made;\n    }}\n"
    )
}

fn cpp_member(member: &Declaration) -> String {
    let name = &member.name;
    let value = match name.as_str() {
        "kind" => "what.kind".to_owned(),
        // The lines are copied after this.
        "lines" | "line_count" => return String::new(),
        _ => format!("strings_.borrow(\"{name}\", what.{name})"),
    };
    format!("        notification_.{name} = {value};\n")
}

// Python

fn python_texts() -> String {
    let texts = FIELDS.iter().filter(|row| !is_lines(row));
    let names: Vec<&str> = ["id"]
        .into_iter()
        .chain(texts.map(|row| row.name))
        .collect();
    format!(
        "#: The fields of a notification that are text.\n_TEXTS = ({})\n",
        joined(&names, |name| format!("\"{name}\""))
    )
}

fn python_field(row: &FieldSpec) -> String {
    let doc = wrap(&format!("#: {}", python(row.doc)), "    ", "    #: ", WIDTH);
    let value = match (is_lines(row), row.is_hidden) {
        (true, _) => "Tuple[Line, ...] = ()",
        (false, true) => "Optional[str] = field(default=None, repr=False)",
        (false, false) => "Optional[str] = None",
    };
    format!("{doc}    {}: {value}\n", row.name)
}

fn python_kind(row: &KindSpec) -> String {
    let arguments = arguments(row.kind);
    let parameters: String = arguments
        .iter()
        .map(
            |argument| match (argument.is_lines(), argument.is_required) {
                (true, _) => format!("{}: Iterable[Line], ", argument.row.name),
                (false, true) => format!("{}: str, ", argument.row.name),
                (false, false) => format!("{}: Optional[str] = None, ", argument.row.name),
            },
        )
        .collect();
    let parameters = format!("cls, {parameters}*, id: Optional[str] = None");
    let one = format!("    def {}({parameters}) -> Notification:\n", row.name);
    let head = match one.len() <= WIDTH {
        true => one,
        false => format!(
            "    def {}(\n        {parameters}\n    ) -> Notification:\n",
            row.name
        ),
    };
    let mut doc = wrap(&format!("\"\"\"{}", row.doc), "        ", "        ", WIDTH);
    for (index, argument) in arguments.iter().enumerate() {
        let text = format!("``{}``: {}", argument.row.name, python(argument.row.doc));
        doc += if index == 0 { "\n" } else { "" };
        doc += &wrap(&text, "        ", "            ", WIDTH);
    }
    let doc = match arguments.is_empty() {
        true => format!("{}\"\"\"\n", doc.trim_end()),
        false => format!("{doc}        \"\"\"\n"),
    };
    let required = arguments.iter().filter(|a| a.is_required && !a.is_lines());
    let checks: String = required
        .map(|a| format!("        require_text(\"{0}\", {0})\n", a.row.name))
        .collect();
    let values: String = arguments
        .iter()
        .map(|argument| match (argument.is_lines(), argument.row.name) {
            (true, name) => format!(", {name}=_lines({name})"),
            (false, name) => format!(", {name}={name}"),
        })
        .collect();
    let kind = bare(row.constant);
    format!("    @classmethod\n{head}{doc}{checks}        return cls(Kind.{kind}, id{values})\n")
}

fn python_member(member: &Declaration) -> String {
    let value = match member.name.as_str() {
        "kind" => "n.kind".to_owned(),
        "lines" => "(LineStruct * len(lines))(*lines) if lines else None".to_owned(),
        "line_count" => "len(lines)".to_owned(),
        name => format!("_optional(\"{name}\", n.{name})"),
    };
    format!("        {value},\n")
}

fn python_call(row: &KindSpec) -> String {
    let arguments = joined(&arguments(row.kind), |a| a.row.name.to_owned());
    format!("Notification.{}({arguments})", row.name)
}

// PHP

fn php_text(text: &str) -> String {
    php(&renamed(text, |name| format!("${}", camel(name))))
}

fn php_field(row: &FieldSpec) -> String {
    let name = camel(row.name);
    match is_lines(row) {
        true => format!("    /** @var list<Line> */\n    private array ${name} = [];\n"),
        false => format!("    private ?string ${name} = null;\n"),
    }
}

fn php_kind(row: &KindSpec) -> String {
    let arguments = arguments(row.kind);
    let mut doc = wrap(row.doc, "     * ", "     * ", WIDTH) + "     *\n";
    for argument in &arguments {
        let kind = match (argument.is_lines(), argument.is_required) {
            (true, _) => "iterable<Line>",
            (false, true) => "string",
            (false, false) => "string|null",
        };
        let name = camel(argument.row.name);
        let text = format!("@param {kind} ${name} {}", php_text(argument.row.doc));
        doc += &wrap(&text, "     * ", "     *     ", WIDTH);
    }
    doc += if arguments.is_empty() { "" } else { "     *\n" };
    let is_order = arguments.iter().any(Argument::is_lines);
    doc += match is_order {
        true => {
            "     * @throws Exception\\InvalidArgumentException if a line is not a Line, or a text has a NUL byte\n"
        }
        false => "     * @throws Exception\\InvalidArgumentException if a text has a NUL byte\n",
    };
    let is_hidden = arguments.iter().any(|argument| argument.row.is_hidden);
    let mut parameters: Vec<String> = Vec::new();
    for argument in &arguments {
        let name = camel(argument.row.name);
        parameters.push(match argument {
            Argument { row, .. } if is_lines(row) => format!("iterable ${name}"),
            // The attribute is on its own line, because PHP 7 reads it as a comment.
            Argument {
                row,
                is_required: true,
                ..
            } if row.is_hidden => {
                format!("#[\\SensitiveParameter]\n        string ${name}")
            }
            Argument {
                is_required: true, ..
            } => format!("string ${name}"),
            Argument {
                is_first_choice: true,
                ..
            } => format!("?string ${name}"),
            _ => format!("?string ${name} = null"),
        });
    }
    parameters.push("?string $id = null".to_owned());
    let function = camel(row.name);
    let one = format!(
        "    public static function {function}({}): self\n",
        parameters.join(", ")
    );
    let head = match one.len() <= WIDTH && !is_hidden {
        true => format!("{one}    {{\n"),
        false => format!(
            "    public static function {function}(\n        {}\n    ): self {{\n",
            parameters.join(",\n        ")
        ),
    };
    let kind = bare(row.constant);
    let values: String = arguments
        .iter()
        .map(|argument| {
            let (name, of_c) = (camel(argument.row.name), argument.row.name);
            let value = match (argument.is_lines(), argument.is_required) {
                (true, _) => format!("self::lines(${name})"),
                (false, true) => format!("Text::withoutNul('{of_c}', ${name})"),
                (false, false) => {
                    format!("${name} === null ? null : Text::withoutNul('{of_c}', ${name})")
                }
            };
            format!("        $made->{name} = {value};\n")
        })
        .collect();
    let body = match values.is_empty() {
        true => format!("        return new self(Kind::{kind}, $id);\n"),
        false => format!(
            "        $made = new self(Kind::{kind}, $id);\n{values}\n        return $made;\n"
        ),
    };
    format!("    /**\n{doc}     */\n{head}{body}    }}\n")
}

fn php_getter(row: &FieldSpec) -> String {
    let doc = wrap(&php_text(row.doc), "     * ", "     * ", WIDTH);
    let (more, kind) = match is_lines(row) {
        true => ("     *\n     * @return list<Line>\n", "array"),
        false => ("", "?string"),
    };
    fill(
        "    /**\n{doc}{more}     */\n    public function get{Name}(): {kind}\n    {\n        return $this->{name};\n    }\n",
        &[
            ("doc", &doc),
            ("more", more),
            ("Name", &pascal(row.name)),
            ("kind", kind),
            ("name", &camel(row.name)),
        ],
    )
}

fn php_hidden() -> String {
    let hidden = FIELDS.iter().filter(|row| row.is_hidden);
    hidden
        .map(|row| {
            let name = camel(row.name);
            format!("            '{name}' => $this->{name} === null ? null : '(hidden)',\n")
        })
        .collect()
}

fn php_member(member: &Declaration) -> String {
    let name = &member.name;
    let value = match name.as_str() {
        // A pointer, which is set after this.
        "lines" => return String::new(),
        "line_count" => "count($rows)".to_owned(),
        _ => format!("$notification->get{}()", pascal(name)),
    };
    format!("            '{name}' => {value},\n")
}

/// A kind for the client of an agent: its path, whether the body has the id, and whether a repetition counts twice.
fn php_wording(row: &KindSpec) -> String {
    let kind = bare(row.constant);
    let (path, has_id, counts) = (row.path, row.has_id, row.repeat == Repeat::Counts);
    format!("        Kind::{kind} => ['{path}', {has_id}, {counts}],\n")
}

/// The members of a kind's body, after those of the visitor.
fn php_worded_fields(row: &KindSpec) -> String {
    let worded = |argument: &Argument| {
        let (row, getter) = (argument.row, pascal(argument.row.name));
        let member = row.json?;
        Some(match argument.is_lines() {
            true => format!("',\"{member}\":' . self::lines($what->get{getter}())"),
            false => format!(
                "',\"{member}\":' . self::nullable('{}', $what->get{getter}())",
                row.name
            ),
        })
    };
    let fields: Vec<String> = arguments(row.kind).iter().filter_map(worded).collect();
    if fields.is_empty() {
        return String::new();
    }
    format!(
        "            case Kind::{}:\n                return {};\n",
        bare(row.constant),
        fields.join("\n                    . ")
    )
}

fn php_call(row: &KindSpec) -> String {
    let arguments = joined(&arguments(row.kind), |a| format!("${}", camel(a.row.name)));
    format!("Notification::{}({arguments})", camel(row.name))
}

// C#

fn csharp_text(text: &str) -> String {
    xml(&renamed(text, pascal))
}

fn csharp_comment(element: &str, text: &str) -> String {
    let name = element.split(' ').next().unwrap_or_default();
    let one = format!("        /// <{element}>{text}</{name}>\n");
    if one.len() <= WIDTH {
        return one;
    }
    let lines = wrap(text, "        /// ", "        /// ", WIDTH);
    format!("        /// <{element}>\n{lines}        /// </{name}>\n")
}

fn csharp_constructor() -> String {
    let parameters: String = FIELDS
        .iter()
        .map(|row| match (is_lines(row), camel(row.name)) {
            (true, name) => format!(",\n            Line[] {name} = null"),
            (false, name) => format!(",\n            string {name} = null"),
        })
        .collect();
    let values: String = FIELDS
        .iter()
        .map(|row| {
            let (property, name) = (pascal(row.name), camel(row.name));
            match is_lines(row) {
                true => format!(
                    "            {property} = new ReadOnlyCollection<Line>({name} ?? new Line[0]);\n"
                ),
                false => format!("            {property} = {name};\n"),
            }
        })
        .collect();
    format!(
        "        private Notification(\n            Kind kind,\n            string id{parameters})\n        {{\n            \
         Kind = kind;\n            Id = id;\n{values}        }}\n"
    )
}

fn csharp_field(row: &FieldSpec) -> String {
    let none = match is_lines(row) {
        true => "Empty: the kind has none.",
        false => "Null: there is none.",
    };
    let doc = csharp_comment("summary", &format!("{} {none}", csharp_text(row.doc)));
    let kind = match is_lines(row) {
        true => "IReadOnlyList<Line>",
        false => "string",
    };
    // A field that is never sent is only for the library.
    let access = if row.json.is_some() {
        "public"
    } else {
        "internal"
    };
    format!(
        "{doc}        {access} {kind} {} {{ get; }}\n",
        pascal(row.name)
    )
}

fn csharp_kind(row: &KindSpec) -> String {
    let arguments = arguments(row.kind);
    let mut doc = csharp_comment("summary", row.doc);
    for argument in &arguments {
        let name = format!("param name=\"{}\"", camel(argument.row.name));
        doc += &csharp_comment(&name, &csharp_text(argument.row.doc));
    }
    doc += &csharp_comment(
        "param name=\"id\"",
        match row.has_id {
            true => "Id of this one event, 1 to 128 bytes of UTF-8. Null: a new UUID.",
            false => {
                "Id of this one event in receipts, in the log and in the queue, 1 to 128 bytes of UTF-8. Null: a new \
                 UUID. The service does not receive it."
            }
        },
    );
    doc += "        /// <returns>The notification.</returns>\n";
    if arguments.iter().any(Argument::is_lines) {
        doc += "        /// <exception cref=\"InvalidArgumentException\"><paramref name=\"lines\"/> is null, or one of them \
                is.</exception>\n";
    }
    let parameters: String = arguments
        .iter()
        .map(|argument| {
            let name = camel(argument.row.name);
            match argument {
                Argument { row, .. } if is_lines(row) => format!("IEnumerable<Line> {name}, "),
                Argument {
                    is_required,
                    is_first_choice,
                    ..
                } if *is_required || *is_first_choice => {
                    format!("string {name}, ")
                }
                _ => format!("string {name} = null, "),
            }
        })
        .collect();
    let values: String = arguments
        .iter()
        .map(
            |argument| match (argument.is_lines(), camel(argument.row.name)) {
                (true, name) => format!(", {name}: Checked({name})"),
                (false, name) => format!(", {name}: {name}"),
            },
        )
        .collect();
    let name = pascal(row.name);
    format!(
        "{doc}        public static Notification {name}({parameters}string id = null)\n        {{\n            \
         return new Notification(Kind.{name}, id{values});\n        }}\n"
    )
}

fn csharp_room(members: &[Declaration]) -> String {
    let texts = members.iter().filter(|member| member.base == "char");
    texts
        .map(|text| {
            format!(
                "                room += Utf8.Room(notification.{});\n",
                pascal(&text.name)
            )
        })
        .collect()
}

fn csharp_member(member: &Declaration) -> String {
    let name = pascal(&member.name);
    let value = match member.name.as_str() {
        "kind" => "(int)notification.Kind".to_owned(),
        "lines" => "lines".to_owned(),
        "line_count" => "(UIntPtr)(uint)notification.Lines.Count".to_owned(),
        of_c => format!("Add(NotificationParameter, \"{of_c}\", notification.{name})"),
    };
    format!("                {name} = {value},\n")
}

fn csharp_call(row: &KindSpec) -> String {
    let arguments = joined(&arguments(row.kind), |a| camel(a.row.name));
    format!("Notification.{}({arguments})", pascal(row.name))
}

// The sandbox

fn sandbox_field(row: &FieldSpec) -> String {
    match row.json {
        // The lines are read elsewhere.
        Some(json) if !is_lines(row) => {
            let doc = wrap(row.doc, "    /// ", "    /// ", WIDTH);
            format!("{doc}    {}: \"{json}\",\n", row.name)
        }
        _ => String::new(),
    }
}
