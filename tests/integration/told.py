#!/usr/bin/python3
"""Looks at what the kernel believes of a mount: told.py ACTION ARGUMENT...

  sizes RUN         each file of the run has the size of what a read gives, and is the
                    same in memory, mapped
  restart RUN       so it has after each of many restarts, at once
  churn RUNS MOUNT  makes and removes runs in the home, and looks them up in the mount, in
                    several processes; says "busy" and goes on until it is terminated
"""

import mmap
import os
import shutil
import signal
import stat
import sys
import time

WAITS = ("wait",)  # nobody knows its size
MAPPED = ("flags", "env", "op", "output", "started", "stopped")


def mapped(path, size):
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), size, mmap.MAP_PRIVATE, mmap.PROT_READ)[:]


def sizes(run):
    for name in os.listdir(run):
        status = os.stat(f"{run}/{name}")
        if not stat.S_ISREG(status.st_mode) or name in WAITS:
            continue
        with open(f"{run}/{name}", "rb") as file:
            content = file.read()
        assert status.st_size == len(content), (name, status.st_size, content)
        if name in MAPPED and content:
            assert mapped(f"{run}/{name}", len(content)) == content, name


def know(run):
    """Has the kernel believe what is so now; each read has it ask again."""
    for name in os.listdir(run):
        os.stat(f"{run}/{name}")


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def restart(run):
    before = 0
    for i in range(20):
        know(run)
        value = "1" * (i * 37 % 200 + 1)
        write(f"{run}/restart", f"x='{value}'\n")
        assert os.stat(f"{run}/flags").st_size == len(f"x='{value}'\n"), i
        started = os.stat(run).st_mtime_ns
        assert started > before, "the time of the last start"
        before = started
        with open(f"{run}/wait") as file:
            assert file.read() == "completed 0\n"
        sizes(run)


def make(runs, name):
    os.makedirs(f"{runs}/{name}/.guild/attrs")
    write(f"{runs}/{name}/.guild/opref", "script:/nowhere '' '' made-up")


def change_for_ever(runs, own):
    while True:
        make(runs, own)
        os.rename(f"{runs}/{own}", f"{runs}/{own}.moved")
        shutil.rmtree(f"{runs}/{own}.moved")


def look_for_ever(runs):
    while True:
        try:
            for i in range(4):
                for name in (f"{i}", f"{i}.moved", f"{i}/flags"):
                    os.path.exists(f"{runs}/{name}")
            os.listdir(runs)
        except OSError:  # the mount is gone
            time.sleep(0.01)


def churn(runs, mounted):
    children = []

    def end(*_):
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)
        for name in os.listdir(runs):
            if name[0].isdigit() and len(name) < 32:
                shutil.rmtree(f"{runs}/{name}", ignore_errors=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    for call in [lambda i=i: change_for_ever(runs, str(i)) for i in range(4)] + \
            [lambda: look_for_ever(mounted)] * 6:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            call()
        children.append(child)
    time.sleep(0.05)
    print("busy", flush=True)
    while True:
        signal.pause()


def main():
    action, *arguments = sys.argv[1:]
    {"sizes": sizes, "restart": restart, "churn": churn}[action](*arguments)


main()
