"""What a command is started with."""

import os

#: An environment without options, proxies, service manager and the size of a terminal.
CLEAN = {name: value for name, value in os.environ.items()
         if not name.startswith("ESALES_") and not name.lower().endswith("_proxy")
         and name not in ("NOTIFY_SOCKET", "JOURNAL_STREAM", "WATCHDOG_USEC", "WATCHDOG_PID", "COLUMNS", "LINES")}
#: The shortest pauses after failures.
QUICK = ["--gate-min-ms", "10", "--gate-max-ms", "50"]


def as_environment(options):
    """The variables of these options."""
    return {f"ESALES_{name.upper()}": str(value) for name, value in options.items()}
