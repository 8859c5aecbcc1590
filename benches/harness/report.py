"""The results, as JSON and as Markdown that can also be read in a terminal."""

import dataclasses

from .targets import TARGETS

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclasses.dataclass
class Table:
    title: str
    columns: tuple
    rows: list
    note: str = ""


@dataclasses.dataclass
class Found:
    """The results of a section: tables for readers, ratios for the targets, and numbers for programs."""

    tables: list = dataclasses.field(default_factory=list)
    ratios: dict = dataclasses.field(default_factory=dict)
    numbers: dict = dataclasses.field(default_factory=dict)
    # Regressions beyond their bounds, which fail the run.
    failures: list = dataclasses.field(default_factory=list)


def figure(value):
    """A number with three significant digits."""
    if value >= 1000:
        return f"{value:,.0f}"
    if value == 0:
        return "0"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 4
    return f"{value:.{digits}f}"


def micro(nanoseconds):
    return figure(nanoseconds / 1000)


def timings(title, found, floor=None, note="", with_rate=False):
    """A table with one row for each way. The last column is the p50 relative to that of `floor`, or of the first
    row."""
    base = found[floor or next(iter(found))]
    columns = ["way", "p50 µs", "p99 µs", "p99.9 µs", "p50 ratio"] + (["a second"] if with_rate else [])
    rows = []
    for name, timing in found.items():
        row = [name, micro(timing.p50), micro(timing.p99), micro(timing.p999), figure(timing.p50 / base.p50)]
        rows.append(row + [figure(timing.rate)] if with_rate else row)
    return Table(title, tuple(columns), rows, note)


def plain(found):
    return {name: dataclasses.asdict(timing) for name, timing in found.items()}


def markdown(table):
    lines = [f"### {table.title}", ""]
    if table.note:
        lines += [table.note, ""]
    lines += ["| " + " | ".join(table.columns) + " |", "|---" + "|--:" * (len(table.columns) - 1) + "|"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.rows]
    return "\n".join([*lines, ""])


def goals(found):
    """The table of targets with the measured values, for the sections that ran."""
    rows = []
    for target in TARGETS:
        for one in found:
            if target.key in one.ratios:
                measured = one.ratios[target.key]
                rows.append([target.title, *(f"{figure(bound)}{target.unit}" for bound in (target.least, target.aim, measured)),
                             target.verdict(measured)])
    return Table("Against the goals", ("", "at least", "aim", "measured", "verdict"), rows)


def page(found, noise):
    parts = [markdown(goals(found)), noise.markdown()]
    parts += [markdown(table) for one in found for table in one.tables]
    return "\n".join(parts)


def as_json(found, noise):
    verdicts = {target.key: target.verdict(one.ratios[target.key])
                for target in TARGETS for one in found if target.key in one.ratios}
    return {
        "ratios": {key: value for one in found for key, value in one.ratios.items()},
        "verdicts": verdicts,
        "numbers": {key: value for one in found for key, value in one.numbers.items()},
        "failures": [failure for one in found for failure in one.failures],
        "noise": noise.numbers(),
    }


# The tables of the results whose rows about the library are on the page for users.
SHOWN = ("C, HTTPS keep-alive", "Python, HTTPS keep-alive", "PHP's command line, HTTPS", "Mono, HTTP keep-alive",
         "php-fpm page, HTTPS: time in the page for one send", "Enqueue from C, one process", "Enqueue from Python",
         "Enqueue from C, eight processes at 200 a second each")


def summary(results):
    """The results of the library for users, from the output of `page`: one row for each way."""
    lines = ["| call | p50 µs | p99 µs |", "|---|--:|--:|"]
    for title in SHOWN:
        table = results.partition(f"### {title}\n")[2].partition("\n### ")[0]
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| ours")]
        for way, p50, p99, *_ in rows:
            call = ": ".join(filter(None, (title.partition(":")[0], way.removeprefix("ours").removeprefix(", "))))
            lines.append(f"| {call} | {p50} | {p99} |")
    return "\n".join([*lines, ""])


def write_into(path, text):
    """Replaces the text between the marks. The text around them is written by hand."""
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{path} lacks the line {BEGIN} or {END}")
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
