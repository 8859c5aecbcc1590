//! Prices: decimal numbers as text, which are checked and compared without floating point.

use crate::outcome::Error;

/// Greatest length of a price or cost, in characters.
pub const MAX_PRICE: usize = 32;

/// Checks a price: a JSON number without sign and exponent.
pub(super) fn check(name: &str, price: &str) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::argument(format!("{name} {why}")));
    if price.is_empty() {
        return refuse("is empty");
    }
    if price.len() > MAX_PRICE {
        return refuse(&format!(
            "is {} bytes long; at most {MAX_PRICE} are allowed",
            price.len()
        ));
    }
    let (whole, decimals) = match price.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (price, None),
    };
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || decimals.is_some_and(|decimals| !is_number(decimals)) {
        return refuse(
            "is not a decimal number such as 199.50: only digits, and a point between digits, are allowed",
        );
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return refuse("begins with a 0 that JSON does not allow, such as 0199.50");
    }
    Ok(())
}

/// Checks a cost: a price that is more than 0 and less than the selling price.
pub(super) fn check_cost(cost: &str, selling_price: &str) -> Result<(), Error> {
    check("cost", cost)?;
    if is_less("0", cost) && is_less(cost, selling_price) {
        return Ok(());
    }
    Err(Error::argument(
        "cost must be more than 0 and less than selling_price: leave it out otherwise",
    ))
}

/// Whether `a` is less than `b`. Both must be checked prices.
fn is_less(a: &str, b: &str) -> bool {
    fn parts(price: &str) -> (&str, &str) {
        let (whole, decimals) = price.split_once('.').unwrap_or((price, ""));
        (whole, decimals.trim_end_matches('0'))
    }
    let ((whole_a, decimals_a), (whole_b, decimals_b)) = (parts(a), parts(b));
    // A whole number with more digits is greater, because there are no leading zeros.
    (whole_a.len(), whole_a, decimals_a) < (whole_b.len(), whole_b, decimals_b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn price_is_accepted_when_it_is_a_decimal_number() {
        let longest = "9".repeat(MAX_PRICE);
        for price in ["0", "1", "199.50", "0.10", "10", "0.000001", &longest] {
            check("cost", price).unwrap();
            // The price is written unchanged, so it must be a JSON number.
            serde_json::from_str::<f64>(price).unwrap();
        }
    }

    #[test]
    fn price_is_refused_by_name_when_it_is_not_a_decimal_number() {
        let too_long = "9".repeat(MAX_PRICE + 1);
        for price in [
            "",
            "-1",
            "+1",
            "1,5",
            " 1",
            "1 ",
            "0x10",
            "NaN",
            "nan",
            "Infinity",
            "inf",
            "1e999",
            "1e2",
            "1E2",
            "1.",
            ".5",
            ".",
            "1.2.3",
            "1'000",
            "1_000",
            "1\u{a0}000",
            "00",
            "007",
            "01.5",
            "-0",
            "٣",
            "１",
            "null",
            "\"1\"",
            "1\n",
            &too_long,
        ] {
            let error = check("selling_price", price).unwrap_err();
            assert!(
                error.detail().starts_with("selling_price "),
                "{price}: {error}"
            );
        }
    }

    #[test]
    fn cost_is_refused_when_it_is_zero_or_not_below_the_price() {
        for (cost, price) in [
            ("0.01", "0.02"),
            ("9", "10"),
            ("9.99", "10"),
            ("99.4", "99.50"),
            ("99.49", "99.5"),
            ("0.5", "1"),
        ] {
            check_cost(cost, price).unwrap();
        }
        for (cost, price) in [
            ("0", "1"),
            ("0.00", "1"),
            ("1", "1"),
            ("1.0", "1"),
            ("1", "1.00"),
            ("10", "9"),
            ("99.51", "99.5"),
            ("1", "0"),
            ("-1", "2"),
        ] {
            let error = check_cost(cost, price).unwrap_err();
            assert!(
                error.detail().starts_with("cost "),
                "{cost} of {price}: {error}"
            );
        }
    }
}
