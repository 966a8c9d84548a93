#!/usr/bin/python3
"""Very many short runs with very many readers: soak.py MOUNT DAEMON N_STARTS N_READERS

A few starters make runs of the operation `short`, start them again, stop some, check what
is told of each, and remove them; the readers meanwhile read, follow, wait for, poll, list
and look at whichever run they find. It begins with a tenth of that. What the process
DAEMON holds afterwards, while all is quiet, it must hold at the end, too: descriptors,
inotify watches, children, and, but for MORE_KB, memory. Prints both.
"""

import itertools
import os
import random
import select
import shutil
import sys
import threading
import time

N_STARTERS = 4
N_RESTARTS = 3
STOP_EACH = 7  # of the starts that are stopped, each this many
MORE_KB = 1024
DEADLINE_S = 20
BELIEF_S = 1.1  # what the kernel believes is over
TEXT = b"".join(b"line %d\n" % i for i in range(1, 6))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def ask(path, text):
    """Writes a request, and reads how it went, on one open file."""
    fd = os.open(path, os.O_RDWR)
    try:
        os.write(fd, text.encode())
        return os.read(fd, 4096).decode().strip()
    finally:
        os.close(fd)


class Soak:
    def __init__(self, mnt):
        self.mnt = mnt
        self.starts = itertools.count()
        self.n_starts = self.n_readers = self.n_looks = 0
        self.is_over = False
        self.ids, self.removed = [], []
        self.failures = []
        self.lock = threading.Lock()

    def take_start(self):
        """The number of a start that is to be made; None when there were enough."""
        number = next(self.starts)
        return number if number < self.n_starts else None

    def expect(self, actual, expected):
        if actual != expected:
            raise AssertionError(f"expected {expected!r}, but got {actual!r}")

    def see_end(self, run, number):
        """Waits for the end of a start, or makes one, and looks what is left of it."""
        if number % STOP_EACH == 0:
            while os.stat(f"{run}/output").st_size < len(TEXT):
                time.sleep(0.01)
            ask(f"{run}/stop", "\n")
            self.expect(read(f"{run}/wait"), b"terminated -15\n")
        else:
            self.expect(read(f"{run}/wait"), b"completed 0\n")
        self.expect(read(f"{run}/output"), TEXT)

    def request(self, number):
        return f"asleep={int(number % STOP_EACH == 0)}\n"

    def remove(self, run):
        shutil.rmtree(os.readlink(f"{run}/files"))
        while os.path.exists(run):
            time.sleep(0.01)

    def live_once(self, number):
        name = ask(f"{self.mnt}/ops/short/run", self.request(number))
        run = f"{self.mnt}/runs/{name}"
        self.ids.append(name)
        self.see_end(run, number)
        for _ in range(N_RESTARTS):
            number = self.take_start()
            if number is None:
                break
            self.expect(ask(f"{run}/restart", self.request(number)),
                        f"Restarting {name}")
            self.see_end(run, number)
        self.ids.remove(name)
        self.remove(run)
        self.removed.append((time.monotonic(), run))

    def start(self):
        while (number := self.take_start()) is not None and not self.failures:
            self.live_once(number)
            with self.lock:
                self.forget()

    def follow(self, run):
        # It may have been started anew meanwhile, or be gone, but never say other things.
        text = read(f"{run}/output")
        if not TEXT.startswith(text):
            raise AssertionError(f"output {text!r}")

    def poll(self, run):
        fd = os.open(f"{run}/wait", os.O_RDONLY | os.O_NONBLOCK)
        try:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            poll.poll(100)
        finally:
            os.close(fd)

    def look(self, run):
        for name in os.listdir(run):
            os.stat(f"{run}/{name}")

    def look_once(self, run):
        random.choice([self.follow, self.poll, self.look,
                       lambda run: read(f"{run}/wait"),
                       lambda run: read(f"{run}/status"),
                       lambda run: read(f"{run}/flags"),
                       lambda run: os.listdir(f"{self.mnt}/runs"),
                       lambda run: os.readlink(f"{self.mnt}/latest")])(run)

    def read_on(self):
        while not self.is_over:
            ids = list(self.ids)
            try:
                if ids:
                    self.look_once(f"{self.mnt}/runs/{random.choice(ids)}")
            except OSError:
                pass  # it is gone
            self.n_looks += 1
            time.sleep(random.random() / 20)

    def thread(self, call):
        def run():
            try:
                call()
            except Exception as error:  # said at the end
                self.failures.append(error)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def go(self, n_starts, n_readers):
        self.starts, self.n_starts, self.is_over = itertools.count(), n_starts, False
        readers = [self.thread(self.read_on) for _ in range(n_readers)]
        starters = [self.thread(self.start) for _ in range(N_STARTERS)]
        for thread in starters:
            thread.join()
        self.is_over = True
        for thread in readers:
            while thread.is_alive() and not self.failures:
                thread.join(0.1)
        if self.failures:
            raise self.failures[0]
        time.sleep(BELIEF_S)
        self.forget()

    def forget(self):
        """Has the kernel drop what it remembers of runs that are gone.

        It does so when it asks for the name again, and does that no sooner than a second
        later, or when memory is short; till then the daemon has a node for each file.
        """
        while self.removed and self.removed[0][0] < time.monotonic() - BELIEF_S:
            self.expect(os.path.exists(self.removed.pop(0)[1]), False)


def memory_kb(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))


def is_sanitized(pid):
    """Then what is freed is kept for a while, and says nothing."""
    with open(f"/proc/{pid}/maps") as file:
        return "libasan" in file.read()


def held(pid):
    """Descriptors, watches and children."""
    watches = 0
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        with open(f"/proc/{pid}/fdinfo/{fd}") as file:
            watches += sum(line.startswith("inotify ") for line in file)
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        children = len(file.read().split())
    return len(os.listdir(f"/proc/{pid}/fd")), watches, children


def settle(mnt, pid, expected=None):
    """What is held when all is quiet: as expected, in time."""
    end = time.monotonic() + DEADLINE_S
    while True:
        os.stat(mnt)  # what was closed before has been released by then
        try:
            now = held(pid)
        except FileNotFoundError:  # closed while we looked
            now = None
        if now and now == expected or (now and not expected and now[2] == 0):
            return now
        if time.monotonic() > end:
            raise AssertionError(f"holds {now}, before {expected}")
        time.sleep(0.05)


def main():
    mnt, pid, n_starts, n_readers = sys.argv[1], *map(int, sys.argv[2:])
    soak = Soak(mnt)
    begin = time.monotonic()
    soak.go(max(N_STARTERS, n_starts // 10), n_readers)
    before, before_kb = settle(mnt, pid), memory_kb(pid)
    print(f"before: {before}, {before_kb} kB", flush=True)
    soak.go(n_starts, n_readers)
    after, after_kb = settle(mnt, pid, before), memory_kb(pid)
    print(f"after {n_starts} starts with {n_readers} readers and {soak.n_looks} looks, in"
          f" {time.monotonic() - begin:.0f} s: {after}, {after_kb} kB")
    if after_kb > before_kb + MORE_KB and not is_sanitized(pid):
        raise AssertionError("memory has grown")


main()
