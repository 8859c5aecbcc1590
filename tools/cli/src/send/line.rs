//! `--line`: one line of an order, such as `product=P1,variant=V1,quantity=2,price=199.50,cost=120`.

use esales_notify::Line;

/// The parts of a line, and the library's name of each, for messages.
const PARTS: [(&str, &str); 5] = [
    ("product", "product_key"),
    ("variant", "variant_key"),
    ("quantity", "quantity"),
    ("price", "selling_price"),
    ("cost", "cost"),
];

/// An unchecked line. The library checks its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderLine {
    product: Option<String>,
    variant: Option<String>,
    quantity: u32,
    price: String,
    cost: Option<String>,
}

impl OrderLine {
    pub(crate) fn parse(text: &str) -> Result<OrderLine, String> {
        let mut values: [Option<String>; PARTS.len()] = Default::default();
        for part in split(text) {
            let Some((name, value)) = part.split_once('=').filter(|_| is_part(part)) else {
                return Err(format!("`{part}` is not a part such as product=P1"));
            };
            let mut places = PARTS.iter().zip(&mut values);
            let Some((_, place)) = places.find(|((part, _), _)| *part == name) else {
                let known = PARTS.map(|(part, _)| part).join(", ");
                return Err(format!(
                    "{name} is not a part of a line: the parts are {known}"
                ));
            };
            if place.replace(value.to_owned()).is_some() {
                return Err(format!("{name} is given twice"));
            }
        }
        let [product, variant, quantity, price, cost] = values;
        if product.is_none() && variant.is_none() {
            return Err("product is missing: give it, or a variant".to_owned());
        }
        let quantity = quantity.ok_or("quantity is missing")?;
        let quantity = quantity.parse().map_err(|_| {
            format!("quantity is `{quantity}`: it must be a whole number, 1 to 2147483647")
        })?;
        Ok(OrderLine {
            product,
            variant,
            quantity,
            price: price.ok_or("price is missing")?,
            cost,
        })
    }

    pub(crate) fn as_line(&self) -> Line<'_> {
        let line = match (&self.product, &self.variant) {
            (None, Some(variant)) => Line::of_variant(variant, self.quantity, &self.price),
            (product, variant) => {
                let product = product.as_deref().unwrap_or_default();
                let line = Line::new(product, self.quantity, &self.price);
                match variant {
                    Some(variant) => line.with_variant(variant),
                    None => line,
                }
            }
        };
        match &self.cost {
            Some(cost) => line.with_cost(cost),
            None => line,
        }
    }
}

/// Cuts at each comma that a part follows, so that a key may have commas, and `price=1,5` is one part.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (comma, _) in text.match_indices(',') {
        let (part, rest) = (text.get(start..comma), text.get(comma + 1..));
        if rest.is_some_and(is_part) {
            parts.extend(part);
            start = comma + 1;
        }
    }
    parts.extend(text.get(start..));
    parts
}

/// Whether a text begins with a lower-case word and `=`.
fn is_part(text: &str) -> bool {
    let name = text.split_once('=').map_or("", |(name, _)| name);
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase())
}

/// The library's message with the names of the command: `lines[0].selling_price ...` becomes `--line 1: price ...`.
pub(super) fn in_terms_of_the_command(message: &str) -> String {
    let translated = || {
        let (number, rest) = message.strip_prefix("lines[")?.split_once("].")?;
        let number: usize = number.parse().ok()?;
        let (part, name) = PARTS.iter().find(|(_, name)| rest.starts_with(name))?;
        let rest = rest.strip_prefix(name)?.replace("selling_price", "price");
        Some(format!("--line {}: {part}{rest}", number + 1))
    };
    translated().unwrap_or_else(|| message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_line_argument_accepts_its_parts_in_any_order() {
        let line = OrderLine::parse("cost=120,price=199.50,quantity=2,variant=V1,product=P1");
        let line = line.unwrap();
        let expected = Line::new("P1", 2, "199.50")
            .with_variant("V1")
            .with_cost("120");
        assert_eq!(line.as_line(), expected);
        let line = OrderLine::parse("variant=V1,quantity=1,price=0").unwrap();
        assert_eq!(line.as_line(), Line::of_variant("V1", 1, "0"));
    }

    #[test]
    fn order_line_argument_keeps_commas_and_equals_signs_in_a_key() {
        let line = OrderLine::parse("product=a,b=,C=1,quantity=1,price=1");
        assert_eq!(
            line.unwrap_err(),
            "b is not a part of a line: the parts are product, variant, quantity, price, cost"
        );
        let line = OrderLine::parse("product=a,B=1, c,,quantity=1,price=1").unwrap();
        assert_eq!(line.as_line().product_key, Some("a,B=1, c,"));
    }

    #[test]
    fn order_line_refusal_names_the_invalid_part() {
        for (text, part) in [
            ("", "`` is not a part"),
            ("P1", "`P1` is not a part"),
            ("P1,quantity=1", "`P1` is not a part"),
            ("product=P1,price=1", "quantity is missing"),
            ("product=P1,quantity=1", "price is missing"),
            ("quantity=1,price=1", "product is missing"),
            (
                "product=P1,quantity=1,quantity=2,price=1",
                "quantity is given twice",
            ),
            ("product=P1,qty=1,price=1", "qty is not a part"),
            ("product=P1,quantity=2.5,price=1", "quantity is `2.5`"),
            ("product=P1,quantity=-1,price=1", "quantity is `-1`"),
            ("product=P1,quantity=,price=1", "quantity is ``"),
            (
                "product=P1,quantity=99999999999,price=1",
                "quantity is `99999999999`",
            ),
        ] {
            let refused = OrderLine::parse(text).unwrap_err();
            assert!(refused.starts_with(part), "{text}: {refused}");
        }
    }

    #[test]
    fn library_message_is_reworded_to_name_the_line_flag_and_part() {
        for (library, command) in [
            (
                "lines[0].selling_price is empty",
                "--line 1: price is empty",
            ),
            (
                "lines[11].cost must be less than selling_price",
                "--line 12: cost must be less than price",
            ),
            (
                "lines[1].variant_key is empty",
                "--line 2: variant is empty",
            ),
            ("ticket is empty", "ticket is empty"),
            ("lines are missing", "lines are missing"),
        ] {
            assert_eq!(in_terms_of_the_command(library), command);
        }
    }
}
