#!/usr/bin/python3
"""Two processes start one run at the same moment, again and again:
race.py ROUNDS RUN FILE1 FILE2

RUN is its directory in the home, FILE1 and FILE2 are the `restart` that each writes. The
run must live until it is told to end, by a line in the FIFO `tell`, and then exit with 0.
Complains of the first round in which not exactly one starts it.
"""

import errno
import os
import sys
from multiprocessing import Barrier, Process, SimpleQueue


def write(path):
    """The errno's name that one request gives, or "started"."""
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, b"\n")
        os.close(fd)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "started"


def compete(path, n_rounds, barrier, results):
    for _ in range(n_rounds):
        barrier.wait()
        results.put(write(path))


def tell_end(run):
    with open(f"{run}/tell", "w") as tell:
        tell.write("exit 0\n")


def count_starts(run):
    with open(f"{run}/starts") as starts:
        return len(starts.readlines())


def main(n_rounds, run, *paths):
    barrier = Barrier(3)
    results = SimpleQueue()
    for path in paths:
        Process(target=compete, args=(path, n_rounds, barrier, results),
                daemon=True).start()
    n_before = count_starts(run)
    for number in range(n_rounds):
        barrier.wait()
        got = sorted([results.get(), results.get()])
        if got != ["EBUSY", "started"]:
            sys.exit(f"round {number}: {got}")
        tell_end(run)
        wait_path = paths[number % 2].replace("restart", "wait")
        with open(wait_path) as wait:
            if (result := wait.read()) != "completed 0\n":
                sys.exit(f"round {number} ended with {result}")
        if (n_starts := count_starts(run) - n_before) != number + 1:
            sys.exit(f"{n_starts} starts in {number + 1} rounds")


main(int(sys.argv[1]), *sys.argv[2:])
