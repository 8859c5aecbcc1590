//! The normal answers to the other kinds.

use super::*;

const VISITOR: &str =
    r#""market":"UK","customerKey":"d9528030-509c-4e0f-b585-7168f1e9feca","sessionKey":"s""#;
const LINE: &str = r#"{"productKey":"P1","variantKey":null,"quantity":2,"sellingPrice":199.50}"#;

fn path(name: &str) -> String {
    format!("/api/v1/notifications/{name}")
}

fn order(lines: &str) -> String {
    format!(r#"{{{VISITOR},"lines":{lines}}}"#)
}

/// Each row: status, the beginning of the answer, and a text that it contains.
#[test]
fn judge_answers_each_kind_as_documented() {
    let line = |rest: &str| {
        order(&format!(
            r#"[{LINE},{{"quantity":1,"sellingPrice":1{rest}}}]"#
        ))
    };
    let with_id = |rest: &str| format!(r#"{{{VISITOR},"id":"1"{rest}}}"#);
    let rows = [
        ("click", with_id(r#","ticket":"t""#), 204, "", ""),
        ("click", with_id(""), 400, "Ticket is missing.", ""),
        (
            "click",
            with_id(r#","productKey":"P1""#),
            400,
            "Ticket is missing.",
            "",
        ),
        (
            "non-esales-click",
            with_id(r#","productKey":"P1""#),
            204,
            "",
            "",
        ),
        (
            "non-esales-click",
            with_id(r#","productKey":"P1","variantKey":null"#),
            204,
            "",
            "",
        ),
        (
            "non-esales-click",
            with_id(r#","productKey":"P1","variantKey":"V1""#),
            204,
            "",
            "",
        ),
        (
            "non-esales-click",
            with_id(""),
            400,
            "Product key is missing.",
            "",
        ),
        (
            "non-esales-click",
            with_id(r#","productKey":null"#),
            400,
            "Product key is missing.",
            "",
        ),
        (
            "non-esales-click",
            with_id(r#","productKey":"""#),
            400,
            "Product key is missing.",
            "",
        ),
        (
            "non-esales-click",
            with_id(r#","variantKey":"V1""#),
            400,
            "Product key is missing.",
            "only a variant key, which the service may refuse",
        ),
        (
            "non-esales-click",
            with_id(r#","productKey":7"#),
            400,
            "Sandbox:",
            "`productKey` is not",
        ),
        (
            "non-esales-adding-to-cart",
            with_id(r#","productKey":"P1""#),
            204,
            "",
            "",
        ),
        (
            "non-esales-adding-to-cart",
            with_id(r#","productKey":null,"variantKey":"V1""#),
            400,
            "Product key is missing.",
            "always",
        ),
        ("payment", order(&format!("[{LINE}]")), 204, "", ""),
        ("payment", line(r#","variantKey":"V1""#), 204, "", ""),
        (
            "payment",
            format!("{{{VISITOR}}}"),
            400,
            "Lines are missing.",
            "",
        ),
        ("payment", order("null"), 400, "Lines are missing.", ""),
        (
            "payment",
            order("[]"),
            400,
            "Lines are missing.",
            "is empty",
        ),
        (
            "payment",
            order("{}"),
            400,
            "Sandbox:",
            "`lines` is not an array",
        ),
        (
            "payment",
            order("[1]"),
            400,
            "Sandbox:",
            "line 1 is not an object",
        ),
        (
            "payment",
            line(""),
            400,
            "Product key and variant key are",
            "line 2 has neither",
        ),
        (
            "payment",
            line(r#","productKey":"""#),
            400,
            "Product key and",
            "line 2 has neither",
        ),
        (
            "payment",
            line(r#","variantKey":1"#),
            400,
            "Sandbox: line 2:",
            "`variantKey` is not a string",
        ),
        (
            "payment",
            line(r#","productKey":"P","cost":0.5"#),
            400,
            "Sandbox: line 2",
            "only a secure payment",
        ),
        (
            "payment",
            line(r#","productKey":"P","cost":"0.5""#),
            400,
            "Sandbox: line 2:",
            "`cost` is not a number",
        ),
        (
            "payment",
            line(r#","productKey":"P","cost":null"#),
            204,
            "",
            "",
        ),
        (
            "payment",
            order(&format!("[{}]", LINE.replace(":2,", ":2.0,"))),
            400,
            "Sandbox:",
            "`quantity` is 2.0, not a whole",
        ),
        (
            "payment",
            order(&format!("[{}]", LINE.replace(":2,", ":1e3,"))),
            400,
            "Sandbox:",
            "not a whole number",
        ),
        (
            "payment",
            order(&format!("[{}]", LINE.replace("199.50", "\"199.50\""))),
            400,
            "Sandbox:",
            "`sellingPrice` is not a number",
        ),
        (
            "payment",
            order(&format!("[{}]", LINE.replace("199.50", "1e999"))),
            400,
            "Sandbox:",
            "not JSON",
        ),
        (
            "payment",
            order(&format!("[{}]", LINE.replace("199.50", "NaN"))),
            400,
            "Sandbox:",
            "not JSON",
        ),
        ("end", format!("{{{VISITOR}}}"), 204, "", ""),
        ("end", "{}".to_owned(), 204, "", ""),
        (
            "end",
            r#"{"market":1}"#.to_owned(),
            400,
            "Sandbox:",
            "`market` is not a string",
        ),
    ];
    for (name, body, status, start, part) in rows {
        let verdict = judged(&path(name), None, &body, Some(PRIVATE_KEY));
        assert_eq!(verdict.status, status, "{name} {body}: {}", verdict.text);
        assert!(
            verdict.text.starts_with(start),
            "{name} {body}: {}",
            verdict.text
        );
        assert!(
            verdict.text.contains(part),
            "{name} {body}: {}",
            verdict.text
        );
        assert_eq!(verdict.text.is_empty(), status == 204, "{name} {body}");
        assert_eq!(verdict.payment_token_valid, None, "{name}");
    }
}

#[test]
fn judge_validates_the_customer_key_of_every_kind() {
    for row in crate::kind::KINDS {
        let own = r#","id":"1","ticket":"t","productKey":"P","lines":[{"productKey":"P","quantity":1,"sellingPrice":1}]"#;
        let key = format!(r#"{{"market":"UK","customerKey":"{KEY}","sessionKey":"s""#);
        for (token, status) in [(TOKEN, 204), (KEY, 403)] {
            let body = format!(r#"{key},"token":"{token}"{own}}}"#);
            let query = signature::hmac_sha256_hex(PRIVATE_KEY, body.as_bytes());
            let query = format!("paymentToken={query}");
            let query = (row.kind == Kind::SecurePayment).then_some(query.as_str());
            let verdict = judged(row.path, query, &body, Some(PRIVATE_KEY));
            assert_eq!(verdict.kind, Some(row.kind));
            assert_eq!(verdict.status, status, "{}: {}", row.name, verdict.text);
            assert_eq!(verdict.token_valid, Some(status == 204), "{}", row.name);
        }
        let body = format!("{key}{own}}}");
        let verdict = judged(row.path, None, &body, Some(PRIVATE_KEY));
        assert!(
            verdict.text.contains("there is no token"),
            "{}",
            verdict.text
        );
    }
}

/// Python: `hmac.new(b"sandbox-private-key", SIGNED.encode(), hashlib.sha256).hexdigest()`.
const PAYMENT_TOKEN: &str = "6ff910f2d53ab3660d903228ba43f99226fdd51b4f04cdeec44540c77dcdf8d5";
const SIGNED: &str = r#"{"market":"UK","customerKey":"d9528030-509c-4e0f-b585-7168f1e9feca","sessionKey":"s","lines":[{"productKey":"P1","quantity":1,"sellingPrice":199.50,"cost":80}]}"#;

#[test]
fn judge_validates_a_payment_token_against_the_bytes_of_the_body() {
    let sign = |text: &str| signature::hmac_sha256_hex(PRIVATE_KEY, text.as_bytes());
    let upper = PAYMENT_TOKEN.to_ascii_uppercase();
    let customer_key = "d9528030-509c-4e0f-b585-7168f1e9feca";
    let spaced = format!("{SIGNED}\n");
    let rows = [
        (PAYMENT_TOKEN.to_owned(), SIGNED, true, 204, Some(true), ""),
        (
            PAYMENT_TOKEN.to_owned(),
            SIGNED,
            false,
            403,
            None,
            "no private key",
        ),
        (
            String::new(),
            SIGNED,
            true,
            403,
            Some(false),
            "the payment token is empty",
        ),
        (upper, SIGNED, true, 403, Some(false), "except for its case"),
        (
            "00".to_owned(),
            SIGNED,
            true,
            403,
            Some(false),
            "not 64 hexadecimal",
        ),
        (
            "0".repeat(64),
            SIGNED,
            true,
            403,
            Some(false),
            "does not sign these bytes",
        ),
        (
            sign(customer_key),
            SIGNED,
            true,
            403,
            Some(false),
            "it must sign the bytes of the body",
        ),
        (
            PAYMENT_TOKEN.to_owned(),
            &spaced,
            true,
            403,
            Some(false),
            "white space around",
        ),
    ];
    for (token, body, with_key, status, valid, part) in rows {
        let query = format!("paymentToken={token}");
        let key = with_key.then_some(PRIVATE_KEY);
        let verdict = judged(&path("payment"), Some(&query), body, key);
        assert_eq!(verdict.kind, Some(Kind::SecurePayment));
        assert_eq!(verdict.status, status, "{token}: {}", verdict.text);
        assert_eq!(verdict.payment_token_valid, valid, "{token}");
        assert!(verdict.text.contains(part), "{}", verdict.text);
        let start = "A payment token was used, but it could not be validated. Sandbox: ";
        assert!(
            status == 204 || verdict.text.starts_with(start),
            "{}",
            verdict.text
        );
        assert!(
            token.len() < 64 || !verdict.text.contains(&token),
            "the token is a secret"
        );
    }
}

#[test]
fn judge_warns_when_the_answer_is_undocumented() {
    let line = |members: &str| order(&format!("[{LINE},{LINE},{{{members}}}]"));
    let rows = [
        ("end", format!(r#"{{{VISITOR}}}"#), vec![]),
        (
            "end",
            format!(r#"{{{VISITOR},"id":"1"}}"#),
            vec!["`id` is not a member of this kind of notification (end)"],
        ),
        (
            "click",
            format!(r#"{{{VISITOR},"ticket":"t"}}"#),
            vec!["`id` is missing"],
        ),
        (
            "click",
            format!(r#"{{{VISITOR},"id":"1","ticket":"t","lines":[]}}"#),
            vec!["`lines` is not a member of this kind"],
        ),
        (
            "non-esales-click",
            format!(r#"{{{VISITOR},"id":"1","productKey":"P","variantKey":"","ticket":"t"}}"#),
            vec![
                "`variantKey` is empty",
                "`ticket` is not a member of this kind",
            ],
        ),
        (
            "payment",
            line(r#""productKey":"P","quantity":1,"sellingPrice":0"#),
            vec![],
        ),
        (
            "payment",
            line(r#""productKey":"P""#),
            vec![
                "line 3: `quantity` is missing",
                "line 3: `sellingPrice` is missing",
            ],
        ),
        (
            "payment",
            line(r#""productKey":"P","quantity":0,"sellingPrice":-1"#),
            vec![
                "line 3: `quantity` is less than 1",
                "line 3: `sellingPrice` is negative",
            ],
        ),
        (
            "payment",
            line(r#""variantKey":"V","productKey":"","quantity":1,"sellingPrice":1"#),
            vec!["line 3: `productKey` is empty"],
        ),
        (
            "payment",
            line(r#""productKey":"P","quantity":1,"sellingPrice":1,"cost":null"#),
            vec!["line 3: `cost` is null"],
        ),
        (
            "payment",
            line(r#""productKey":"P","quantity":1,"sellingPrice":1,"discount":2"#),
            vec!["line 3: `discount` is not a member of a line"],
        ),
        (
            "payment",
            order(&format!(
                "[{}]",
                [r#"{"productKey":"P","quantity":0,"sellingPrice":1}"#; 4].join(",")
            )),
            vec!["line 1 and 3 more: `quantity` is less than 1"],
        ),
        (
            "payment",
            format!(r#"{{{VISITOR},"currency":"SEK","lines":[{LINE}]}}"#),
            vec!["`currency` is not a member that the service knows"],
        ),
    ];
    for (name, body, wanted) in rows {
        let verdict = judged(&path(name), None, &body, None);
        assert_eq!(verdict.status, 204, "{name} {body}: {}", verdict.text);
        let found = verdict.warnings;
        assert_eq!(found.len(), wanted.len(), "{name} {body}: {found:?}");
        for wanted in wanted {
            assert!(
                found.iter().any(|f| f.starts_with(wanted)),
                "{wanted}: {found:?}"
            );
        }
    }
    for (cost, warning) in [
        ("80", None),
        ("199.49", None),
        ("0", Some("line 1: `cost` is 0")),
        ("0.00", Some("line 1: `cost` is 0")),
        ("-1", Some("line 1: `cost` is negative")),
        (
            "199.50",
            Some("line 1: `cost` is not less than `sellingPrice`"),
        ),
        (
            "200",
            Some("line 1: `cost` is not less than `sellingPrice`"),
        ),
    ] {
        let body = SIGNED.replace(":80", &format!(":{cost}"));
        let query = signature::hmac_sha256_hex(PRIVATE_KEY, body.as_bytes());
        let verdict = judged(
            &path("payment"),
            Some(&format!("paymentToken={query}")),
            &body,
            Some(PRIVATE_KEY),
        );
        assert_eq!(verdict.status, 204, "{cost}: {}", verdict.text);
        assert_eq!(
            verdict.warnings.len(),
            usize::from(warning.is_some()),
            "{:?}",
            verdict.warnings
        );
        let found = verdict
            .warnings
            .first()
            .map(String::as_str)
            .unwrap_or_default();
        assert!(
            found.starts_with(warning.unwrap_or_default()),
            "{cost}: {found}"
        );
    }
    for (name, query, warning) in [
        (
            "payment",
            "paymenttoken=00",
            "`paymenttoken` is not a query parameter of a payment",
        ),
        (
            "end",
            "paymentToken=00",
            "`paymentToken` is for payments only",
        ),
    ] {
        let verdict = judged(&path(name), Some(query), &order(&format!("[{LINE}]")), None);
        assert!(
            verdict.warnings.iter().any(|w| w.starts_with(warning)),
            "{:?}",
            verdict.warnings
        );
    }
}

#[test]
fn parsed_notification_keeps_order_numbers_as_written() {
    let text = r#"[{"productKey":"P1","quantity":10,"sellingPrice":0.10,"cost":1E-2},{"variantKey":"V","quantity":12345678901234567890,"sellingPrice":"1,5"},7]"#;
    let verdict = judged(&path("payment"), None, &order(text), None);
    let lines = verdict.notification.unwrap().lines.unwrap();
    assert_eq!(lines.len(), 2, "what is no object is no line");
    assert_eq!(lines[0].product_key.as_deref(), Some("P1"));
    let numbers = |line: &Line| {
        [
            line.quantity.clone(),
            line.selling_price.clone(),
            line.cost.clone(),
        ]
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(numbers(&lines[0]), [some("10"), some("0.10"), some("1E-2")]);
    assert_eq!(
        numbers(&lines[1]),
        [some("12345678901234567890"), some("\"1,5\""), None]
    );
}
