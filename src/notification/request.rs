//! A complete request to the web API, from a shop that makes its requests without this library. The fields are read and
//! checked as those of any other notification. The body is not changed, because a payment token signs its bytes.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::error::Category;
use serde_json::value::RawValue;

use super::body::Members;
use super::check::check;
use super::path::{kind_of, payment_token};
use super::{
    FIELDS, Field, Kind, Line, MAX_BODY, MAX_LINES, MAX_QUANTITY, Need, Notification, Visitor,
};
use crate::outcome::Error;

/// Longest payment token, in characters.
const MAX_PAYMENT_TOKEN: usize = 256;

/// Checks a request for the web API. Returns the id that its body carries; `None`: its kind has none.
pub(crate) fn check_request(path: &str, body: &str) -> Result<Option<String>, Error> {
    let Some(kind) = kind_of(path) else {
        return Err(Error::argument(
            "path belongs to no kind: it must be /api/v1/notifications/... without a query; for a secure payment, with only ?paymentToken=... as the query",
        ));
    };
    if let Some(token) = payment_token(path) {
        check_payment_token(token)?;
    }
    if body.len() > MAX_BODY {
        return Err(Error::argument(format!(
            "body is {} bytes long; at most {MAX_BODY} are allowed",
            body.len()
        )));
    }
    let fields = Fields::read(kind, body)?;
    let owned = fields.lines()?;
    let lines: Vec<Line<'_>> = owned.iter().map(OwnedLine::line).collect();
    let mut notification = Notification {
        lines: &lines,
        // The private key is not in the body; a path with a token is already signed.
        private_key: payment_token(path),
        ..Notification::new(kind)
    };
    for (field, value) in &fields.texts {
        notification.set_text(*field, Some(value));
    }
    let visitor = Visitor {
        market: fields.market.as_deref(),
        customer_key: required("customer_key", fields.customer_key.as_deref())?,
        session_key: required("session_key", fields.session_key.as_deref())?,
        token: fields.token.as_deref(),
    };
    let id = match kind.spec().has_id {
        true => Some(required("id", fields.id.as_deref())?),
        false => None,
    };
    // Only for its checks. The body is sent unchanged.
    notification.encode(&visitor, None, id.unwrap_or("-"))?;
    refuse_quotes(&owned)?;
    Ok(id.map(str::to_owned))
}

fn required<'a>(name: &str, value: Option<&'a str>) -> Result<&'a str, Error> {
    value.ok_or_else(|| Error::argument(format!("{name} is missing")))
}

/// The token is put into the request line unchanged, so it must have no other characters.
fn check_payment_token(token: &str) -> Result<(), Error> {
    check("paymentToken", token, MAX_PAYMENT_TOKEN)?;
    match token.bytes().all(|b| b.is_ascii_alphanumeric()) {
        true => Ok(()),
        false => Err(Error::argument(
            "paymentToken is not a hexadecimal HMAC-SHA256: only letters and digits are allowed",
        )),
    }
}

/// The members of a body that some kind has. Unknown members are left to the service.
#[derive(Default)]
struct Fields<'a> {
    market: Option<String>,
    customer_key: Option<String>,
    session_key: Option<String>,
    id: Option<String>,
    token: Option<String>,
    texts: Vec<(Field, String)>,
    lines: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    fn read(kind: Kind, body: &'a str) -> Result<Fields<'a>, Error> {
        let mut fields = Fields::default();
        for (name, value) in members("body", body)?.0 {
            match name.as_str() {
                "market" => fields.market = text("market", value)?,
                "customerKey" => fields.customer_key = text("customer_key", value)?,
                "sessionKey" => fields.session_key = text("session_key", value)?,
                "id" if kind.spec().has_id => fields.id = text("id", value)?,
                "token" => {
                    fields.token = text("token", value)?;
                    if fields.token.is_none() {
                        return Err(Error::argument(
                            "token is null: leave it out for an anonymous visitor",
                        ));
                    }
                }
                other => fields.read_field(kind, other, value)?,
            }
        }
        Ok(fields)
    }

    fn read_field(&mut self, kind: Kind, name: &str, value: &'a RawValue) -> Result<(), Error> {
        let Some(row) = FIELDS.iter().find(|row| row.json == Some(name)) else {
            return Ok(());
        };
        if row.field == Field::Lines {
            self.lines = Some(value).filter(|value| value.get() != "null");
            return Ok(());
        }
        match text(row.name, value)? {
            Some(text) => self.texts.push((row.field, text)),
            // The vendor's examples write `null` only for missing keys.
            None if kind.need(row.field) == Some(Need::Required) => {
                return Err(Error::argument(format!("{} is missing", row.name)));
            }
            None => {}
        }
        Ok(())
    }

    fn lines(&self) -> Result<Vec<OwnedLine<'a>>, Error> {
        let Some(lines) = self.lines else {
            return Ok(Vec::new());
        };
        let rows: Vec<&RawValue> = serde_json::from_str(lines.get())
            .map_err(|_| Error::argument("lines is not an array"))?;
        if rows.len() > MAX_LINES {
            return Err(Error::argument(format!(
                "lines has {} entries; at most {MAX_LINES} are allowed",
                rows.len()
            )));
        }
        let line = |(number, row): (usize, &'a RawValue)| {
            OwnedLine::read(row.get()).map_err(|e| in_line(number, &e))
        };
        rows.into_iter().enumerate().map(line).collect()
    }
}

fn in_line(number: usize, error: &Error) -> Error {
    Error::argument(format!("lines[{number}].{}", error.detail()))
}

/// A line of an order; its keys may have been escaped in the body.
#[derive(Default)]
struct OwnedLine<'a> {
    product_key: Option<String>,
    variant_key: Option<String>,
    quantity: u32,
    selling_price: Cow<'a, str>,
    cost: Option<Cow<'a, str>>,
    /// A price in quotes.
    in_quotes: Option<&'static str>,
}

impl<'a> OwnedLine<'a> {
    fn read(row: &'a str) -> Result<OwnedLine<'a>, Error> {
        let mut line = OwnedLine::default();
        let (mut quantity, mut selling_price) = (None, None);
        for (name, value) in members("line", row)?.0 {
            match name.as_str() {
                "productKey" => line.product_key = text("product_key", value)?,
                "variantKey" => line.variant_key = text("variant_key", value)?,
                "quantity" => quantity = Some(value.get()).filter(|value| *value != "null"),
                "sellingPrice" => selling_price = line.price("selling_price", value)?,
                "cost" => line.cost = line.price("cost", value)?,
                _ => {}
            }
        }
        line.quantity = whole_number(required("quantity", quantity)?)?;
        line.selling_price =
            selling_price.ok_or_else(|| Error::argument("selling_price is missing"))?;
        Ok(line)
    }

    /// The text of the price; `None`: it is null.
    fn price(
        &mut self,
        name: &'static str,
        value: &'a RawValue,
    ) -> Result<Option<Cow<'a, str>>, Error> {
        if value.get().starts_with('"') {
            self.in_quotes = Some(name);
            return Ok(text(name, value)?.map(Cow::Owned));
        }
        Ok(Some(Cow::Borrowed(value.get())).filter(|value| *value != "null"))
    }

    fn line(&self) -> Line<'_> {
        Line {
            product_key: self.product_key.as_deref(),
            variant_key: self.variant_key.as_deref(),
            quantity: self.quantity,
            selling_price: &self.selling_price,
            cost: self.cost.as_deref(),
        }
    }
}

/// Refuses a price that is a JSON string instead of a number. The other checks come first, because their messages are
/// more exact.
fn refuse_quotes(lines: &[OwnedLine<'_>]) -> Result<(), Error> {
    for (number, line) in lines.iter().enumerate() {
        if let Some(name) = line.in_quotes {
            let message = format!("{name} is a string: it must be a JSON number, without quotes");
            return Err(in_line(number, &Error::argument(message)));
        }
    }
    Ok(())
}

fn whole_number(quantity: &str) -> Result<u32, Error> {
    quantity.parse().map_err(|_| {
        Error::argument(format!(
            "quantity is not a whole number of 1 to {MAX_QUANTITY}"
        ))
    })
}

/// The members of an object. A repeated member is refused, because parsers differ in which value they use.
fn members<'a>(name: &str, json: &'a str) -> Result<Members<'a>, Error> {
    let members: Members<'a> = serde_json::from_str(json).map_err(|e| {
        // The parser's own message may quote the body.
        let (line, column) = (e.line(), e.column());
        Error::argument(match e.classify() {
            Category::Data => format!("{name} is not a JSON object"),
            Category::Eof => format!("{name} is not JSON: it ends too early"),
            _ => format!("{name} is not JSON: line {line}, column {column}"),
        })
    })?;
    let mut names = HashSet::new();
    match members.0.iter().find(|(member, _)| !names.insert(member)) {
        Some((member, _)) => Err(Error::argument(format!(
            "{name} has the member {} twice",
            shown(member)
        ))),
        None => Ok(members),
    }
}

/// A member's name for a message.
fn shown(name: &str) -> String {
    name.chars().take(64).flat_map(char::escape_debug).collect()
}

/// The value of a string member; `None`: it is null.
fn text(name: &str, value: &RawValue) -> Result<Option<String>, Error> {
    serde_json::from_str(value.get())
        .map_err(|_| Error::argument(format!("{name} is not a string")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/api/v1/notifications/adding-to-cart";
    const PAYMENT: &str = "/api/v1/notifications/payment";
    const BODY: &str =
        r#"{ "market": "UK", "customerKey": "c", "sessionKey": "s", "id": "1", "ticket": "t" }"#;

    fn payment(lines: &str) -> String {
        format!(r#"{{"market":"UK","customerKey":"c","sessionKey":"s","lines":{lines}}}"#)
    }

    fn refusal(path: &str, body: &str) -> String {
        check_request(path, body).unwrap_err().detail().to_owned()
    }

    #[test]
    fn check_request_returns_the_id_of_a_kind_that_carries_one() {
        assert_eq!(check_request(PATH, BODY).unwrap().as_deref(), Some("1"));
        let unknown = BODY.replace("\"ticket\"", "\"new\": [1], \"ticket\"");
        check_request(PATH, &unknown).unwrap();
        let lines =
            payment(r#"[{"productKey":"P","variantKey":null,"quantity":2,"sellingPrice":199.50}]"#);
        assert_eq!(check_request(PAYMENT, &lines).unwrap(), None);
        let with_cost = lines.replace("199.50", "199.50,\"cost\":80");
        check_request(&format!("{PAYMENT}?paymentToken=0aF"), &with_cost).unwrap();
        assert_eq!(
            refusal(PAYMENT, &with_cost),
            "lines[0].cost does not belong to payment: the service accepts it in a secure_payment only"
        );
    }

    #[test]
    fn check_request_refuses_a_path_of_no_kind() {
        for path in [
            "",
            "/",
            "/api/v1/notifications/adding-to-cart?x=1",
            "/api/v1/notifications/adding-to-cart?paymentToken=1",
            "/api/v2/notifications/click",
            "/x/api/v1/notifications/click",
        ] {
            assert!(
                refusal(path, BODY).starts_with("path belongs to no kind"),
                "{path}"
            );
        }
        for token in ["", "a&b=c", "a b", "%41"] {
            let path = format!("{PAYMENT}?paymentToken={token}");
            assert!(
                refusal(&path, "{}").starts_with("paymentToken is "),
                "{path}"
            );
        }
    }

    #[test]
    fn check_request_names_the_member_that_is_wrong() {
        let cases = [
            (r#"{}"#, "customer_key is missing"),
            ("", "body is not JSON: it ends too early"),
            ("{\"id\":x", "body is not JSON: line 1, column 7"),
            ("[1]", "body is not a JSON object"),
            (&BODY.replace("\"UK\"", "1"), "market is not a string"),
            (&BODY.replace("\"t\" }", "null }"), "ticket is missing"),
            (&BODY.replace("\"1\"", "null"), "id is missing"),
            (&BODY.replace("\"1\"", "\"\""), "id is empty"),
            (&BODY.replace("\"id\"", "\"x\""), "id is missing"),
            (
                &BODY.replace("\"id\"", "\"market\""),
                "body has the member market twice",
            ),
            (
                &BODY.replace("\"id\"", "\"token\": null, \"id\""),
                "token is null: leave it out for an anonymous visitor",
            ),
            (
                &BODY.replace("\"id\"", "\"productKey\": \"p\", \"id\""),
                "product_key does not belong to add_to_cart: leave it out",
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(refusal(PATH, body), expected, "{body}");
        }
    }

    #[test]
    fn check_request_names_the_line_that_is_wrong() {
        let good = r#"{"productKey":"P","quantity":1,"sellingPrice":1}"#;
        let cases = [
            ("null", "lines are missing"),
            ("{}", "lines is not an array"),
            (&format!("[{good},1]"), "lines[1].line is not a JSON object"),
            (
                &format!("[{}]", good.replace("\"P\"", "null")),
                "lines[0].product_key is missing: give it, or a variant_key",
            ),
            (
                &format!("[{}]", good.replace("\"P\"", "7")),
                "lines[0].product_key is not a string",
            ),
            (
                &format!("[{}]", good.replace(":1,", ":1.0,")),
                "lines[0].quantity is not a whole number of 1 to 2147483647",
            ),
            (
                &format!("[{}]", good.replace(":1,", ":0,")),
                "lines[0].quantity is 0; it must be 1 to 2147483647",
            ),
            (
                &format!("[{}]", good.replace("quantity", "q")),
                "lines[0].quantity is missing",
            ),
            (
                &format!("[{}]", good.replace("Price\":1", "Price\":1e2")),
                "lines[0].selling_price is not a decimal number such as 199.50: only digits, and a point between digits, are allowed",
            ),
        ];
        for (lines, expected) in cases {
            assert_eq!(refusal(PAYMENT, &payment(lines)), expected, "{lines}");
        }
    }
}
