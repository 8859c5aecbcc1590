//! Prepares the service's message for a receipt: one line of text without markup, cut if it is too
//! long.

/// The text of a body, which may be HTML: one line without tags, scripts and control characters.
pub(super) fn readable(body: &str) -> String {
    let text = match body.trim_start().starts_with('<') {
        true => without_tags(body),
        false => body.to_owned(),
    };
    let lines: Vec<&str> = text.split_whitespace().collect();
    let line = lines.join(" ");
    line.chars().filter(|c| !is_invisible(*c)).collect()
}

/// Control characters, and characters that change the direction of text.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        text.push(' ');
        let name = tag.split(|c: char| !c.is_ascii_alphanumeric()).next();
        let name = name.unwrap_or_default().to_ascii_lowercase();
        let content = match name.as_str() {
            // The contents of these elements are not text for a reader.
            "script" | "style" => skip_past(tag, &format!("</{name}")),
            _ if tag.starts_with("!--") => skip_past(tag, "--"),
            _ => tag,
        };
        rest = skip_past(content, ">");
    }
    text.push_str(rest);
    text
}

/// The text after the first `end`, in any case; empty if `end` is missing.
fn skip_past<'a>(text: &'a str, end: &str) -> &'a str {
    let lower = text.to_ascii_lowercase();
    let at = lower.find(end).map(|at| at + end.len());
    at.and_then(|at| text.get(at..)).unwrap_or_default()
}

/// At most `max` bytes of the text, cut between two characters, with an ellipsis.
pub(super) fn cut(text: &str, max: usize) -> String {
    const ELLIPSIS: char = '…';
    if text.len() <= max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(max.saturating_sub(ELLIPSIS.len_utf8()));
    let mut short = text.get(..end).unwrap_or_default().trim_end().to_owned();
    short.push(ELLIPSIS);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_message_is_shown_as_one_line_without_control_characters() {
        assert_eq!(
            readable("busy\r\n\u{0}now\t \u{202e}x\u{1b}[31m"),
            "busy now x[31m"
        );
        assert_eq!(readable(" \r\n"), "");
        assert_eq!(readable("1 < 2 > 0"), "1 < 2 > 0");
    }

    #[test]
    fn html_answer_is_shown_as_its_text() {
        let page = "<!DOCTYPE html PUBLIC \"x\">\n<html><head><title>403</title><STYLE>p {}</Style>\
                    <!-- no --><script>if (1 < 2) x()</script></head><body><p>Not <b>allowed</b>.</p>";
        assert_eq!(readable(page), "403 Not allowed .");
        assert_eq!(readable("<html"), "");
    }

    #[test]
    fn long_service_message_is_cut_between_characters_with_an_ellipsis() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcdef", 5), "ab…");
        assert_eq!(cut("ääää", 7), "ää…");
        assert_eq!(cut("ab cdef", 6), "ab…");
    }
}
