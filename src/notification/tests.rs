use super::*;

const KEY: &str = "d9528030-509c-4e0f-b585-7168f1e9feca";
const SESSION: &str = "b106299c-eac0-4f6f-96d2-93e57c255784";
const TICKET: &str = "Oy9keW5hbWljLXBhZ2VzL3N0YXJ0L2VzYWxlcy1zdGFydC0xOyM7cHJvZHVjdF9rZXk7UF8xMjUzODMtMDAxNF9VSzsjOztOT05FOk5PTkU7NjE7";

fn anonymous() -> Visitor<'static> {
    Visitor::anonymous(KEY, SESSION).in_market("UK")
}

fn json(notification: Notification<'_>) -> Result<String, String> {
    let made = notification.encode(&anonymous(), None, "0.nd2bj6h4pi9");
    made.map_err(|e| e.detail().to_owned())
}

/// The first members of every body.
fn visitor_json() -> String {
    format!(r#"{{"market":"UK","customerKey":"{KEY}","sessionKey":"{SESSION}""#)
}

#[test]
fn body_equals_the_example_of_the_reference() {
    let expected = format!(
        r#"{},"id":"0.nd2bj6h4pi9","ticket":"{TICKET}"}}"#,
        visitor_json()
    );
    assert_eq!(json(Notification::add_to_cart(TICKET)).unwrap(), expected);
    assert_eq!(json(Notification::click(TICKET)).unwrap(), expected);
}

#[test]
fn token_precedes_the_ticket_in_the_body() {
    let key = "a".repeat(64);
    let visitor = Visitor::signed_in(&key, SESSION, "t0k");
    let body = Notification::add_to_cart("x\"y")
        .encode(&visitor, Some("SE"), "1")
        .unwrap();
    assert_eq!(
        body,
        format!(
            r#"{{"market":"SE","customerKey":"{key}","sessionKey":"{SESSION}","id":"1","token":"t0k","ticket":"x\"y"}}"#
        )
    );
}

#[test]
fn product_or_variant_key_is_null_when_only_the_other_is_given() {
    let head = format!(r#"{},"id":"0.nd2bj6h4pi9","#, visitor_json());
    for make in [
        Notification::non_esales_click,
        Notification::non_esales_add_to_cart,
    ] {
        let product = make("P1");
        assert_eq!(
            json(product).unwrap(),
            format!(r#"{head}"productKey":"P1","variantKey":null}}"#)
        );
        assert_eq!(
            json(product.with_variant("V1")).unwrap(),
            format!(r#"{head}"productKey":"P1","variantKey":"V1"}}"#)
        );
        let variant = Notification {
            product_key: None,
            ..product.with_variant("V1")
        };
        assert_eq!(
            json(variant).unwrap(),
            format!(r#"{head}"productKey":null,"variantKey":"V1"}}"#)
        );
    }
}

#[test]
fn prices_are_sent_as_written_when_an_order_is_paid() {
    let lines = [
        Line::new("P1", 2, "199.50").with_variant("V1"),
        Line::of_variant("V2", 1, "0"),
    ];
    let expected = format!(
        r#"{},"lines":[{{"productKey":"P1","variantKey":"V1","quantity":2,"sellingPrice":199.50}},{{"variantKey":"V2","quantity":1,"sellingPrice":0}}]}}"#,
        visitor_json()
    );
    assert_eq!(json(Notification::payment(&lines)).unwrap(), expected);
    assert_eq!(
        json(Notification::secure_payment(&lines, "key")).unwrap(),
        expected
    );
    let with_cost = [Line::new("P1", 1, "1.10").with_cost("1.00")];
    let secure = json(Notification::secure_payment(&with_cost, "key")).unwrap();
    assert!(secure.ends_with(r#""quantity":1,"sellingPrice":1.10,"cost":1.00}]}"#));
    let refused = json(Notification::payment(&with_cost)).unwrap_err();
    assert!(
        refused.starts_with("lines[0].cost does not belong"),
        "{refused}"
    );
}

#[test]
fn end_body_has_only_the_visitor() {
    let body = json(Notification::end()).unwrap();
    assert_eq!(body, format!("{}}}", visitor_json()));
}

/// A notification of the kind with all its fields.
fn example<'a>(kind: Kind, lines: &'a [Line<'a>]) -> Notification<'a> {
    let mut example = Notification::new(kind);
    for (field, _) in kind.spec().fields {
        set(&mut example, *field, lines);
    }
    example
}

fn set<'a>(notification: &mut Notification<'a>, field: Field, lines: &'a [Line<'a>]) {
    match field {
        Field::Ticket => notification.ticket = Some(TICKET),
        Field::ProductKey => notification.product_key = Some("P1"),
        Field::VariantKey => notification.variant_key = Some("V1"),
        Field::Lines => notification.lines = lines,
        Field::PrivateKey => notification.private_key = Some("key"),
    }
}

#[test]
fn notification_is_refused_by_field_name_when_a_field_is_missing_or_of_another_kind() {
    let lines = [Line::new("P1", 1, "1")];
    for kind in KINDS {
        json(example(kind.kind, &lines)).unwrap();
        for field in FIELDS {
            let mut other = example(kind.kind, &lines);
            let refused = match kind.kind.need(field.field) {
                Some(Need::OneOf) => continue,
                Some(Need::Required) => {
                    let all = example(kind.kind, &lines);
                    other = Notification::new(kind.kind);
                    for (own, _) in kind.fields.iter().filter(|(own, _)| *own != field.field) {
                        set(&mut other, *own, &lines);
                    }
                    assert_ne!(all, other);
                    json(other).unwrap_err()
                }
                None => {
                    set(&mut other, field.field, &lines);
                    json(other).unwrap_err()
                }
            };
            assert!(
                refused.starts_with(&format!("{} ", field.name)),
                "{}: {refused}",
                kind.name
            );
        }
    }
    let neither = json(Notification::new(Kind::NonEsalesClick)).unwrap_err();
    assert!(neither.starts_with("product_key is missing"), "{neither}");
}

#[test]
fn order_line_is_refused_by_number_and_field_when_it_is_invalid() {
    let good = Line::new("P1", 1, "1");
    let none = Line {
        product_key: None,
        ..good
    };
    for (bad, name) in [
        (none, "product_key"),
        (Line::new("", 1, "1"), "product_key"),
        (Line::new(" ", 1, "1"), "product_key"),
        (Line::new("a\n", 1, "1"), "product_key"),
        (good.with_variant(""), "variant_key"),
        (Line::new("P1", 0, "1"), "quantity"),
        (Line::new("P1", MAX_QUANTITY + 1, "1"), "quantity"),
        (Line::new("P1", 1, ""), "selling_price"),
        (Line::new("P1", 1, "1,5"), "selling_price"),
        (good.with_cost("1"), "cost"),
        (good.with_cost("NaN"), "cost"),
    ] {
        let lines = [good, bad];
        let refused = json(Notification::secure_payment(&lines, "key")).unwrap_err();
        assert!(
            refused.starts_with(&format!("lines[1].{name} ")),
            "{refused}"
        );
    }
    let most = [Line::new("P1", MAX_QUANTITY, "1")];
    json(Notification::payment(&most)).unwrap();
}

#[test]
fn order_is_refused_when_its_lines_are_too_many_or_too_long() {
    let key = "k".repeat(MAX_PRODUCT_KEY);
    let short = vec![Line::new("P1", 1, "1"); MAX_LINES + 1];
    json(Notification::payment(&short[..MAX_LINES])).unwrap();
    let refused = json(Notification::payment(&short)).unwrap_err();
    assert!(refused.starts_with("lines has 10001"), "{refused}");
    let long = vec![Line::new(&key, 1, "1").with_variant(&key); MAX_LINES];
    let refused = json(Notification::payment(&long)).unwrap_err();
    assert!(refused.starts_with("lines are too long"), "{refused}");
    let fits = long[..3000].to_vec();
    assert!(json(Notification::payment(&fits)).unwrap().len() <= MAX_BODY);
}

#[test]
fn order_is_refused_when_its_body_is_longer_than_max_body() {
    let key = "k".repeat(MAX_PRODUCT_KEY);
    let of_length = |length: usize| Line::new(&key[..length], 1, "1");
    let body = |lines: &[Line<'_>]| json(Notification::payment(lines));
    let length = |lines: &[Line<'_>]| body(lines).unwrap().len();
    let [one, two] = [1, 2].map(|n| length(&vec![of_length(200); n]));
    let mut lines = vec![of_length(200); 1 + (MAX_BODY - one) / (two - one)];
    // The first lines get what is left, which is less than one more line needs.
    let mut left = MAX_BODY - length(&lines);
    for line in &mut lines {
        let more = left.min(MAX_PRODUCT_KEY - 200);
        *line = of_length(200 + more);
        left -= more;
    }
    assert_eq!(length(&lines), MAX_BODY);
    *lines.last_mut().unwrap() = of_length(201);
    let refused = body(&lines).unwrap_err();
    let expected = format!("lines are too long: the first {} have ", lines.len());
    assert!(refused.starts_with(&expected), "{refused}");
}

#[test]
fn set_text_sets_the_given_field() {
    let mut made = Notification::new(Kind::End);
    for (field, text) in [
        (Field::Ticket, "t"),
        (Field::ProductKey, "p"),
        (Field::VariantKey, "v"),
        (Field::PrivateKey, "k"),
        (Field::Lines, "l"),
    ] {
        made.set_text(field, Some(text));
    }
    assert_eq!(
        made.with_id("1"),
        Notification {
            id: Some("1"),
            ticket: Some("t"),
            product_key: Some("p"),
            variant_key: Some("v"),
            private_key: Some("k"),
            ..Notification::new(Kind::End)
        }
    );
}

#[test]
fn refusal_names_the_missing_argument() {
    let missing = |kind| json(Notification::new(kind)).unwrap_err();
    assert_eq!(missing(Kind::Click), "ticket is missing");
    assert_eq!(missing(Kind::Payment), "lines are missing");
}

fn refusal(customer_key: &str, session_key: &str, token: Option<&str>) -> Option<String> {
    let visitor = Visitor {
        market: Some("UK"),
        customer_key,
        session_key,
        token,
    };
    let made = Notification::end().encode(&visitor, None, "1");
    made.err().map(|e| e.detail().to_owned())
}

#[test]
fn session_key_is_refused_when_it_is_the_customer_key() {
    for session in [KEY.to_owned(), KEY.to_uppercase()] {
        let message = refusal(KEY, &session, None).unwrap();
        assert!(
            message.starts_with("session_key is the same as customer_key"),
            "{message}"
        );
    }
    assert_eq!(refusal(KEY, SESSION, None), None);
}

#[test]
fn visitor_is_refused_when_a_key_or_token_has_blanks_or_ampersands() {
    for wrong in [
        "a&b",
        "&",
        "a&amp;b",
        "a b",
        " a",
        "a ",
        "a\u{a0}b",
        "a\u{3000}b",
        "\u{feff}a",
        "a\u{200b}",
    ] {
        for (name, message) in [
            ("customer_key", refusal(wrong, SESSION, None)),
            ("session_key", refusal(KEY, wrong, None)),
            ("token", refusal(KEY, SESSION, Some(wrong))),
        ] {
            let message = message.unwrap_or_else(|| panic!("{name} {wrong:?} was taken"));
            let why = if wrong.contains('&') {
                "`&`"
            } else {
                "a blank"
            };
            assert!(
                message.starts_with(&format!("{name} contains {why}")),
                "{message}"
            );
        }
    }
    // Keys that a shop may make.
    for right in ["k-åäö", "日本", "a=b", "a+b/c==", "{d9528030}", "a;b", "é"] {
        assert_eq!(refusal(right, SESSION, None), None, "{right}");
    }
}

#[test]
fn field_is_refused_when_it_is_longer_than_its_limit() {
    for (name, max) in [
        ("market", MAX_MARKET),
        ("customer_key", MAX_KEY),
        ("session_key", MAX_KEY),
        ("id", MAX_ID),
        ("token", MAX_KEY),
        ("ticket", MAX_TICKET),
        ("product_key", MAX_PRODUCT_KEY),
        ("variant_key", MAX_PRODUCT_KEY),
    ] {
        for (len, fits) in [(1, true), (max, true), (max + 1, false)] {
            let long = "x".repeat(len);
            let pick = |field: &str, usual: &'static str| -> &str {
                if field == name { &long } else { usual }
            };
            let visitor = Visitor {
                market: Some(pick("market", "UK")),
                customer_key: pick("customer_key", KEY),
                session_key: pick("session_key", SESSION),
                token: Some(pick("token", "t")),
            };
            let made = match name.ends_with("t_key") {
                true => Notification::non_esales_click(pick("product_key", "P1"))
                    .with_variant(pick("variant_key", "V1")),
                false => Notification::click(pick("ticket", TICKET)),
            };
            match made.encode(&visitor, None, pick("id", "1")) {
                Ok(_) => assert!(fits, "{name} of {len} bytes was taken"),
                Err(e) => {
                    assert!(!fits, "{name} of {len} bytes: {e}");
                    assert!(e.detail().starts_with(name), "{e}");
                }
            }
        }
    }
}

#[test]
fn kind_names_and_codes_are_distinct_and_in_order() {
    for (number, row) in (1..).zip(KINDS) {
        assert_eq!(row.kind as i32, number);
        assert_eq!(Kind::from_code(number), Some(row.kind));
        assert_eq!(Kind::from_name(row.name), Some(row.kind));
        assert_eq!(row.kind.spec().name, row.name);
        assert!(
            row.constant
                .eq_ignore_ascii_case(&format!("esales_{}", row.name))
        );
        assert!(row.path.starts_with("/api/v1/notifications/"));
    }
    assert_eq!(Kind::from_code(0), None);
    assert_eq!(Kind::from_name("favourite"), None);
}
