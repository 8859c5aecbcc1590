//! The typed setters of the options, for Rust programs.

use esales_notify::{OPTIONS, OptionKind, OptionSpec};

use crate::text::{Unit, capital, fill, markdown, pascal, without_unit, wrap};
use crate::{GENERATED, Output};

pub(crate) fn outputs() -> Vec<Output> {
    vec![Output::file("src/options/setters.rs".to_owned(), setters())]
}

fn setters() -> String {
    let methods: Vec<String> = OPTIONS.iter().map(method).collect();
    let enums: String = OPTIONS.iter().map(enumeration).collect();
    let rows: String = OPTIONS.iter().map(row).collect();
    fill(
        FILE,
        &[
            ("generated", GENERATED),
            ("methods", &methods.join("\n")),
            ("enums", &enums),
            ("rows", &rows),
        ],
    )
}

const FILE: &str = "\
//! The typed setters of the options. {generated}

use std::path::Path;
use std::time::Duration;

use super::ConfigBuilder;

impl ConfigBuilder {
{methods}}
{enums}
/// A value of an option, and the call that sets it.
#[cfg(test)]
pub(super) type Setter = (&'static str, &'static str, fn(ConfigBuilder) -> ConfigBuilder);

/// Every setter, with a value of its option.
#[cfg(test)]
pub(super) const SETTERS: &[Setter] = &[
{rows}];
";

/// The name of the method: the option's name without its unit.
fn name(option: &OptionSpec) -> &str {
    without_unit(option.name).0
}

fn method(option: &OptionSpec) -> String {
    let (helper, argument, value) = match (option.kind, without_unit(option.name).1) {
        (OptionKind::Flag, _) => ("flag", "bool".to_owned(), "value"),
        (OptionKind::Integer { .. }, Some(Unit::Milliseconds)) => {
            ("millis", "Duration".to_owned(), "value")
        }
        (OptionKind::Integer { .. }, Some(Unit::Seconds)) => {
            ("seconds", "Duration".to_owned(), "value")
        }
        (OptionKind::Integer { .. }, _) => ("number", "u64".to_owned(), "value"),
        (OptionKind::Choice(_), _) => ("text", pascal(name(option)), "value.as_str()"),
        (OptionKind::Path, _) => ("path", "impl AsRef<Path>".to_owned(), "value.as_ref()"),
        _ => ("text", "&str".to_owned(), "value"),
    };
    let mut out = option_doc(option);
    out += &format!(
        "    pub fn {}(self, value: {argument}) -> ConfigBuilder {{\n        self.{helper}(\"{}\", {value})\n    }}\n",
        name(option),
        option.name
    );
    out
}

fn enumeration(option: &OptionSpec) -> String {
    let OptionKind::Choice(choices) = option.kind else {
        return String::new();
    };
    let of_choice = |choice: &&str| {
        let text = format!("`{choice}`{}", meaning(option.doc, choice, choices));
        doc(&text, "    ") + &format!("    {},\n", pascal(choice))
    };
    let variants: String = choices.iter().map(of_choice).collect();
    let arms: String = choices
        .iter()
        .map(|choice| {
            format!(
                "            {}::{} => \"{choice}\",\n",
                pascal(option.name),
                pascal(choice)
            )
        })
        .collect();
    let first = choices
        .iter()
        .filter_map(|choice| described(option.doc, choice));
    let end = first.map(|(start, _)| start).min();
    let meaning = option
        .doc
        .get(..end.unwrap_or(option.doc.len()))
        .unwrap_or_default();
    let text = format!("{} Option `{}`.", meaning.trim_end(), option.name);
    fill(
        ENUM,
        &[
            ("doc", &doc(&text, "")),
            ("name", &pascal(option.name)),
            ("variants", &variants),
            ("arms", &arms),
        ],
    )
}

const ENUM: &str = "
{doc}#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum {name} {
{variants}}

impl {name} {
    fn as_str(self) -> &'static str {
        match self {
{arms}        }
    }
}
";

/// The position at which the doc of an option describes a choice, and the text after the name of the choice.
fn described<'a>(doc: &'a str, choice: &str) -> Option<(usize, &'a str)> {
    let mark = format!("`{choice}`: ");
    let start = doc.find(&mark)?;
    Some((start, doc.get(start + mark.len()..)?))
}

/// The description of a choice in the doc of its option, after a colon; a point if there is none.
fn meaning(doc: &str, choice: &str, choices: &[&str]) -> String {
    let Some((_, text)) = described(doc, choice) else {
        return ".".to_owned();
    };
    let others = choices.iter().filter_map(|other| described(text, other));
    let end = others.map(|(start, _)| start).min().unwrap_or(text.len());
    format!(": {}", text.get(..end).unwrap_or(text).trim_end())
}

fn row(option: &OptionSpec) -> String {
    let unit = without_unit(option.name).1;
    let (shown, value) = match option.kind {
        OptionKind::Flag => ("true".to_owned(), "true".to_owned()),
        OptionKind::Integer { max, .. } => {
            let value = match unit {
                Some(Unit::Milliseconds) => format!("Duration::from_millis({max})"),
                Some(Unit::Seconds) => format!("Duration::from_secs({max})"),
                _ => max.to_string(),
            };
            (max.to_string(), value)
        }
        OptionKind::Choice(choices) => {
            let last = choices.last().copied().unwrap_or_default();
            let value = format!("{}::{}", pascal(option.name), pascal(last));
            (last.to_owned(), value)
        }
        _ => ("w1".to_owned(), "\"w1\"".to_owned()),
    };
    format!(
        "    (\"{}\", \"{shown}\", |builder| builder.{}({value})),\n",
        option.name,
        name(option)
    )
}

/// The meaning of the option, and on a separate line its name, range and default.
fn option_doc(option: &OptionSpec) -> String {
    let unit = match without_unit(option.name).1 {
        Some(Unit::Milliseconds) => " ms",
        Some(Unit::Seconds) => " s",
        _ => "",
    };
    // A `Duration` has no unit.
    let meaning = option.doc.replace(", in milliseconds", "");
    let meaning = meaning.replace(", in seconds", "");
    let range = match option.kind {
        OptionKind::Integer { .. } => format!("{}{unit}; ", option.range()),
        _ => String::new(),
    };
    let default = option
        .default
        .map_or("unset".to_owned(), |value| format!("{value}{unit}"));
    let facts = format!("Option `{}`; {range}default: {default}.", option.name);
    [&doc(&meaning, "    "), "    ///\n", &doc(&facts, "    ")].concat()
}

/// A doc comment.
fn doc(text: &str, indent: &str) -> String {
    let prefix = format!("{indent}/// ");
    wrap(&markdown(&capital(text)), &prefix, &prefix, 120)
}
