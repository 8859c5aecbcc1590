"""`make bench`: compares the library with its peers. See benches/README.md.

Which library and command are measured: ESALES_NOTIFY_LIBRARY and ESALES_NOTIFY_COMMAND.
"""

import argparse
import json
import os
import pathlib
import sys

from harness import report
from harness.measure import FULL, QUICK
from harness.noise import Noise
from harness.sections import SECTIONS
from harness.stage import ROOT, Stage


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", default="", metavar="A,B", help=f"only these, of {', '.join(SECTIONS)}")
    parser.add_argument("--quick", action="store_true", default=os.environ.get("BENCH_QUICK") == "1",
                        help="only enough to see that everything runs; also BENCH_QUICK=1")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="the numbers, for programs")
    parser.add_argument("--summary", type=pathlib.Path, metavar="FILE",
                        help="put what users want to know into this file, between its marks")
    parser.add_argument("--write", type=pathlib.Path, metavar="FILE",
                        help="a Markdown page: replaces what it has between its marks")
    parser.add_argument("--baseline", action="store_true",
                        help="the section instructions: commit what is counted, instead of comparing with it")
    chosen = parser.parse_args()
    chosen.sections = [name.strip() for name in chosen.sections.split(",") if name.strip()] or list(SECTIONS)
    unknown = [name for name in chosen.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    return chosen


def built(variable):
    path = pathlib.Path(os.environ.get(variable, ""))
    if not path.is_file():
        raise SystemExit(f"{variable} must name the built file; `make bench` sets it")
    return path


def say(text):
    print(text, file=sys.stderr, flush=True)


def main():
    chosen = arguments()
    effort = QUICK if chosen.quick else FULL
    library, command = built("ESALES_NOTIFY_LIBRARY"), built("ESALES_NOTIFY_COMMAND")
    noise, found = Noise(ROOT, effort), []
    with Stage(library, command, effort, say, chosen.baseline) as stage:
        for name in chosen.sections:
            say(f"{name}:")
            found.append(SECTIONS[name](stage))
    noise.end()
    page = report.page(found, noise)
    print(page)
    if chosen.write:
        report.write_into(chosen.write, page)
    if chosen.summary:
        report.write_into(chosen.summary, report.summary(page))
    if chosen.json:
        chosen.json.write_text(json.dumps(report.as_json(found, noise), indent=1) + "\n")
    failures = [text for one in found for text in one.failures]
    for text in failures:
        say(f"FAILED: {text}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
