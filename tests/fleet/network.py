"""Nodes with separate networks, connected by a switch. They are namespaces without a name: nothing of them is in the
machine's own network, and they end with the processes that hold them, however the test ends. Needs root."""

import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def set_network(descriptor):
    """Moves this thread into a network namespace."""
    if libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Node:
    """A network namespace, and the process that holds it."""

    def __init__(self, address=None):
        self.address = address
        self._holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sh", "-c", "echo && exec cat"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._holder.stdout.readline() == b"\n", "no network namespace can be made"
        self.pid = self._holder.pid
        #: The prefix of a command that runs in this node. The process id of the prefix is that of the command.
        self.within = ("nsenter", f"--net=/proc/{self.pid}/ns/net", "--")
        self.run("ip", "link", "set", "dev", "lo", "up")

    def run(self, *command):
        subprocess.run([*self.within, *command], check=True, stdin=subprocess.DEVNULL)

    @contextlib.contextmanager
    def inside(self):
        """Sockets and threads that this thread makes meanwhile belong to this node."""
        with open("/proc/thread-self/ns/net", "rb") as own, open(f"/proc/{self.pid}/ns/net", "rb") as theirs:
            set_network(theirs.fileno())
            try:
                yield self
            finally:
                set_network(own.fileno())

    def end(self):
        self._holder.kill()
        self._holder.communicate()


class Network:
    """A switch, and the nodes that are connected to it."""

    def __init__(self):
        self._nodes = contextlib.ExitStack()
        self._count = 0

    def __enter__(self):
        with contextlib.ExitStack() as nodes:
            self._switch = Node()
            nodes.callback(self._switch.end)
            self._switch.run("ip", "link", "add", "name", "switch", "type", "bridge")
            self._switch.run("ip", "link", "set", "dev", "switch", "up")
            self._nodes = nodes.pop_all()
        return self

    def __exit__(self, *_):
        self._nodes.close()

    def add(self):
        self._count += 1
        node = Node(f"10.77.0.{self._count}")
        self._nodes.callback(node.end)
        node.port = f"port{self._count}"
        self._switch.run("ip", "link", "add", "name", node.port, "type", "veth", "peer", "name", "eth0", "netns", str(node.pid))
        node.run("ip", "address", "add", f"{node.address}/24", "dev", "eth0")
        node.run("ip", "link", "set", "dev", "eth0", "up")
        self._switch.run("ip", "link", "set", "dev", node.port, "master", "switch", "up")
        return node

    def unplug(self, node):
        self._switch.run("ip", "link", "set", "dev", node.port, "down")

    def plug_in(self, node):
        self._switch.run("ip", "link", "set", "dev", node.port, "up")
