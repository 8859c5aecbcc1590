//! Names and sentences in the form of each language.

/// Fills a template: `{name}` is replaced, every other brace stays.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = template.to_owned();
    for (name, value) in values {
        out = out.replace(&format!("{{{name}}}"), value);
    }
    out
}

pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

/// `timeout_ms` or `TIMEOUT_MS` as `TimeoutMs`.
pub(crate) fn pascal(snake: &str) -> String {
    snake.to_lowercase().split('_').map(capital).collect()
}

/// `timeout_ms` as `timeoutMs`.
pub(crate) fn camel(snake: &str) -> String {
    let name = pascal(snake);
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}

/// A C name without its prefix.
pub(crate) fn bare(name: &str) -> &str {
    name.strip_prefix("esales_")
        .or_else(|| name.strip_prefix("ESALES_"))
        .unwrap_or(name)
}

/// The name without the unit at its end, and the unit.
pub(crate) fn without_unit(name: &str) -> (&str, Option<Unit>) {
    for (ending, unit) in [
        ("_us", Unit::Microseconds),
        ("_ms", Unit::Milliseconds),
        ("_s", Unit::Seconds),
    ] {
        if let Some(name) = name.strip_suffix(ending) {
            return (name, Some(unit));
        }
    }
    (name, None)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Microseconds,
    Milliseconds,
    Seconds,
}

impl Unit {
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Unit::Microseconds => "Microseconds",
            Unit::Milliseconds => "Milliseconds",
            Unit::Seconds => "Seconds",
        }
    }
}

/// The sentence with its identifiers (words with an underscore, and text in backticks) as code.
pub(crate) fn code(text: &str, open: &str, close: &str) -> String {
    let mut out = String::new();
    for (i, piece) in text.split('`').enumerate() {
        if i % 2 == 1 {
            out += &format!("{open}{piece}{close}");
            continue;
        }
        let words: Vec<String> = piece
            .split(' ')
            .map(|word| {
                let name = word.trim_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
                match name.contains('_') {
                    true => word.replacen(name, &format!("{open}{name}{close}"), 1),
                    false => word.to_owned(),
                }
            })
            .collect();
        out += &words.join(" ");
    }
    out
}

pub(crate) fn python(text: &str) -> String {
    code(&text.replace('\\', "\\\\"), "``", "``")
}

pub(crate) fn markdown(text: &str) -> String {
    code(text, "`", "`")
}

pub(crate) fn xml(text: &str) -> String {
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    code(&escaped, "<c>", "</c>")
}

/// Wraps a text at `width` columns. The first line begins with `prefix`, the later lines with `hanging`.
pub(crate) fn wrap(text: &str, prefix: &str, hanging: &str, width: usize) -> String {
    let mut out = String::new();
    let mut line = prefix.to_owned();
    let mut is_new = true;
    for word in text.split(' ') {
        if !is_new && line.chars().count() + 1 + word.chars().count() > width {
            out += &format!("{line}\n");
            line = hanging.to_owned();
            is_new = true;
        }
        if !is_new {
            line.push(' ');
        }
        line += word;
        is_new = false;
    }
    out + &line + "\n"
}

/// The text without backticks, because PHP doc comments have no code.
pub(crate) fn php(text: &str) -> String {
    text.replace('`', "").replace("*/", "* /")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_become_code_when_they_have_an_underscore() {
        assert_eq!(
            markdown("Not within max_age_s; ask `a b` (ESALES_TIMEOUT)."),
            "Not within `max_age_s`; ask `a b` (`ESALES_TIMEOUT`)."
        );
    }

    #[test]
    fn long_text_is_wrapped_between_words() {
        assert_eq!(
            wrap("one two three", " * ", " *   ", 11),
            " * one two\n *   three\n"
        );
    }

    #[test]
    fn generated_names_follow_the_convention_of_each_language() {
        assert_eq!(
            (pascal("UNKNOWN_ID"), camel("timeout_ms")),
            ("UnknownId".to_owned(), "timeoutMs".to_owned())
        );
        assert_eq!(
            without_unit("age_p50_ms"),
            ("age_p50", Some(Unit::Milliseconds))
        );
    }
}
