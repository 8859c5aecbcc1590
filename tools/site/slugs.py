"""Anchors of headings as GitHub makes them, so that a link works in both places."""

import re


def github(heading, separator):
    """Small letters, no punctuation, hyphens for blanks."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", separator)
