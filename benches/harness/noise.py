"""Measures the other load on the machine, which limits the accuracy of the results."""

import datetime
import os
import pathlib
import platform
import subprocess


def ticks():
    """Returns (all, idle, stolen) from the first line of /proc/stat, for all CPUs together."""
    fields = list(map(int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
    return sum(fields), fields[3] + fields[4], fields[7]


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def revision(root):
    """The measured commit, with a mark if files differ from it."""
    asked = subprocess.run(["git", "-C", str(root), "describe", "--always", "--dirty=, changed", "--exclude=*"],
                           capture_output=True, text=True)
    return asked.stdout.strip() or "unknown"


class Noise:
    """The load from construction to `end()`."""

    def __init__(self, root, effort):
        self.began, self._before = datetime.datetime.now(datetime.timezone.utc), ticks()
        self._load_before = os.getloadavg()
        self._root, self._effort = root, effort

    def end(self):
        after, self.took = ticks(), datetime.datetime.now(datetime.timezone.utc) - self.began
        every, idle, stolen = (b - a for a, b in zip(self._before, after))
        self.stolen, self.idle = 100 * stolen / max(every, 1), 100 * idle / max(every, 1)
        self._load_after = os.getloadavg()

    def numbers(self):
        return {"stolen_percent": self.stolen, "idle_percent": self.idle, "load_before": self._load_before[0],
                "load_after": self._load_after[0]}

    def markdown(self):
        lines = [
            f"- {cpu_model()}, {os.cpu_count()} CPUs, Linux {platform.release()}, {platform.libc_ver()[1]}",
            f"- {self.began:%Y-%m-%d %H:%M} UTC, {self.took.seconds // 60} min {self.took.seconds % 60} s, "
            f"{self._effort.rounds} rounds; commit {revision(self._root)}",
            f"- stolen by other virtual machines: {self.stolen:.1f} % of all CPU time; idle: {self.idle:.0f} %",
            f"- load average before {self._load_before[0]:.2f} (this run had not begun: it is other people's), "
            f"after {self._load_after[0]:.2f}",
        ]
        return "\n".join(["### The machine", "", *lines, ""])
