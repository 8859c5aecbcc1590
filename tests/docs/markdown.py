"""What the pages hold: their fenced blocks, links and headings; and a run of their commands."""

import os
import pathlib
import re
import signal
import subprocess
import typing

from ports import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Block(typing.NamedTuple):
    language: str
    code: str
    line: int
    # The text between the block and the one before it.
    before: str


def pages():
    """Every Markdown file that is part of the repository, or about to be."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).exists()]


def blocks(text):
    found = []
    end = 0
    for match in re.finditer(r"^(```+)(.*)\n((?:.*\n)*?)\1$", text, re.M):
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(match[2].strip(), match[3], line, text[end : match.start()].strip()))
        end = match.end()
    return found


def indented(text):
    """The lines of code that stand in no fence, each with its number."""
    outside = re.sub(r"^(```+).*\n(?:.*\n)*?\1$", lambda fenced: "\n" * fenced[0].count("\n"), text, flags=re.M)
    found = {}
    before = ""
    for at, line in enumerate(outside.split("\n"), 1):
        # What follows a line of text goes on with it.
        if line.startswith("    ") and (at - 1 in found or not before.strip()):
            found[at] = line[4:]
        before = line
    return found


def without_packages(text):
    """The page without the commands that install a package, which tests/packages runs; its lines keep their numbers."""
    def blank(section):
        return "\n" * section[0].count("\n")
    return re.sub(r"^## (?:Install|From the sources)\n.*?(?=^## |\Z)", blank, text, flags=re.M | re.S)


def prose(text):
    """The page without its fenced blocks and code in the line, in which brackets are no links."""
    return re.sub(r"`[^`\n]*`", "``", re.sub(r"^(```+).*\n(?:.*\n)*?\1$", "", text, flags=re.M))


def links(text):
    return re.findall(r"\]\(([^()\s]+)\)", prose(text))


def anchors(text):
    """As GitHub makes them of headings: small letters, no punctuation, hyphens for spaces, numbers for repetitions."""
    made = []
    for heading in re.findall(r"^#+ (.*)$", re.sub(r"^(```+).*\n(?:.*\n)*?\1$", "", text, flags=re.M), re.M):
        heading = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        made.append(re.sub(r"[^\w\- ]", "", heading).replace(" ", "-"))
    return {name if made[:at].count(name) == 0 else f"{name}-{made[:at].count(name)}" for at, name in enumerate(made)}


def elsewhere(code):
    """With free ports for those that the page listens on: they may be taken here."""
    for port in sorted(set(re.findall(r"--listen 127\.0\.0\.1:(\d+)", code))):
        code = code.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}")
    return code


MARK = "--- end of a block ---"


def run(code_blocks, scratch, bash=("bash", "-c"), **variables):
    """Runs shell blocks as a reader does, in their order, in one bash in the repository's root; (status, output) of each.

    What they make by mktemp is made in the folder `scratch`. `bash` is what runs a script, wherever that is.

    A line that ends in & is a server: what follows it waits for the first line that it prints. The status is that of the last
    command that failed, wherever in the block: the others run all the same. A name that does not exist is soon known.
    """
    script = "exec 2>&1\nexport RES_OPTIONS='timeout:1 attempts:1'\ntrap 'failed=$?' ERR\n"
    for code in code_blocks:
        code = re.sub(r"^(.*\S) &$", r"exec {served}< <(\1); read -r _ <&$served", code, flags=re.M)
        script += f"failed=0\n{code}\nprintf '%s %s\\n' '{MARK}' $failed\n"
    # Nothing of the suite's own settings, and loopback is not asked through a proxy.
    env = {name: value for name, value in os.environ.items()
           if not name.startswith("ESALES_") and not name.lower().endswith("_proxy")}
    # A reader has the command in the path: from the tarball, the Debian package, or a build.
    env["PATH"] = f"{pathlib.Path(os.environ['ESALES_NOTIFY_COMMAND']).parent}:{env['PATH']}"
    env.update(variables, TMPDIR=str(scratch))
    bash = subprocess.Popen([*bash, script], cwd=ROOT, env=env, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, text=True, start_new_session=True)
    printed = ""
    ends = 0
    try:
        for line in bash.stdout:
            printed += line
            ends += MARK in line
            if ends == len(code_blocks):
                break
    finally:
        # With the servers, which belong to it.
        os.killpg(bash.pid, signal.SIGKILL)
        bash.wait()
        bash.stdout.close()
    results = re.findall(rf"((?:.*\n)*?)(.*){MARK} (\d+)\n", printed)
    assert len(results) == len(code_blocks), f"ended early:\n{printed}"
    return [(int(status), lines + last) for lines, last, status in results]


def comparable(output):
    """Without what differs from run to run: ids and durations."""
    output = re.sub(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", output)
    return re.sub(r"\b[\d.]+ ?(?:ms|µs|us|s|min)\b", "TIME", output).strip()
