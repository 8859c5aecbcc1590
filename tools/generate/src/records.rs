//! The fields of the statistics and receipts in object-oriented languages: counts, percentiles and single numbers.

use crate::header::{Declaration, Struct};

/// A field of the statistics.
pub(crate) enum Field<'a> {
    /// A group of six counters, `spool` or `process`, and the prefix of their members.
    Counts {
        name: &'static str,
        prefix: &'static str,
        doc: &'static str,
    },
    /// Three percentiles of one measure, such as `age_ms`, and the member of the median.
    Percentiles {
        name: String,
        stem: String,
        unit: String,
        doc: String,
    },
    Number(&'a Declaration),
}

const PREFIX: &str = "process_";

/// The counters. The first is the sum of the others.
pub(crate) fn counters(stats: &Struct) -> Vec<&Declaration> {
    let is_per_process = |m: &&Declaration| {
        stats
            .members
            .iter()
            .any(|other| other.name == format!("{PREFIX}{}", m.name))
    };
    stats.members.iter().filter(is_per_process).collect()
}

pub(crate) fn fields(stats: &Struct) -> Vec<Field<'_>> {
    let counters = counters(stats);
    let is_counter = |name: &str| {
        let name = name.strip_prefix(PREFIX).unwrap_or(name);
        counters.iter().any(|c| c.name == name)
    };
    let mut fields = vec![
        Field::Counts {
            name: "spool",
            prefix: "",
            doc: "Notifications of all processes since the spool was made.",
        },
        Field::Counts {
            name: "process",
            prefix: PREFIX,
            doc: "Notifications that this process accepted through clients that share this client's queue.",
        },
    ];
    for member in stats.values() {
        if is_counter(&member.name) {
            continue;
        }
        match member.name.split_once("_p50_") {
            Some((stem, unit)) => fields.push(Field::Percentiles {
                name: format!("{stem}_{unit}"),
                stem: stem.to_owned(),
                unit: unit.to_owned(),
                doc: member.doc.replace(": median of", ", of"),
            }),
            None if member.name.contains("_p9") => {}
            None => fields.push(Field::Number(member)),
        }
    }
    fields
}

/// How the doc of a member in C ends if 0 means that there is no value.
const ZERO_IS_NONE: &str = ". 0: the last attempt got no answer";

/// Whether 0 in C means that there is no value.
pub(crate) fn is_nullable(member: &Declaration) -> bool {
    member.doc.contains(ZERO_IS_NONE)
}

/// The doc of a member in a language that has a null.
pub(crate) fn doc_with(null: &str, member: &Declaration) -> String {
    member
        .doc
        .replace(ZERO_IS_NONE, &ZERO_IS_NONE.replace('0', null))
}
