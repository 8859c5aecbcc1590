//! The grammar of [`Answer`], as tables.

use super::*;

fn shown(list: &str) -> Vec<String> {
    let answers = Answer::parse_list(list).unwrap();
    answers.iter().map(ToString::to_string).collect()
}

#[test]
fn script_list_is_parsed() {
    let table: [(&str, &[&str]); 21] = [
        (
            "429:retry-after=1:times=9:percent=30",
            &["429:retry-after=1:percent=30:times=9"],
        ),
        ("503:percent=100", &["503"]),
        ("", &[]),
        (" \n", &[]),
        ("204", &["204"]),
        ("normal:times=2 : wait=7", &["normal:wait=7:times=2"]),
        (
            "503, 503:retry-after=1, 204\n",
            &["503", "503:retry-after=1", "204"],
        ),
        ("hang,close,reset", &["hang", "close", "reset"]),
        ("drip,drip:every=20", &["drip", "drip:every=20"]),
        ("drip:every=1000", &["drip"]),
        ("drip-body : every = 5", &["drip-body:every=5"]),
        (
            "endless,endless-head,garbage",
            &["endless", "endless-head", "garbage"],
        ),
        ("hang:times=2:wait=7", &["hang:wait=7:times=2"]),
        ("599:times=1", &["599"]),
        ("close:times=forever", &["close:times=forever"]),
        (
            "503:retry-after=\"Wed, 21 Oct 2015 07:28:00 GMT\":times=3,204",
            &[
                "503:retry-after=\"Wed, 21 Oct 2015 07:28:00 GMT\":times=3",
                "204",
            ],
        ),
        (
            r#"500:body="say \"hi\", \\ you":then=close"#,
            &[r#"500:body="say \"hi\", \\ you":then=close"#],
        ),
        ("500:body=try again later", &["500:body=try again later"]),
        (
            "307:location=http://other.example:8080/a?b=c:times=2",
            &["307:location=\"http://other.example:8080/a?b=c\":times=2"],
        ),
        ("503:body=\"\"", &["503:body=\"\""]),
        ("503:body=höhö", &["503:body=höhö"]),
    ];
    for (list, expected) in table {
        assert_eq!(shown(list), expected, "{list:?}");
        // The printed text parses to the same answer.
        let again = shown(list).join(",");
        assert_eq!(Answer::parse_list(&again), Answer::parse_list(list));
    }
}

#[test]
fn script_list_is_refused_with_the_part_that_is_wrong() {
    let table = [
        ("204,,204", 2, "nothing between"),
        ("204,", 2, "nothing between"),
        ("204, 5o3", 2, "`5o3` is not an action"),
        ("199", 1, "`199` is not an action"),
        ("600", 1, "`600` is not an action"),
        ("+204", 1, "`+204` is not an action"),
        ("0204", 1, "`0204` is not an action"),
        ("503:retry-after", 1, "`retry-after`: a modifier is written"),
        ("503:", 1, "a modifier is written"),
        ("503:then:wait=1", 1, "`then`: a modifier is written"),
        ("503:retry-after=", 1, "`retry-after` has no value"),
        ("503:retyr-after=1", 1, "`retyr-after` is not a modifier"),
        ("503:wait=1:wait=2", 1, "`wait` is given twice"),
        (
            "503:wait=1s",
            1,
            "`wait=1s`: must be a whole number from 0 to 3600000",
        ),
        ("503:wait=3600001", 1, "from 0 to 3600000"),
        ("503:times=0", 1, "`times=0`: must be a whole number from 1"),
        ("drip:every=0", 1, "`every=0`"),
        ("503:then=open", 1, "`then=open`: only `then=close`"),
        (
            "hang:retry-after=1",
            1,
            "`retry-after` does not go with `hang`",
        ),
        (
            "503:percent=0",
            1,
            "`percent=0`: must be a whole number from 1 to 100",
        ),
        (
            "503:percent=101",
            1,
            "`percent=101`: must be a whole number from 1 to 100",
        ),
        ("normal:body=x", 1, "`body` does not go with `normal`"),
        ("drip:then=close", 1, "`then` does not go with `drip`"),
        ("204:every=1", 1, "`every` does not go with `204`"),
        ("204:body=x", 1, "an answer 204 has no body"),
        ("503:body=\"x", 1, "the double quote is not closed"),
        ("503:body=\"x\"y", 1, "`y` follows the closing quote"),
        ("503:body=\"\\n\"", 1, "a backslash must be followed"),
        ("503:body=a\"b\"", 1, "around the whole value"),
        ("503:retry-after=é", 1, "printable ASCII"),
    ];
    for (list, item, problem) in table {
        let error = Answer::parse_list(list).unwrap_err();
        assert_eq!(error.item, item, "{list:?}: {error}");
        assert!(error.problem.contains(problem), "{list:?}: {error}");
    }
}

#[test]
fn script_answer_from_str_accepts_exactly_one_answer() {
    assert_eq!("503".parse::<Answer>().unwrap().to_string(), "503");
    for text in ["", "503,204"] {
        let error = text.parse::<Answer>().unwrap_err();
        assert!(error.to_string().contains("expected one answer"), "{error}");
    }
}

#[test]
fn script_answer_returns_the_status_that_the_peer_sees() {
    let table = [
        ("normal", None),
        ("429", Some(429)),
        ("drip", Some(204)),
        ("drip:body=x", Some(200)),
        ("drip-body", Some(200)),
        ("endless", Some(200)),
        ("endless-head", None),
        ("hang", None),
        ("close", None),
        ("reset", None),
        ("garbage", None),
    ];
    for (text, status) in table {
        assert_eq!(text.parse::<Answer>().unwrap().status(), status, "{text}");
    }
}
