"""Each section is a function that takes a Stage and returns its results."""

from . import agent, drain, first, fleet, hosts, inner, kinds, page, queue, weight, wire

# The sections in the order of the report.
SECTIONS = {
    "c": wire.from_c,
    "reader": wire.slow_reader,
    "cold": wire.cold,
    "first": first.first,
    "kinds": kinds.kinds,
    "python": hosts.python,
    "php": hosts.php,
    "mono": hosts.mono,
    "page": page.page,
    "agent": agent.agent,
    "enqueue": queue.one_process,
    "sdk": queue.from_python,
    "processes": queue.eight_processes,
    "drain": drain.drain,
    "backlog": drain.backlog,
    "fleet": fleet.fleet,
    "load": weight.load,
    "memory": weight.memory,
    "instructions": weight.instructions,
    "inner": inner.inner,
}
