"""Runs a command in a separate network namespace, whose only name server is silent or knows no name.

usage: in_namespace.py silent|nxdomain COMMAND...

Nothing can leave: the namespace has a loopback interface and no other.
"""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1

libc = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def enter():
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        check(libc.unshare(CLONE_NEWNS | CLONE_NEWNET))
    else:
        check(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET))
        for path, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{path}", "w") as file:
                file.write(text)
    check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        flags = struct.unpack("16sH", fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16sH", b"lo", 0))[:18])[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH", b"lo", flags | IFF_UP))


def name_server(behaviour):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))

    def serve():
        while True:
            query, peer = server.recvfrom(4096)
            if behaviour == "nxdomain":
                # The question again, with the answer "no such name": QR, RD, RA set, RCODE 3.
                server.sendto(query[:2] + b"\x81\x83" + query[4:], peer)

    threading.Thread(target=serve, daemon=True).start()


def use_it():
    for target, text in (("/etc/resolv.conf", "nameserver 127.0.0.1\n"), ("/etc/nsswitch.conf", "hosts: files dns\n")):
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write(text)
        # /etc/resolv.conf may be a symbolic link, so its target is covered by a bind mount.
        check(libc.mount(file.name.encode(), os.path.realpath(target).encode(), None, MS_BIND, None))
        os.unlink(file.name)


if __name__ == "__main__":
    enter()
    name_server(sys.argv[1])
    use_it()
    sys.exit(subprocess.run(sys.argv[2:]).returncode)
