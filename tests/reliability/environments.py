"""The environment of a process with the library in it."""

import os


def clean_environment() -> dict:
    """This process's environment without options of the library."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ESALES_")}


def as_environment(options) -> dict:
    return {f"ESALES_{name.upper()}": str(value) for name, value in options.items()}
