"""One function a section: from a Stage to what was Found."""

from . import agent, drain, fleet, hosts, inner, page, queue, weight, wire

# In the order of the report.
SECTIONS = {
    "c": wire.from_c,
    "reader": wire.slow_reader,
    "cold": wire.cold,
    "python": hosts.python,
    "php": hosts.php,
    "mono": hosts.mono,
    "page": page.page,
    "agent": agent.agent,
    "enqueue": queue.one_process,
    "sdk": queue.from_python,
    "processes": queue.eight_processes,
    "drain": drain.drain,
    "fleet": fleet.fleet,
    "load": weight.load,
    "memory": weight.memory,
    "instructions": weight.instructions,
    "inner": inner.inner,
}
