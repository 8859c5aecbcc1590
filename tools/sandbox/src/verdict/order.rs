//! The lines of an order: required values, and warnings about numbers.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::kind::MAX_LINES;

/// The members of a line that the vendor's documents list.
const MEMBERS: [&str; 5] = [
    "productKey",
    "variantKey",
    "quantity",
    "sellingPrice",
    "cost",
];

/// One line of an order. Its numbers are the text of the body, without rounding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Line {
    /// The shop's key of the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_key: Option<String>,
    /// The shop's key of the variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant_key: Option<String>,
    /// Number of items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// The price of one item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selling_price: Option<String>,
    /// The shop's cost of one item; secure payments only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
}

impl Line {
    pub(super) fn values(&self) -> impl Iterator<Item = &String> {
        [
            &self.product_key,
            &self.variant_key,
            &self.quantity,
            &self.selling_price,
            &self.cost,
        ]
        .into_iter()
        .flatten()
    }
}

/// The faults of an order. The messages name the first line with each fault.
#[derive(Debug, Default)]
pub(super) struct OrderFaults {
    /// The fault of an order that does not have the documented form.
    pub(super) unreadable: Option<String>,
    /// The fault for which the documents require a refusal.
    pub(super) refused: Option<String>,
    pub(super) warnings: Vec<String>,
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// The member `lines` of a body, unparsed. `null` counts as missing.
pub(super) fn raw_lines(body: &[u8]) -> Option<&RawValue> {
    let mut members = serde_json::from_slice::<Members<'_>>(body).ok()?;
    members
        .remove("lines")
        .filter(|lines| lines.get() != "null")
}

fn elements(lines: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(lines.get()).ok()
}

fn members(line: &RawValue) -> Option<Members<'_>> {
    serde_json::from_str(line.get()).ok()
}

/// The lines that are objects, with unparsed numbers. At most as many as the library sends.
pub(super) fn read_lines(lines: &RawValue) -> Option<Vec<Line>> {
    let lines = elements(lines)?.into_iter().take(MAX_LINES);
    Some(
        lines
            .filter_map(members)
            .map(|line| read_line(&line))
            .collect(),
    )
}

fn read_line(members: &Members<'_>) -> Line {
    let key = |name: &str| string(members.get(name)?);
    let number = |name: &str| {
        let raw = members.get(name).filter(|raw| raw.get() != "null");
        raw.map(|raw| raw.get().to_owned())
    };
    Line {
        product_key: key("productKey"),
        variant_key: key("variantKey"),
        quantity: number("quantity"),
        selling_price: number("sellingPrice"),
        cost: number("cost"),
    }
}

fn string(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// Checks the lines of a payment; `signed`: of a secure one.
pub(super) fn judge_order(lines: Option<&RawValue>, signed: bool) -> OrderFaults {
    let mut faults = OrderFaults::default();
    let Some(lines) = lines else {
        faults.refused = Some("Lines are missing.".to_owned());
        return faults;
    };
    let Some(lines) = elements(lines) else {
        faults.unreadable = Some("Sandbox: `lines` is not an array.".to_owned());
        return faults;
    };
    if lines.is_empty() {
        faults.refused = Some("Lines are missing. Sandbox: `lines` is empty.".to_owned());
    }
    if lines.len() > MAX_LINES {
        faults.warnings.push(format!(
            "there are {} lines; the library sends at most {MAX_LINES}, and the page shows as many",
            lines.len()
        ));
    }
    let mut warnings = LineWarnings::default();
    for (at, line) in lines.into_iter().enumerate() {
        let number = at + 1;
        let Some(members) = members(line) else {
            let text = format!("Sandbox: line {number} is not an object.");
            faults.unreadable.get_or_insert(text);
            continue;
        };
        if let Some(text) = unreadable(&members) {
            let text = format!("Sandbox: line {number}: {text}.");
            faults.unreadable.get_or_insert(text);
        }
        if faults.refused.is_none() {
            faults.refused = refused(number, &members, signed);
        }
        warn(&members, |text| warnings.add(number, text));
    }
    faults.warnings.extend(warnings.into_texts());
    faults
}

fn unreadable(members: &Members<'_>) -> Option<String> {
    let is_null = |raw: &&&RawValue| raw.get() == "null";
    let is_number = |text: &str| text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    for name in ["productKey", "variantKey"] {
        let raw = members.get(name).filter(|raw| !is_null(raw));
        if raw.is_some_and(|raw| !raw.get().starts_with('"')) {
            return Some(format!("`{name}` is not a string"));
        }
    }
    for name in ["quantity", "sellingPrice", "cost"] {
        let Some(raw) = members.get(name).filter(|raw| !is_null(raw)) else {
            continue;
        };
        if !is_number(raw.get()) {
            return Some(format!("`{name}` is not a number"));
        }
        if name == "quantity" && raw.get().contains(['.', 'e', 'E']) {
            return Some(format!("`quantity` is {}, not a whole number", raw.get()));
        }
    }
    None
}

fn refused(number: usize, members: &Members<'_>, signed: bool) -> Option<String> {
    let has_key = |name: &str| {
        let key = members.get(name).and_then(|raw| string(raw));
        key.is_some_and(|key| !key.is_empty())
    };
    let has_cost = members.get("cost").is_some_and(|raw| raw.get() != "null");
    if !has_key("productKey") && !has_key("variantKey") {
        Some(format!(
            "Product key and variant key are missing. Sandbox: line {number} has neither."
        ))
    } else if has_cost && !signed {
        Some(format!(
            "Sandbox: line {number} has a `cost`, which only a secure payment may have \
             (one with `paymentToken` in the query)."
        ))
    } else {
        None
    }
}

/// Warns of values that no document mentions.
fn warn(members: &Members<'_>, mut add: impl FnMut(String)) {
    let text = |name: &str| {
        let raw = members.get(name).map(|raw| raw.get());
        raw.filter(|text| *text != "null")
    };
    let number = |name: &str| text(name).and_then(|text| text.parse::<f64>().ok());
    for name in ["productKey", "variantKey"] {
        if text(name) == Some("\"\"") {
            add(format!("`{name}` is empty"));
        }
    }
    for name in ["quantity", "sellingPrice"] {
        if text(name).is_none() {
            add(format!("`{name}` is missing"));
        }
    }
    if number("quantity").is_some_and(|quantity| quantity < 1.0) {
        add("`quantity` is less than 1".to_owned());
    }
    let price = number("sellingPrice");
    if price.is_some_and(|price| price < 0.0) {
        add("`sellingPrice` is negative".to_owned());
    }
    match number("cost") {
        Some(0.0) => add("`cost` is 0; leave it out if it is not known".to_owned()),
        Some(cost) if cost < 0.0 => add("`cost` is negative".to_owned()),
        Some(cost) if price.is_some_and(|price| cost >= price) => {
            add("`cost` is not less than `sellingPrice`; both are for one item".to_owned());
        }
        _ => {}
    }
    if members.get("cost").is_some_and(|raw| raw.get() == "null") {
        add("`cost` is null; leave it out if it is not known".to_owned());
    }
    for name in members
        .keys()
        .filter(|name| !MEMBERS.contains(&name.as_str()))
    {
        add(format!(
            "`{name}` is not a member of a line that the service knows"
        ));
    }
}

/// Combines the same warning about many lines into one.
#[derive(Default)]
struct LineWarnings(BTreeMap<String, (usize, usize)>);

impl LineWarnings {
    fn add(&mut self, line: usize, text: String) {
        self.0.entry(text).or_insert((line, 0)).1 += 1;
    }

    fn into_texts(self) -> Vec<String> {
        let mut warnings: Vec<_> = self.0.into_iter().collect();
        warnings.sort_by_key(|(_, (first, _))| *first);
        let texts = warnings
            .into_iter()
            .map(|(text, (first, lines))| match lines {
                1 => format!("line {first}: {text}"),
                lines => format!("line {first} and {} more: {text}", lines - 1),
            });
        texts.collect()
    }
}
