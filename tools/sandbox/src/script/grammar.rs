//! The grammar of scripted answers: text to [`Answer`].
//!
//! ```text
//! list     = item { "," item }            (an empty text is an empty list)
//! item     = action { ":" key "=" value }
//! action   = normal | 200..=599 | hang | close | reset | drip
//!          | drip-body | endless | endless-head | garbage
//! value    = text without "," ":" and quotes, or "text in double quotes"
//! ```
//!
//! Inside quotes `\"` is a quote and `\\` a backslash. `location` alone may hold colons without
//! quotes, as long as what follows the colon does not look like `key=`.

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::answer::{ALL_PERCENT, Action, Answer, DEFAULT_EVERY_MS, FOR_EVER, Status};

/// The longest `wait` and `every`, in milliseconds: one hour.
const LONGEST_MS: u64 = 3_600_000;
/// The largest `times`.
const MOST_TIMES: u64 = 1_000_000_000;
/// The longest text of a script, in bytes.
const LONGEST_SCRIPT: usize = 128 * 1024;
/// The most answers of a script.
const MOST_ANSWERS: usize = 10_000;

/// All modifiers, in the order in which [`Answer`] prints them.
const KEYS: [&str; 8] = [
    "wait",
    "retry-after",
    "location",
    "body",
    "then",
    "every",
    "percent",
    "times",
];

/// A script that does not parse: the wrong item, its text, and the problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("answer {item} of the script, `{text}`: {problem}")]
pub struct ParseError {
    /// Which item of the list, counted from 1.
    pub item: usize,
    /// The item as it was written, without the spaces around it.
    pub text: String,
    /// The problem, with the wrong part.
    pub problem: String,
}

impl Answer {
    /// Reads a comma-separated list. An empty (or blank) text is an empty list.
    ///
    /// # Errors
    /// The first item that does not parse; a text over 128 KiB or with more than 10,000 answers.
    pub fn parse_list(text: &str) -> Result<Vec<Answer>, ParseError> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let too_long = |problem: String| ParseError {
            item: 1,
            text: text.chars().take(40).collect(),
            problem,
        };
        if text.len() > LONGEST_SCRIPT {
            return Err(too_long(format!(
                "the script is {} bytes long; at most {LONGEST_SCRIPT} are allowed",
                text.len()
            )));
        }
        let items = split_items(text);
        if items.len() > MOST_ANSWERS {
            return Err(too_long(format!(
                "the script has {} answers; at most {MOST_ANSWERS} are allowed (`times=N` repeats one)",
                items.len()
            )));
        }
        items
            .into_iter()
            .enumerate()
            .map(|(index, item)| {
                let item = item.trim();
                parse_item(item).map_err(|problem| ParseError {
                    item: index + 1,
                    text: item.to_owned(),
                    problem,
                })
            })
            .collect()
    }
}

impl FromStr for Answer {
    type Err = ParseError;

    /// Reads exactly one answer.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let problem = match <[Answer; 1]>::try_from(Answer::parse_list(text)?) {
            Ok([answer]) => return Ok(answer),
            Err(answers) => format!("expected one answer, not {}", answers.len()),
        };
        Err(ParseError {
            item: 1,
            text: text.trim().to_owned(),
            problem,
        })
    }
}

/// Splits at the commas outside quotes.
fn split_items(list: &str) -> Vec<&str> {
    let (mut items, mut start) = (Vec::new(), 0);
    let (mut in_quotes, mut escaped) = (false, false);
    for (at, c) in list.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_quotes => escaped = true,
            '"' => in_quotes = !in_quotes,
            ',' if !in_quotes => {
                items.push(list.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(list.get(start..).unwrap_or_default());
    items
}

/// Reads one item. The error describes the problem.
fn parse_item(item: &str) -> Result<Answer, String> {
    if item.is_empty() {
        return Err("there is nothing between two commas".to_owned());
    }
    let (name, rest) = match item.split_once(':') {
        Some((name, rest)) => (name.trim(), Some(rest)),
        None => (item, None),
    };
    let mut modifiers = Modifiers::parse(rest)?;
    let wait_ms = modifiers.number("wait", 0..=LONGEST_MS)?.unwrap_or(0);
    let times = modifiers.times()?;
    let percent = modifiers.number("percent", 1..=ALL_PERCENT)?;
    let action = match name {
        "normal" => Action::Normal,
        "hang" => Action::Hang,
        "close" => Action::Close,
        "reset" => Action::Reset,
        "endless" => Action::Endless,
        "endless-head" => Action::EndlessHead,
        "garbage" => Action::Garbage,
        "drip" => Action::Drip {
            every_ms: modifiers.every()?,
            body: modifiers.take("body"),
        },
        "drip-body" => Action::DripBody {
            every_ms: modifiers.every()?,
        },
        _ => Action::Status(parse_status(name, &mut modifiers)?),
    };
    modifiers.finish(name)?;
    Ok(Answer {
        action,
        wait_ms,
        times,
        percent: percent.unwrap_or(ALL_PERCENT),
    })
}

fn parse_status(name: &str, modifiers: &mut Modifiers) -> Result<Status, String> {
    let code = name
        .parse::<u16>()
        .ok()
        .filter(|code| (200..=599).contains(code) && name.len() == 3)
        .ok_or_else(|| {
            format!(
                "`{name}` is not an action; normal, a status from 200 to 599, hang, close, reset, \
                 drip, drip-body, endless, endless-head or garbage was expected"
            )
        })?;
    let body = modifiers.take("body");
    if body.is_some() && matches!(code, 204 | 205 | 304) {
        return Err(format!("`body`: an answer {code} has no body"));
    }
    let then_close = match modifiers.take("then").as_deref() {
        None => false,
        Some("close") => true,
        Some(other) => return Err(format!("`then={other}`: only `then=close` is known")),
    };
    Ok(Status {
        code,
        retry_after: modifiers.header("retry-after")?,
        location: modifiers.header("location")?,
        body,
        then_close,
    })
}

/// The `key=value` pairs of one item that are not used yet.
struct Modifiers(Vec<(String, String)>);

impl Modifiers {
    fn parse(text: Option<&str>) -> Result<Self, String> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut rest = text;
        while let Some(text) = rest {
            let (key, after) = match text.split_once('=') {
                Some((key, after)) if !key.contains(':') => (key.trim(), after),
                _ => {
                    let key = text.split(':').next().unwrap_or_default().trim();
                    return Err(format!("`{key}`: a modifier is written `key=value`"));
                }
            };
            if !KEYS.contains(&key) {
                let known = KEYS.join(", ");
                return Err(format!(
                    "`{key}` is not a modifier; known are {known} (put a value with a colon into double quotes)"
                ));
            }
            if pairs.iter().any(|(earlier, _)| earlier == key) {
                return Err(format!("`{key}` is given twice"));
            }
            let (value, after) = parse_value(key, after)?;
            pairs.push((key.to_owned(), value));
            rest = after;
        }
        Ok(Modifiers(pairs))
    }

    fn take(&mut self, key: &str) -> Option<String> {
        let at = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(at).1)
    }

    fn number(&mut self, key: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, String> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        match value.parse::<u64>() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(format!(
                "`{key}={value}`: must be a whole number from {} to {}",
                range.start(),
                range.end()
            )),
        }
    }

    fn times(&mut self) -> Result<u64, String> {
        let forever = |(name, value): &(String, String)| name == "times" && value == "forever";
        if self.0.iter().any(forever) {
            self.take("times");
            return Ok(FOR_EVER);
        }
        Ok(self.number("times", 1..=MOST_TIMES)?.unwrap_or(1))
    }

    fn every(&mut self) -> Result<u64, String> {
        Ok(self
            .number("every", 1..=LONGEST_MS)?
            .unwrap_or(DEFAULT_EVERY_MS))
    }

    fn header(&mut self, key: &str) -> Result<Option<String>, String> {
        match self.take(key) {
            Some(value) if !value.chars().all(|c| (' '..='~').contains(&c)) => Err(format!(
                "`{key}`: a header may contain only printable ASCII characters"
            )),
            value => Ok(value),
        }
    }

    fn finish(self, action: &str) -> Result<(), String> {
        match self.0.first() {
            Some((key, _)) => Err(format!("`{key}` does not go with `{action}`")),
            None => Ok(()),
        }
    }
}

/// The value at the start of `text`, and the modifiers after it, if any.
fn parse_value<'a>(key: &str, text: &'a str) -> Result<(String, Option<&'a str>), String> {
    if let Some(text) = text.trim_start().strip_prefix('"') {
        return parse_quoted(key, text);
    }
    let end = text
        .match_indices(':')
        .map(|(at, _)| at)
        .find(|at| key != "location" || text.get(at + 1..).is_some_and(looks_like_a_modifier));
    let (value, rest) = match end {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    };
    let value = value.trim();
    if value.is_empty() {
        return Err(format!("`{key}` has no value"));
    }
    if value.contains('"') {
        return Err(format!(
            "`{key}={value}`: double quotes go around the whole value (write \\\" inside them)"
        ));
    }
    Ok((value.to_owned(), rest))
}

fn parse_quoted<'a>(key: &str, text: &'a str) -> Result<(String, Option<&'a str>), String> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next() {
            None => return Err(format!("`{key}`: the double quote is not closed")),
            Some('"') => break,
            Some('\\') => match chars.next() {
                Some(c @ ('"' | '\\')) => value.push(c),
                _ => {
                    return Err(format!(
                        "`{key}`: a backslash must be followed by a double quote or a backslash"
                    ));
                }
            },
            Some(c) => value.push(c),
        }
    }
    let rest = chars.as_str().trim();
    match rest.strip_prefix(':') {
        Some(rest) => Ok((value, Some(rest))),
        None if rest.is_empty() => Ok((value, None)),
        None => Err(format!("`{key}`: `{rest}` follows the closing quote")),
    }
}

fn looks_like_a_modifier(text: &str) -> bool {
    text.split_once('=').is_some_and(|(key, _)| {
        let key = key.trim();
        !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '-')
    })
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
