"""Prepares a page for a package: links into the repository become web addresses of the repository at this version.

    links.py PAGE VERSION [KEPT...] >PAGE    KEPT: files that are beside the page in the package, whose links stay
"""

import os.path
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
CODE = r"^```+.*\n(?:.*\n)*?```+$|`[^`\n]*`"


def addresses():
    lines = (ROOT / "packaging/project").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def absolute(page, version, kept=()):
    """The page's text with new links. Code is not changed."""
    repository = addresses()["REPOSITORY"]

    def link(match):
        if not match["link"]:
            return match[0]
        path, mark, anchor = match["link"].partition("#")
        if "://" in path or not path or path in kept:
            return match[0]
        target = os.path.relpath((page.parent / path).resolve(), ROOT)
        kind = "raw" if target.endswith(".png") else "tree" if (ROOT / target).is_dir() else "blob"
        return f"]({repository}/{kind}/v{version}/{target}{mark}{anchor})"

    return re.sub(rf"{CODE}|\]\((?P<link>[^()\s]+)\)", link, page.read_text(), flags=re.M)


if __name__ == "__main__":
    sys.stdout.write(absolute(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3:]))
