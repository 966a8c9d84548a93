#!/usr/bin/python3
"""What a home of very many runs costs, measured by hand: many-runs.py [N [HOME]]

Makes a home of N (100000) ended runs in $TMPDIR (or HOME, which is left for the next
time) and mounts it with $RUNFS_MOUNT (and $RUNFS_LIBEXEC). For what needs all runs it
prints how long that took, and the longest that stat(2) of README had to wait meanwhile;
for each thing that users do, how long it took the first time and again at once, beside
the same done to the home itself; at the end what the daemon takes of memory, and how many
inotify watches. All run on one CPU, since on a small virtual machine placement decides
more than the code does.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

OPREF = "script:/nowhere '' '' made-up"


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def make_run(runs, number):
    guild = f"{runs}/{number:032x}/.guild"
    os.makedirs(f"{guild}/attrs")
    write(f"{guild}/opref", OPREF)
    write(f"{guild}/output", "done\n")
    at = 1700000000000000 + number * 1000000
    attrs = {"initialized": at, "started": at, "stopped": at + 500000,
             "exit_status": 0, "flags": f"x: {number}"}
    for name, value in attrs.items():
        write(f"{guild}/attrs/{name}", f"{value}\n")


def took_ms(call):
    start = time.monotonic()
    call()
    return (time.monotonic() - start) * 1000


def longest_wait_ms(path, call):
    """What @call took, and the longest stat of @path meanwhile."""
    done, waits = threading.Event(), []

    def look():
        while not done.wait(0.001):
            waits.append(took_ms(lambda: os.stat(path)))

    looker = threading.Thread(target=look)
    looker.start()
    took = took_ms(call)
    done.set()
    looker.join()
    return took, max(waits, default=0)


def quiet(*argv):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def stat_each(directory, name):
    for entry in os.listdir(directory):
        os.stat(f"{directory}/{entry}/{name}")


def read_each(directory, names, name):
    for entry in names:
        with open(f"{directory}/{entry}/{name}") as file:
            file.read()


def figures(mnt, runs, number):
    """Title, and what is measured in the mount and (or None) in the home."""
    some = [f"{i:032x}" for i in range(0, number, max(1, number // 1000))][:1000]
    one = some[len(some) // 2]
    return [
        ("ls runs", lambda: quiet("ls", f"{mnt}/runs"), lambda: quiet("ls", runs)),
        ("ls -l runs", lambda: quiet("ls", "-l", f"{mnt}/runs"),
         lambda: quiet("ls", "-l", runs)),
        ("stat each run", lambda: stat_each(f"{mnt}/runs", ""),
         lambda: stat_each(runs, "")),
        ("stat one run 10,000 times",
         lambda: [os.stat(f"{mnt}/runs/{one}") for _ in range(10000)],
         lambda: [os.stat(f"{runs}/{one}") for _ in range(10000)]),
        ("stat its cmd 10,000 times",
         lambda: [os.stat(f"{mnt}/runs/{one}/cmd") for _ in range(10000)],
         lambda: [os.stat(f"{runs}/{one}/.guild/opref") for _ in range(10000)]),
        ("ls -l one run 100 times",
         lambda: [[os.stat(f"{mnt}/runs/{one}/{name}")
                   for name in os.listdir(f"{mnt}/runs/{one}")]
                  for _ in range(100)], None),
        ("read 1,000 statuses", lambda: read_each(f"{mnt}/runs", some, "status"),
         lambda: read_each(runs, some, ".guild/attrs/exit_status")),
        ("readlink latest", lambda: os.readlink(f"{mnt}/latest"), None),
    ]


def measure_waits(mnt):
    print(f"{'ms':28} {'took':>9} {'others':>9}")
    for title, call in [
            ("ls runs, the first time", lambda: quiet("ls", f"{mnt}/runs")),
            ("ls runs, again", lambda: quiet("ls", f"{mnt}/runs")),
            ("ls runs, a second later", lambda: quiet("ls", f"{mnt}/runs")),
            ("latest, a second later", lambda: os.readlink(f"{mnt}/latest")),
            ("latest, again", lambda: os.readlink(f"{mnt}/latest"))]:
        time.sleep(0 if "again" in title else 1.1)
        took, longest = longest_wait_ms(f"{mnt}/README", call)
        print(f"{title:28} {took:9.1f} {longest:9.1f}", flush=True)


def daemon_of(mnt):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                if mnt in file.read().split("\0"):
                    return pid
        except OSError:
            pass
    raise SystemExit("nobody serves the mount")


def memory_kb(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(line.split()[1] for line in file if line.startswith("VmRSS"))


def watches(pid):
    number = 0
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        with open(f"/proc/{pid}/fdinfo/{fd}") as file:
            number += sum(line.startswith("inotify ") for line in file)
    return number


def make_home(home, number):
    os.makedirs(f"{home}/runs")
    print(f"{number} runs, made in "
          f"{took_ms(lambda: [make_run(f'{home}/runs', i) for i in range(number)]):.0f}"
          " ms", flush=True)


def measure(home, mnt, number):
    os.mkdir(mnt)
    quiet(os.environ["RUNFS_MOUNT"], home, mnt)
    try:
        measure_waits(mnt)
    finally:
        quiet("umount", mnt)
    mounting = took_ms(lambda: quiet(os.environ["RUNFS_MOUNT"], home, mnt))
    pid = daemon_of(mnt)
    try:
        print(f"mount: {mounting:.1f} ms, then {memory_kb(pid)} kB", flush=True)
        print(f"{'ms':28} {'first':>9} {'again':>9} {'home':>9}")
        for title, call, reference in figures(mnt, f"{home}/runs", number):
            time.sleep(1.1)  # what the kernel still believes is over
            first, again = took_ms(call), took_ms(call)
            line = f"{title:28} {first:9.1f} {again:9.1f}"
            if reference:
                reference()
                line += f" {took_ms(reference):9.1f}"
            print(line, flush=True)
        print(f"{memory_kb(pid)} kB, {watches(pid)} watches")
    finally:
        quiet("umount", mnt)


def main():
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100000
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    place = tempfile.mkdtemp(prefix="many-runs.")
    home = sys.argv[2] if len(sys.argv) > 2 else f"{place}/home"
    try:
        if not os.path.exists(home):
            make_home(home, number)
        measure(home, f"{place}/mnt", number)
    finally:
        shutil.rmtree(place)


main()
