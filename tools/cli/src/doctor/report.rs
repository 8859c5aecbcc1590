//! The results of the checks, as text and as JSON.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value, json};
use textwrap::{Options, WordSplitter};

use super::screen::Screen;
use crate::output::printable;

/// The states, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CheckState {
    Skipped,
    Ok,
    Warning,
    Failed,
}

impl CheckState {
    fn name(self) -> &'static str {
        match self {
            CheckState::Skipped => "skipped",
            CheckState::Ok => "ok",
            CheckState::Warning => "warning",
            CheckState::Failed => "failed",
        }
    }

    fn style(self) -> Style {
        match self {
            CheckState::Skipped => Style::new().dimmed(),
            CheckState::Ok => AnsiColor::Green.on_default(),
            CheckState::Warning => AnsiColor::Yellow.on_default(),
            CheckState::Failed => AnsiColor::Red.on_default().bold(),
        }
    }
}

/// The column at which the text of a check begins.
const TEXT_COLUMN: usize = 24;
/// On a narrower screen, the lines after the first are indented less.
const NARROW: usize = 72;

/// One check. Its text may come from the network or the environment, so control characters are removed.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) state: CheckState,
    pub(super) found: String,
    advice: Option<String>,
    facts: Map<String, Value>,
}

impl Check {
    fn new(name: &'static str, state: CheckState, found: &str, advice: Option<&str>) -> Check {
        Check {
            name,
            state,
            found: harmless(found),
            advice: advice.map(harmless),
            facts: Map::new(),
        }
    }

    pub(super) fn ok(name: &'static str, found: impl AsRef<str>) -> Check {
        Check::new(name, CheckState::Ok, found.as_ref(), None)
    }

    /// `why`: the reason why it was not checked.
    pub(super) fn skipped(name: &'static str, why: impl AsRef<str>) -> Check {
        Check::new(name, CheckState::Skipped, why.as_ref(), None)
    }

    /// Skipped because another check failed.
    pub(super) fn not_tried(name: &'static str, failed: &str) -> Check {
        Check::skipped(name, format!("not tried, because {failed} failed"))
    }

    pub(super) fn warning(
        name: &'static str,
        found: impl AsRef<str>,
        advice: impl AsRef<str>,
    ) -> Check {
        Check::new(
            name,
            CheckState::Warning,
            found.as_ref(),
            Some(advice.as_ref()),
        )
    }

    pub(super) fn failed(
        name: &'static str,
        found: impl AsRef<str>,
        advice: impl AsRef<str>,
    ) -> Check {
        Check::new(
            name,
            CheckState::Failed,
            found.as_ref(),
            Some(advice.as_ref()),
        )
    }

    /// Adds a value for programs.
    pub(super) fn fact(mut self, name: &str, value: impl Into<Value>) -> Check {
        self.facts.insert(name.to_owned(), value.into());
        self
    }
}

#[derive(Debug, Default)]
pub(super) struct Report {
    groups: Vec<(&'static str, Vec<Check>)>,
}

impl Report {
    pub(super) fn add(&mut self, group: &'static str, checks: Vec<Check>) {
        self.groups.push((group, checks));
    }

    fn all(&self) -> impl Iterator<Item = &Check> {
        self.groups.iter().flat_map(|(_, checks)| checks)
    }

    fn count(&self, state: CheckState) -> usize {
        self.all().filter(|check| check.state == state).count()
    }

    /// The worst result.
    fn state(&self) -> CheckState {
        let worst = self.all().map(|check| check.state).max();
        worst.unwrap_or(CheckState::Ok).max(CheckState::Ok)
    }

    pub(super) fn exit_code(&self, is_strict: bool) -> u8 {
        match self.state() {
            CheckState::Failed => 2,
            CheckState::Warning if is_strict => 1,
            _ => 0,
        }
    }

    /// The report for a person, wrapped to the screen's width, and coloured if the screen has colours.
    pub(super) fn text(&self, screen: Screen) -> String {
        let mut out = String::new();
        for (group, checks) in &self.groups {
            let _ = writeln!(out, "{}", screen.styled(Style::new().bold(), group));
            // Checks that were skipped for the same reason share a line.
            for alike in
                checks.chunk_by(|a, b| a.state == CheckState::Skipped && a.found == b.found)
            {
                if let Some(check) = alike.first() {
                    let state = format!("{:<8}", check.state.name());
                    let state = screen.styled(check.state.style(), &state);
                    let names: Vec<&str> = alike.iter().map(|c| c.name).collect();
                    let (head, text) = match names.as_slice() {
                        [name] => (format!("  {state} {name:<12} "), check.found.clone()),
                        _ => (
                            format!("  {state} "),
                            format!("{}: {}", names.join(", "), check.found),
                        ),
                    };
                    wrap(&mut out, screen, &head, &text, TEXT_COLUMN);
                    if let Some(advice) = &check.advice {
                        let head = format!("{:TEXT_COLUMN$}-> ", "");
                        wrap(&mut out, screen, &head, advice, TEXT_COLUMN + 3);
                    }
                }
            }
        }
        let summary = format!(
            "{} failed, {} with a warning, {} ok, {} skipped",
            self.count(CheckState::Failed),
            self.count(CheckState::Warning),
            self.count(CheckState::Ok),
            self.count(CheckState::Skipped)
        );
        out.push('\n');
        wrap(&mut out, screen, "", &summary, 0);
        out
    }

    pub(super) fn json(&self) -> Value {
        let checks = self.groups.iter().flat_map(|(group, checks)| {
            checks.iter().map(move |check| {
                json!({
                    "check": format!("{group}.{}", check.name),
                    "state": check.state.name(),
                    "found": check.found,
                    "advice": check.advice,
                    "facts": check.facts,
                })
            })
        });
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "state": self.state().name(),
            "failed": self.count(CheckState::Failed),
            "warnings": self.count(CheckState::Warning),
            "ok": self.count(CheckState::Ok),
            "skipped": self.count(CheckState::Skipped),
            "checks": checks.collect::<Vec<_>>(),
        })
    }
}

/// Adds the head and the text, wrapped to the screen's width.
fn wrap(out: &mut String, screen: Screen, head: &str, text: &str, column: usize) {
    let Some(width) = screen.width else {
        let _ = writeln!(out, "{head}{text}");
        return;
    };
    let indent = " ".repeat(if width < NARROW { 4 } else { column });
    let head = if width < NARROW {
        head.replace(&" ".repeat(TEXT_COLUMN), "    ")
    } else {
        head.to_owned()
    };
    let options = Options::new(width)
        .initial_indent(&head)
        .subsequent_indent(&indent)
        // A path or a command is not split, so that it can be copied.
        .break_words(false)
        .word_splitter(WordSplitter::NoHyphenation);
    for line in textwrap::wrap(text, options) {
        let _ = writeln!(out, "{line}");
    }
}

/// Removes control characters, which could control a terminal, and limits the length.
fn harmless(text: &str) -> String {
    const MOST: usize = 2000;
    let kept: String = text.chars().take(MOST).collect();
    let mut out = printable(&kept);
    if text.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_checks(checks: Vec<Check>) -> Report {
        let mut report = Report::default();
        report.add("group", checks);
        report
    }

    #[test]
    fn report_state_is_the_worst_of_its_checks() {
        let ok = || Check::ok("a", "fine");
        let warning = || Check::warning("b", "odd", "look");
        let failed = || Check::failed("c", "broken", "fix");
        let skipped = || Check::skipped("d", "no need");
        for (checks, state, lenient, strict) in [
            (vec![], "ok", 0, 0),
            (vec![skipped()], "ok", 0, 0),
            (vec![ok(), skipped()], "ok", 0, 0),
            (vec![warning(), ok()], "warning", 0, 1),
            (vec![failed(), warning(), ok()], "failed", 2, 2),
        ] {
            let report = from_checks(checks);
            assert_eq!(report.json()["state"], state);
            assert_eq!(
                (report.exit_code(false), report.exit_code(true)),
                (lenient, strict)
            );
        }
    }

    #[test]
    fn report_prints_every_check_as_a_line_and_as_json() {
        let report = from_checks(vec![
            Check::ok("a", "fine").fact("n", 1),
            Check::failed("b", "broken", "fix it"),
        ]);
        assert_eq!(
            report.text(Screen::PLAIN),
            "group\n  ok       a            fine\n  failed   b            broken\n                        \
             -> fix it\n\n1 failed, 0 with a warning, 1 ok, 0 skipped\n"
        );
        let json = report.json();
        assert_eq!(json["checks"][0]["check"], "group.a");
        assert_eq!(json["checks"][0]["facts"]["n"], 1);
        assert_eq!(json["checks"][0]["advice"], Value::Null);
        assert_eq!(json["checks"][1]["advice"], "fix it");
    }

    #[test]
    fn lines_fit_the_screen_and_break_no_word_when_it_has_a_width() {
        let long = "the path /var/lib/esales-notify/spool and the command `esales-notify queue dead list` stay as they are";
        let report = from_checks(vec![Check::failed("a", long, long)]);
        let plain = report.text(Screen::PLAIN);
        for (width, is_coloured) in [(100, false), (80, true), (72, false), (40, true)] {
            let screen = Screen {
                width: Some(width),
                is_coloured,
            };
            let text = report.text(screen);
            let widest = text.lines().map(textwrap::core::display_width).max();
            assert!(widest <= Some(width) && text.lines().count() > 6, "{text}");
            assert_eq!(text.contains('\u{1b}'), is_coloured);
            assert!(text.contains("/var/lib/esales-notify/spool"), "{text}");
            if !is_coloured {
                let words = |text: &str| {
                    text.split_whitespace()
                        .map(str::to_owned)
                        .collect::<Vec<_>>()
                };
                assert_eq!(words(&text), words(&plain), "nothing is lost");
            }
        }
        assert!(!plain.contains('\u{1b}'));
    }

    #[test]
    fn report_groups_skipped_checks_with_the_same_reason() {
        let report = from_checks(vec![
            Check::skipped("a", "no need"),
            Check::skipped("b", "no need"),
            Check::skipped("c", "no way"),
        ]);
        let text = report.text(Screen::PLAIN);
        assert!(text.contains("\n  skipped  a, b: no need\n  skipped  c            no way\n"));
        assert_eq!(report.json()["checks"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn text_from_outside_is_escaped_for_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(harmless(&"x".repeat(3000)).chars().count(), 2001);
    }
}
