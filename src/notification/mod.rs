//! What is sent: the visitor, what happened, the checks of both, and the JSON. Pure but for the warnings about keys,
//! which go to the log: no clock, no network, no randomness.
//!
//! Kinds, paths and fields are those of the vendor's version 1 of the web API; `kind` has them in one table. The members
//! stand in the order of the vendor's examples.

mod body;
mod check;
mod kind;
mod object;
mod path;
mod personal_data;
mod price;
mod visitor;

use std::borrow::Cow;

pub(crate) use body::{is_of_visitor, is_signed, redacted, secrets, session, sign_anew};
pub use check::MAX_KEY;
pub(crate) use check::check;
pub use kind::{
    FIELDS, Field, FieldSpec, KINDS, Kind, KindSpec, MAX_LINES, MAX_PRODUCT_KEY, MAX_TICKET, Need,
    Repeat,
};
pub(crate) use path::{
    counts_twice, ends_session, kind_name, kind_of, path, payment_token, stored_path,
};
pub use personal_data::personal_data;
pub use price::MAX_PRICE;
pub use visitor::{MAX_MARKET, Visitor};

use crate::outcome::Error;
use object::Object;

/// Longest notification id, in bytes.
pub const MAX_ID: usize = 128;
/// Longest JSON body of a notification, in bytes: an order with very many long lines is refused.
pub const MAX_BODY: usize = 2 * 1024 * 1024;
/// Largest quantity of a line.
pub const MAX_QUANTITY: u32 = i32::MAX as u32;

/// What happened. Made by the function of its kind, such as [`Notification::click`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notification<'a> {
    /// What the visitor did.
    pub kind: Kind,
    /// Names this one event, 1 to 128 bytes; `None`: a new UUID. It is the same in every attempt. A kind whose row says
    /// `has_id` sends it; the others use it in receipts, in the log and in the queue only.
    pub id: Option<&'a str>,
    /// See [`Field::Ticket`].
    pub ticket: Option<&'a str>,
    /// See [`Field::ProductKey`].
    pub product_key: Option<&'a str>,
    /// See [`Field::VariantKey`].
    pub variant_key: Option<&'a str>,
    /// See [`Field::Lines`].
    pub lines: &'a [Line<'a>],
    /// See [`Field::PrivateKey`].
    pub private_key: Option<&'a str>,
}

impl<'a> Notification<'a> {
    /// A notification without fields.
    #[must_use]
    pub fn new(kind: Kind) -> Notification<'a> {
        Notification {
            kind,
            id: None,
            ticket: None,
            product_key: None,
            variant_key: None,
            lines: &[],
            private_key: None,
        }
    }

    /// The visitor added the product behind `ticket` to the cart.
    #[must_use]
    pub fn add_to_cart(ticket: &'a str) -> Notification<'a> {
        Notification {
            ticket: Some(ticket),
            ..Notification::new(Kind::AddToCart)
        }
    }

    /// The visitor clicked the product behind `ticket`.
    #[must_use]
    pub fn click(ticket: &'a str) -> Notification<'a> {
        Notification {
            ticket: Some(ticket),
            ..Notification::new(Kind::Click)
        }
    }

    /// The visitor clicked a product for which there is no ticket.
    #[must_use]
    pub fn non_esales_click(product_key: &'a str) -> Notification<'a> {
        Notification {
            product_key: Some(product_key),
            ..Notification::new(Kind::NonEsalesClick)
        }
    }

    /// The visitor added a product to the cart for which there is no ticket.
    #[must_use]
    pub fn non_esales_add_to_cart(product_key: &'a str) -> Notification<'a> {
        Notification {
            product_key: Some(product_key),
            ..Notification::new(Kind::NonEsalesAddToCart)
        }
    }

    /// The visitor paid for an order of these lines. Not every cluster accepts payments that are not signed.
    #[must_use]
    pub fn payment(lines: &'a [Line<'a>]) -> Notification<'a> {
        Notification {
            lines,
            ..Notification::new(Kind::Payment)
        }
    }

    /// The visitor paid for an order of these lines. The private key signs the notification, and is not kept.
    #[must_use]
    pub fn secure_payment(lines: &'a [Line<'a>], private_key: &'a str) -> Notification<'a> {
        Notification {
            lines,
            private_key: Some(private_key),
            ..Notification::new(Kind::SecurePayment)
        }
    }

    /// The visitor signed out.
    #[must_use]
    pub fn end() -> Notification<'a> {
        Notification::new(Kind::End)
    }

    /// The same with this id.
    #[must_use]
    pub fn with_id(self, id: &'a str) -> Notification<'a> {
        Notification {
            id: Some(id),
            ..self
        }
    }

    /// The same with this variant of the product.
    #[must_use]
    pub fn with_variant(self, variant_key: &'a str) -> Notification<'a> {
        Notification {
            variant_key: Some(variant_key),
            ..self
        }
    }

    /// Sets a field that is text. [`Field::Lines`] is not text: it stays as it is.
    pub fn set_text(&mut self, field: Field, value: Option<&'a str>) {
        match field {
            Field::Ticket => self.ticket = value,
            Field::ProductKey => self.product_key = value,
            Field::VariantKey => self.variant_key = value,
            Field::PrivateKey => self.private_key = value,
            Field::Lines => {}
        }
    }

    /// The value of a field that is text.
    fn text(&self, field: Field) -> Option<&'a str> {
        match field {
            Field::Ticket => self.ticket,
            Field::ProductKey => self.product_key,
            Field::VariantKey => self.variant_key,
            Field::PrivateKey => self.private_key,
            Field::Lines => None,
        }
    }

    fn has(&self, field: Field) -> bool {
        match field {
            Field::Lines => !self.lines.is_empty(),
            _ => self.text(field).is_some(),
        }
    }

    /// Whether the fields that are there are those of the kind.
    fn check_fields(&self) -> Result<(), Error> {
        let kind = self.kind.spec();
        for row in FIELDS {
            let (name, is_there) = (row.name, self.has(row.field));
            match self.kind.need(row.field) {
                None if is_there => {
                    return Err(Error::argument(format!(
                        "{name} does not belong to {}: leave it out",
                        kind.name
                    )));
                }
                Some(Need::Required) if !is_there => {
                    let what = if row.field == Field::Lines {
                        "are"
                    } else {
                        "is"
                    };
                    return Err(Error::argument(format!("{name} {what} missing")));
                }
                _ => {}
            }
        }
        let mut one_of = kind.fields.iter().filter(|(_, need)| *need == Need::OneOf);
        let is_without = one_of.clone().count() > 0 && !one_of.any(|(field, _)| self.has(*field));
        match is_without {
            true => Err(Error::argument(
                "product_key is missing: give it, or a variant_key",
            )),
            false => Ok(()),
        }
    }

    /// The JSON body: UTF-8 without insignificant white space. Checks every field; the error names the first that is
    /// wrong.
    pub(crate) fn encode(
        &self,
        visitor: &Visitor<'_>,
        default_market: Option<&str>,
        id: &str,
    ) -> Result<String, Error> {
        let market = visitor.check(default_market)?;
        check("id", id, MAX_ID)?;
        self.check_fields()?;
        // The private key, which is not in the body, is checked where it signs.
        for field in FIELDS.iter().filter(|row| row.json.is_some()) {
            if let Some(value) = self.text(field.field) {
                check(field.name, value, field.max)?;
            }
        }
        let row = self.kind.spec();
        // What a notification without lines needs, for the most part.
        let mut json = String::with_capacity(512);
        let mut body = Object::open(&mut json);
        body.text("market", market);
        body.text("customerKey", visitor.customer_key);
        body.text("sessionKey", visitor.session_key);
        if row.has_id {
            body.text("id", id);
        }
        if let Some(token) = visitor.token {
            body.text("token", token);
        }
        for (field, _) in row.fields {
            let Some(name) = field.spec().json else {
                continue;
            };
            match (field, self.text(*field)) {
                (Field::Lines, _) => {
                    let may_have_cost = self.kind.need(Field::PrivateKey).is_some();
                    write_lines(body.member(name), self.lines, may_have_cost)?;
                }
                (_, Some(value)) => body.text(name, value),
                // The vendor's examples write `null` for a key that is missing.
                (_, None) => body.raw(name, "null"),
            }
        }
        body.close();
        Ok(json)
    }
}

/// A checked notification as it is sent, and stored.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    /// Path and query below the origin; it may hold a secret.
    pub(crate) path: Cow<'static, str>,
    pub(crate) body: String,
}

/// One line of an order. Prices are decimal numbers as text, such as `199.50`, and are sent exactly as given: digits, and
/// a point with digits behind it where there are decimals; at most [`MAX_PRICE`] characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line<'a> {
    /// The shop's key of the product, 1 to 256 bytes; this or `variant_key` must be there.
    pub product_key: Option<&'a str>,
    /// The shop's key of the variant, 1 to 256 bytes.
    pub variant_key: Option<&'a str>,
    /// How many were bought, 1 to 2147483647.
    pub quantity: u32,
    /// What one of them was sold for.
    pub selling_price: &'a str,
    /// What one of them cost the shop: more than 0 and less than `selling_price`, in a secure payment only. `None`: it is
    /// not known.
    pub cost: Option<&'a str>,
}

impl<'a> Line<'a> {
    /// A line of a product.
    #[must_use]
    pub fn new(product_key: &'a str, quantity: u32, selling_price: &'a str) -> Line<'a> {
        Line {
            product_key: Some(product_key),
            variant_key: None,
            quantity,
            selling_price,
            cost: None,
        }
    }

    /// A line of a variant whose product key is not given.
    #[must_use]
    pub fn of_variant(variant_key: &'a str, quantity: u32, selling_price: &'a str) -> Line<'a> {
        Line {
            product_key: None,
            variant_key: Some(variant_key),
            quantity,
            selling_price,
            cost: None,
        }
    }

    /// The same with this variant of the product.
    #[must_use]
    pub fn with_variant(self, variant_key: &'a str) -> Line<'a> {
        Line {
            variant_key: Some(variant_key),
            ..self
        }
    }

    /// The same with what one of them cost the shop.
    #[must_use]
    pub fn with_cost(self, cost: &'a str) -> Line<'a> {
        Line {
            cost: Some(cost),
            ..self
        }
    }
}

/// The array of the lines. The error begins with the number of the line and the name of the member.
fn write_lines(out: &mut String, lines: &[Line<'_>], may_have_cost: bool) -> Result<(), Error> {
    if lines.len() > MAX_LINES {
        return Err(Error::argument(format!(
            "lines are {}; at most {MAX_LINES} are allowed",
            lines.len()
        )));
    }
    out.push('[');
    for (number, line) in lines.iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        write_line(out, line, may_have_cost)
            .map_err(|e| Error::argument(format!("lines[{number}].{}", e.detail())))?;
        if out.len() + "]}".len() > MAX_BODY {
            return Err(Error::argument(format!(
                "lines are too long: the first {} have {} bytes; at most {MAX_BODY} are allowed",
                number + 1,
                out.len()
            )));
        }
    }
    out.push(']');
    Ok(())
}

fn write_line(out: &mut String, line: &Line<'_>, may_have_cost: bool) -> Result<(), Error> {
    if line.product_key.is_none() && line.variant_key.is_none() {
        return Err(Error::argument(
            "product_key is missing: give it, or a variant_key",
        ));
    }
    let mut object = Object::open(out);
    for (name, json, key) in [
        ("product_key", "productKey", line.product_key),
        ("variant_key", "variantKey", line.variant_key),
    ] {
        if let Some(key) = key {
            check(name, key, MAX_PRODUCT_KEY)?;
            object.text(json, key);
        }
    }
    if line.quantity == 0 || line.quantity > MAX_QUANTITY {
        return Err(Error::argument(format!(
            "quantity is {}; it must be 1 to {MAX_QUANTITY}",
            line.quantity
        )));
    }
    object.raw("quantity", itoa::Buffer::new().format(line.quantity));
    price::check("selling_price", line.selling_price)?;
    object.raw("sellingPrice", line.selling_price);
    if let Some(cost) = line.cost {
        if !may_have_cost {
            return Err(Error::argument(
                "cost does not belong to payment: the service accepts it in a secure_payment only",
            ));
        }
        price::check_cost(cost, line.selling_price)?;
        object.raw("cost", cost);
    }
    object.close();
    Ok(())
}

#[cfg(test)]
mod tests;
