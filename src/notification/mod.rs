//! Notifications: the visitor, the event, their checks and their JSON. This module uses no clock, network or random
//! numbers; it only logs warnings about keys.
//!
//! Kinds, paths and fields follow version 1 of the vendor's web API and are in one table, in `kind`. The members of the
//! JSON are in the order of the vendor's examples.

mod body;
mod check;
mod kind;
mod object;
mod path;
mod personal_data;
mod price;
mod request;
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
pub(crate) use request::check_request;
pub use visitor::{MAX_MARKET, Visitor};

use crate::outcome::Error;
use object::Object;

/// Greatest length of a notification id, in bytes.
pub const MAX_ID: usize = 128;
/// Greatest length of a notification's JSON body, in bytes. An order with more or longer lines is refused.
pub const MAX_BODY: usize = 2 * 1024 * 1024;
/// Greatest quantity of a line.
pub const MAX_QUANTITY: u32 = i32::MAX as u32;

/// What happened. Make it with the function of its kind, such as [`Notification::click`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notification<'a> {
    /// What the visitor did.
    pub kind: Kind,
    /// Id of this one event, 1 to 128 bytes. `None`: a new UUID. All attempts send the same id.
    /// Only kinds with `has_id` send it to the service; for others it is used in receipts, in the
    /// log and in the queue.
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

    /// The visitor added the ticket's product to the cart.
    #[must_use]
    pub fn add_to_cart(ticket: &'a str) -> Notification<'a> {
        Notification {
            ticket: Some(ticket),
            ..Notification::new(Kind::AddToCart)
        }
    }

    /// The visitor clicked the ticket's product.
    #[must_use]
    pub fn click(ticket: &'a str) -> Notification<'a> {
        Notification {
            ticket: Some(ticket),
            ..Notification::new(Kind::Click)
        }
    }

    /// The visitor clicked a product that has no ticket.
    #[must_use]
    pub fn non_esales_click(product_key: &'a str) -> Notification<'a> {
        Notification {
            product_key: Some(product_key),
            ..Notification::new(Kind::NonEsalesClick)
        }
    }

    /// The visitor added a product that has no ticket to the cart.
    #[must_use]
    pub fn non_esales_add_to_cart(product_key: &'a str) -> Notification<'a> {
        Notification {
            product_key: Some(product_key),
            ..Notification::new(Kind::NonEsalesAddToCart)
        }
    }

    /// The visitor paid for an order with these lines. Some clusters accept only signed payments.
    #[must_use]
    pub fn payment(lines: &'a [Line<'a>]) -> Notification<'a> {
        Notification {
            lines,
            ..Notification::new(Kind::Payment)
        }
    }

    /// The visitor paid for an order with these lines. The notification is signed with the private
    /// key, which is not kept.
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

    /// Returns the notification with this id.
    #[must_use]
    pub fn with_id(self, id: &'a str) -> Notification<'a> {
        Notification {
            id: Some(id),
            ..self
        }
    }

    /// Returns the notification with this variant key.
    #[must_use]
    pub fn with_variant(self, variant_key: &'a str) -> Notification<'a> {
        Notification {
            variant_key: Some(variant_key),
            ..self
        }
    }

    /// Sets a text field. [`Field::Lines`] is not a text field: it is left unchanged.
    pub fn set_text(&mut self, field: Field, value: Option<&'a str>) {
        match field {
            Field::Ticket => self.ticket = value,
            Field::ProductKey => self.product_key = value,
            Field::VariantKey => self.variant_key = value,
            Field::PrivateKey => self.private_key = value,
            Field::Lines => {}
        }
    }

    /// The value of a text field.
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

    /// Checks that the fields are those of the kind.
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

    /// The JSON body: UTF-8 without insignificant white space. Checks every field; the error names
    /// the first one that is invalid.
    pub(crate) fn encode(
        &self,
        visitor: &Visitor<'_>,
        default_market: Option<&str>,
        id: &str,
    ) -> Result<String, Error> {
        let market = visitor.check(default_market)?;
        check("id", id, MAX_ID)?;
        self.check_fields()?;
        // The private key is not in the body; it is checked when it signs.
        for field in FIELDS.iter().filter(|row| row.json.is_some()) {
            if let Some(value) = self.text(field.field) {
                check(field.name, value, field.max)?;
            }
        }
        let row = self.kind.spec();
        // Usually enough for a notification without lines.
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
                // The vendor's examples have `null` for a missing key.
                (_, None) => body.raw(name, "null"),
            }
        }
        body.close();
        Ok(json)
    }
}

/// A checked notification in the form in which it is sent and stored.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    /// Path and query, after the origin. It may contain a secret.
    pub(crate) path: Cow<'static, str>,
    pub(crate) body: String,
}

/// One line of an order. Prices are decimal numbers as text, such as `199.50` or `10`: digits,
/// optionally followed by a point and more digits, at most [`MAX_PRICE`] characters. They are sent
/// exactly as given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line<'a> {
    /// The shop's key of the product, 1 to 256 bytes. `product_key` or `variant_key` is required.
    pub product_key: Option<&'a str>,
    /// The shop's key of the variant, 1 to 256 bytes.
    pub variant_key: Option<&'a str>,
    /// Number of items bought, 1 to 2147483647.
    pub quantity: u32,
    /// Selling price of one item.
    pub selling_price: &'a str,
    /// Cost of one item for the shop, more than 0 and less than `selling_price`. Only in a secure
    /// payment. `None`: the cost is not known.
    pub cost: Option<&'a str>,
}

impl<'a> Line<'a> {
    /// A line with a product key.
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

    /// A line with a variant key only.
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

    /// Returns the line with this variant key.
    #[must_use]
    pub fn with_variant(self, variant_key: &'a str) -> Line<'a> {
        Line {
            variant_key: Some(variant_key),
            ..self
        }
    }

    /// Returns the line with this cost of one item.
    #[must_use]
    pub fn with_cost(self, cost: &'a str) -> Line<'a> {
        Line {
            cost: Some(cost),
            ..self
        }
    }
}

/// Writes the array of the lines. An error begins with the number of the line and the name of the
/// member.
fn write_lines(out: &mut String, lines: &[Line<'_>], may_have_cost: bool) -> Result<(), Error> {
    if lines.len() > MAX_LINES {
        return Err(Error::argument(format!(
            "lines has {} entries; at most {MAX_LINES} are allowed",
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
