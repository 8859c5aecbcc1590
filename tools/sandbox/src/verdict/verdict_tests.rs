//! The normal answers to adding to cart, as a table.

use super::*;

#[path = "kinds_tests.rs"]
mod kinds;

/// Python: `hashlib.sha256(b"customer-42").hexdigest()`.
const KEY: &str = "a045eb33f8797f35ea7d5fad7c5e0d021e2142e9c1bb6e9dc9f45b4f503b03e8";
const PRIVATE_KEY: &str = "sandbox-private-key";
/// Python: `hmac.new(b"sandbox-private-key", KEY.encode(), hashlib.sha256).hexdigest()`.
const TOKEN: &str = "502162c104b80ab4d94392cbeac5b27ffdd34ec0a8dcb253f2417a107d252bcc";
const JSON: Option<&str> = Some("application/json");

const CART: &str = "/api/v1/notifications/adding-to-cart";

/// Checks a body that was sent to this path with this query.
fn judged(path: &str, query: Option<&str>, body: &str, private_key: Option<&str>) -> Verdict {
    let address = Address::new(path, query);
    judge(
        address.kind.unwrap(),
        &address,
        JSON,
        body.as_bytes(),
        private_key,
    )
}

fn signed_in(customer_key: &str, token: &str) -> String {
    format!(
        r#"{{"market":"UK","customerKey":"{customer_key}","sessionKey":"s","id":"1","token":"{token}","ticket":"t"}}"#
    )
}

fn anonymous(rest: &str) -> String {
    format!(
        r#"{{"market":"UK","customerKey":"d9528030-509c-4e0f-b585-7168f1e9feca","sessionKey":"s","id":"1"{rest}}}"#
    )
}

#[test]
fn judge_accepts_a_token_computed_by_another_implementation() {
    assert_eq!(
        signature::hmac_sha256_hex(PRIVATE_KEY, KEY.as_bytes()),
        TOKEN
    );
}

#[test]
fn judge_returns_the_answer_of_the_service() {
    let upper_key = KEY.to_ascii_uppercase();
    let upper_token = TOKEN.to_ascii_uppercase();
    let no_token =
        anonymous(r#","ticket":"t""#).replace("d9528030-509c-4e0f-b585-7168f1e9feca", KEY);
    // body, private key?, status, start of the answer, part of the answer, visitor, token_valid
    let (anon, user) = (Some(Visitor::Anonymous), Some(Visitor::SignedIn));
    let forbidden = "A SHA256 customer key was used, but it could not be validated. Sandbox: ";
    let table = [
        (anonymous(r#","ticket":"t""#), true, 204, "", "", anon, None),
        (
            anonymous(r#","ticket":"t""#),
            false,
            204,
            "",
            "",
            anon,
            None,
        ),
        (
            anonymous(""),
            true,
            400,
            "Ticket is missing.",
            "",
            anon,
            None,
        ),
        (
            anonymous(r#","ticket":"""#),
            true,
            400,
            "Ticket is missing.",
            "",
            anon,
            None,
        ),
        (
            anonymous(r#","ticket":null"#),
            true,
            400,
            "Sandbox:",
            "`ticket` is not a string",
            anon,
            None,
        ),
        (
            anonymous(r#","ticket":"t","token":null"#),
            true,
            400,
            "Sandbox:",
            "`token`",
            anon,
            None,
        ),
        (
            anonymous(r#","ticket":"t","token":"x""#),
            true,
            204,
            "",
            "",
            anon,
            None,
        ),
        (signed_in(KEY, TOKEN), true, 204, "", "", user, Some(true)),
        (
            signed_in(KEY, TOKEN),
            false,
            403,
            forbidden,
            "no private key",
            user,
            None,
        ),
        (
            no_token,
            true,
            403,
            forbidden,
            "there is no token",
            user,
            None,
        ),
        (
            signed_in(KEY, ""),
            true,
            403,
            forbidden,
            "the token is empty",
            user,
            None,
        ),
        (
            signed_in(&upper_key, TOKEN),
            true,
            403,
            forbidden,
            "customerKey is not in lower",
            user,
            Some(false),
        ),
        (
            signed_in(KEY, &upper_token),
            true,
            403,
            forbidden,
            "except for its case",
            user,
            Some(false),
        ),
        (
            signed_in(KEY, KEY),
            true,
            403,
            forbidden,
            "another private key",
            user,
            Some(false),
        ),
        (
            signed_in(KEY, "short"),
            true,
            403,
            forbidden,
            "not 64 hex",
            user,
            Some(false),
        ),
        (
            signed_in(KEY, TOKEN).replace("\"t\"", "\"\""),
            true,
            400,
            "Ticket is missing.",
            "",
            user,
            Some(true),
        ),
        (
            "[]".to_owned(),
            true,
            400,
            "Sandbox:",
            "not an object",
            None,
            None,
        ),
        ("".to_owned(), true, 400, "Sandbox:", "not JSON", None, None),
        (
            "{".to_owned(),
            true,
            400,
            "Sandbox:",
            "not JSON",
            None,
            None,
        ),
        (
            "ticket=t".to_owned(),
            true,
            400,
            "Sandbox:",
            "not JSON",
            None,
            None,
        ),
        (
            "{}".to_owned(),
            true,
            400,
            "Ticket is missing.",
            "",
            anon,
            None,
        ),
    ];
    for (body, with_key, status, start, part, visitor, token_valid) in table {
        let verdict = judged(CART, None, &body, with_key.then_some(PRIVATE_KEY));
        assert_eq!(verdict.status, status, "{body}");
        assert!(verdict.text.starts_with(start), "{body}: {}", verdict.text);
        assert!(verdict.text.contains(part), "{body}: {}", verdict.text);
        assert_eq!(verdict.text.is_empty(), status == 204, "{body}");
        assert_eq!(verdict.visitor, visitor, "{body}");
        assert_eq!(verdict.token_valid, token_valid, "{body}");
    }
}

#[test]
fn judge_answers_normally_and_warns_of_odd_members() {
    let good = anonymous(r#","ticket":"t""#);
    let table = [
        (good.clone(), JSON, ""),
        (good.clone(), Some("Application/JSON; charset=utf-8"), ""),
        (
            good.clone(),
            Some("text/plain"),
            "the Content-Type is `text/plain`",
        ),
        (good.clone(), None, "there is no Content-Type"),
        (good.replace("UK", ""), JSON, "`market` is empty"),
        (
            good.replace("market", "Market"),
            JSON,
            "`market` is missing",
        ),
        (
            good.replace("market", "Market"),
            JSON,
            "`Market` is not a member",
        ),
        (
            anonymous(r#","ticket":"t","token":"""#),
            JSON,
            "`token` is empty",
        ),
        (
            anonymous(r#","ticket":"t","token":"x""#),
            JSON,
            "a token was sent with",
        ),
        (
            anonymous(r#","ticket":"t","extra":1"#),
            JSON,
            "`extra` is not a member",
        ),
    ];
    for (body, content_type, warning) in table {
        let verdict = judge(
            Kind::AddToCart,
            &Address::new(CART, None),
            content_type,
            body.as_bytes(),
            None,
        );
        assert_eq!(verdict.status, 204, "{body}");
        if warning.is_empty() {
            assert_eq!(verdict.warnings, [""; 0], "{body}");
        } else {
            let found = verdict.warnings.iter().any(|w| w.starts_with(warning));
            assert!(found, "{body}: {:?}", verdict.warnings);
        }
    }
}

#[test]
fn judge_warns_of_keys_that_are_mistakes_or_personal_data() {
    let warnings = |customer: &str, session: &str| {
        let body = serde_json::json!({"market": "UK", "customerKey": customer, "sessionKey": session, "id": "1", "ticket": "t"});
        let verdict = judged(CART, None, &body.to_string(), None);
        assert_eq!(verdict.status, 204, "{customer} {session}");
        verdict.warnings
    };
    let uuid = "d9528030-509c-4e0f-b585-7168f1e9feca";
    for (customer, session, wanted) in [
        (uuid, "s", vec![]),
        (uuid, uuid, vec!["`sessionKey` is the same as"]),
        (
            "anna@example.com",
            "s",
            vec!["looks like an e-mail address"],
        ),
        ("4711", "s", vec!["looks like a number"]),
        ("19811218-9876", "s", vec!["looks like a national id"]),
        ("anna.svensson", "s", vec!["looks like a user name"]),
        ("k&", "s", vec!["`customerKey` contains `&`"]),
        (
            "k",
            "s &x",
            vec!["`sessionKey` contains `&`", "`sessionKey` contains a blank"],
        ),
        (
            "k\n",
            "s",
            vec!["`customerKey` contains a blank or a control"],
        ),
    ] {
        let found = warnings(customer, session);
        assert_eq!(found.len(), wanted.len(), "{found:?}");
        for (found, wanted) in found.iter().zip(wanted) {
            assert!(found.contains(wanted), "{found}");
        }
    }
}
