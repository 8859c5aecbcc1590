//! The width of standard output, and whether it shows colours.

use std::env;
use std::io::{IsTerminal, stdout};

use anstyle::Style;
use terminal_size::{Width, terminal_size_of};

/// Least width of a line of text, in columns.
const LEAST_WIDTH: u16 = 20;

#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    /// The width in columns; `None`: lines are not wrapped.
    pub(super) width: Option<usize>,
    pub(super) is_coloured: bool,
}

impl Screen {
    /// A file or a pipe: one line for each text, and no colours.
    pub(super) const PLAIN: Screen = Screen {
        width: None,
        is_coloured: false,
    };

    /// Standard output. `NO_COLOR` and `TERM=dumb` switch colours off.
    pub(super) fn from_stdout() -> Screen {
        if !stdout().is_terminal() {
            return Screen::PLAIN;
        }
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let width = terminal_size_of(stdout()).map(|(Width(width), _)| width);
        Screen {
            // A terminal that does not know its size reports no size, or 0.
            width: width
                .filter(|width| *width > 0)
                .map(|width| width.max(LEAST_WIDTH).into()),
            is_coloured: !is_set("NO_COLOR")
                && env::var_os("TERM").is_none_or(|term| term != "dumb"),
        }
    }

    pub(super) fn styled(self, style: Style, text: &str) -> String {
        match self.is_coloured {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        }
    }
}
