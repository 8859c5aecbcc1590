"""Anchors of headings as GitHub makes them, so that a link works in both places."""

import re


def github(heading, separator):
    """Lower case, without punctuation, with hyphens for blanks."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", separator)
