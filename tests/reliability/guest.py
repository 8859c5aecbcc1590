"""A host that handles the spool's files itself, while it uses the spool: guest.py FOLDER COUNT HOW.

HOW: "read" reads every file, "copy" copies them, "tar" archives the directory, "sqlite" opens each as a database, and
"lock" locks and unlocks each with POSIX locks. It repeats this in a separate thread while it enqueues COUNT events; it
prints each accepted id, then "done" and the number of iterations of the thread; it ends when stdin ends.
"""

import contextlib
import fcntl
import os
import shutil
import sqlite3
import sys
import tarfile
import tempfile
import threading


def read(path, _):
    with open(path, "rb") as file:
        file.read()


def copy(path, folder):
    shutil.copy2(path, folder)


def sqlite(path, _):
    with contextlib.closing(sqlite3.connect(path, timeout=0)) as database, contextlib.suppress(sqlite3.Error):
        database.execute("SELECT count(*) FROM sqlite_master").fetchall()


def lock(path, _):
    with open(path, "r+b") as file, contextlib.suppress(OSError):
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(file, fcntl.LOCK_UN)


class Loop(threading.Thread):
    def __init__(self, spool, how):
        super().__init__(daemon=True)
        self.spool, self.how, self.rounds, self.is_over = spool, how, 0, False
        self.start()

    def run(self):
        with tempfile.TemporaryDirectory() as folder:
            while not self.is_over:
                # Files may appear and disappear.
                with contextlib.suppress(FileNotFoundError):
                    if self.how == "tar":
                        with tarfile.open(os.path.join(folder, "spool.tar"), "w") as archive:
                            archive.add(self.spool)
                    else:
                        for entry in os.scandir(self.spool):
                            globals()[self.how](entry.path, folder)
                self.rounds += 1


def main():
    folder, count, how = sys.argv[1:]
    sys.path.insert(0, folder)
    from esales_notify import Client, Visitor, new_key

    client = Client()
    visitor = Visitor.anonymous(new_key(), new_key())
    loop = Loop(os.environ["ESALES_SPOOL"], how)
    n = 0
    while n < int(count) or loop.rounds < 20:
        print(client.enqueue_add_to_cart(visitor, "ticket", id=f"e{n}").id, flush=True)
        n += 1
    print("done", flush=True)
    sys.stdin.read()
    loop.is_over = True
    loop.join()
    client.close()


main()
