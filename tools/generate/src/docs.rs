//! The tables of the documentation.

use esales_notify::{OPTIONS, Status};

use crate::header::{Header, Struct};
use crate::text::markdown;
use crate::{Output, kind};

pub(crate) fn outputs(header: &Header) -> Vec<Output> {
    let part = |path: &str, name, text| Output::part(path.to_owned(), name, text);
    let members = |name: &str| header.find(name).map_or_else(String::new, members);
    vec![
        part("docs/troubleshooting.md", "codes", codes()),
        part("docs/kinds.md", "kinds", kinds()),
        part("docs/kinds.md", "paths", paths()),
        part("docs/kinds.md", "fields", fields()),
        part("docs/options.md", "options", options()),
        part(
            "docs/getting-started/README.md",
            "receipt",
            members("esales_receipt"),
        ),
    ]
}

fn codes() -> String {
    let mut out = "| code | name | meaning | what to do |\n|--:|---|---|---|\n".to_owned();
    for status in Status::ALL {
        out += &format!(
            "| {} | `{}` | {} | {} |\n",
            status.code(),
            status.name(),
            markdown(status.text()),
            markdown(status.advice())
        );
    }
    out
}

fn options() -> String {
    let mut out = "| option | range | default | meaning |\n|---|---|---|---|\n".to_owned();
    for option in OPTIONS {
        out += &format!(
            "| `{}` | {} | {} | {} |\n",
            option.name,
            option.range(),
            option.default.unwrap_or("unset"),
            markdown(option.doc)
        );
    }
    out
}

fn kinds() -> String {
    let mut out = "| kind | constant | fields | meaning |\n|---|---|---|---|\n".to_owned();
    for row in kind::KINDS {
        let is_alternative = |need: &kind::Need| *need == kind::Need::OneOf;
        let names: Vec<String> = row
            .fields
            .iter()
            .map(|(field, _)| format!("`{}`", field.spec().name))
            .collect();
        let joined = match row.fields.iter().all(|(_, need)| is_alternative(need)) {
            true => names.join(" or "),
            false => names.join(", "),
        };
        out += &format!(
            "| `{}` | `{}` | {joined} | {} |\n",
            row.name, row.constant, row.doc
        );
    }
    out
}

fn paths() -> String {
    let mut out =
        "| kind | path below the origin | sent again after a failure |\n|---|---|---|\n".to_owned();
    for row in kind::KINDS {
        let after = match row.repeat {
            kind::Repeat::WithId => "yes, with its id",
            kind::Repeat::Harmless => "yes",
            kind::Repeat::Counts => "only if it certainly did not arrive",
        };
        out += &format!("| `{}` | `{}` | {after} |\n", row.name, row.path);
    }
    out
}

fn members(structure: &Struct) -> String {
    let mut out = "| member | meaning |\n|---|---|\n".to_owned();
    for member in structure.values() {
        out += &format!("| `{}` | {} |\n", member.name, markdown(&member.doc));
    }
    out
}

fn fields() -> String {
    let mut out = "| field | meaning |\n|---|---|\n".to_owned();
    for row in kind::FIELDS {
        out += &format!("| `{}` | {} |\n", row.name, markdown(row.doc));
    }
    out
}
