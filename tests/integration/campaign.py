"""How the proofs of crash points and faults are carried out: targets, a sample of points,
and workers that each have a bench of their own.

A target is a scenario and whose calls of which kind are struck: "restart", or
"restart/supervisors/takes". A point of it is a number, or a number and an errno:
"restart:50", "restart/supervisors/takes:3:EMFILE".
"""

import multiprocessing
import os
import random
import re
import signal
import sys
import time

import proof
import scenarios

N_WORKERS = 2
CHUNK = 12
MOST_SECONDS = 120  # for one point


class Target:
    def __init__(self, text):
        self.text = text
        name, *which = text.split("/")
        self.scenario = scenarios.table()[name]
        self.who, self.what = which or (self.scenario.who, "changes")

    def attach(self, bench, mount, wish=()):
        pid = mount.process.pid
        if self.who == "run":
            pid = bench.supervisor(self.scenario.id)
        who = "supervisors" if self.who == "supervisors" else "self"
        return proof.Fault(bench, pid, who, self.what, wish)

    def prepare(self, bench):
        bench.empty()
        bench.set_source("first")
        self.scenario.prepare(bench)
        bench.save()

    def count(self, bench):
        """The calls of one undisturbed run of the scenario."""
        bench.put_back()
        with bench.mount(self.scenario.options) as mount:
            self.scenario.live(bench, mount)
            fault = self.attach(bench, mount)
            try:
                answer = self.scenario.act(bench, mount)
                proof.wait_for("it to settle", lambda: self.scenario.is_settled(bench))
            finally:
                lines = fault.close()
            if not self.scenario.is_done(bench, answer):
                raise proof.Failure(f"undisturbed, it gave {answer}")
        bench.kill_all()
        return lines


def too_long(*_):
    raise proof.Failure(f"no end in {MOST_SECONDS} s")


def open_bench(directory):
    signal.signal(signal.SIGALRM, too_long)
    return proof.Bench(f"{directory}/{os.getpid()}")


def count(directory, text):
    bench = open_bench(directory)
    signal.alarm(MOST_SECONDS)
    target = Target(text)
    target.prepare(bench)
    lines = target.count(bench)
    signal.alarm(0)
    return lines


def strike(directory, text, wishes, strike_one):
    """One worker's share: (wish, what happened, complaints) of each point."""
    bench = open_bench(directory)
    target = Target(text)
    signal.alarm(MOST_SECONDS)
    target.prepare(bench)
    results = []
    for wish in wishes:
        signal.alarm(MOST_SECONDS)
        what = "?"
        try:
            what, complaints = strike_one(bench, target, wish)
        except (proof.Failure, OSError) as failure:
            complaints = [f"{type(failure).__name__}: {failure}"]
        bench.kill_all()
        results.append((wish, what, complaints))
    signal.alarm(0)
    return results


def name_of(text, wish):
    return ":".join([text, *map(str, wish)])


NOT_REACHED = "not reached"


def told(lines, number, answer):
    """What happened, in a line: the call that was struck, and the answer."""
    return f"{lines[number - 1] if len(lines) >= number else NOT_REACHED}: {answer}"


def is_all_or_some(words):
    return words == ["all"] or words[0].isdigit()


def may_have(text, words):
    """Whether some of the points of a target may be named."""
    return is_all_or_some(words) or any(
        f"{text}/".startswith(f"{word.partition(':')[0]}/") for word in words)


def choose(points, words):
    """
    All, a sample of so many of them, or those that are named. The points are dealt into
    samples, and the seed says which, so that in so many seeds each has its turn.
    """
    if words == ["all"]:
        return points
    if words[0].isdigit():
        seed = proof.seed()
        print(f"RUNFS_SEED={seed}")
        random.Random(0).shuffle(points)
        n_samples = max(1, len(points) // int(words[0]))
        return points[seed % n_samples::n_samples]
    return [point for point in points
            if any(re.match(re.escape(word) + "($|[:/])", name_of(*point))
                   for word in words)]


def chunks(points):
    by_target = {}
    for text, wish in points:
        by_target.setdefault(text, []).append(wish)
    for text, wishes in by_target.items():
        wishes.sort()
        for i in range(0, len(wishes), CHUNK):
            yield text, wishes[i:i + CHUNK]


def run(directory, words, targets, wishes_of, strike_one, variable):
    """
    Strikes at the points that @words choose; @wishes_of gives those of a target, from its
    calls. Returns the exit status, and says how to repeat with @variable what failed.
    """
    start = time.monotonic()
    sys.stdout.reconfigure(line_buffering=True)
    targets = [text for text in targets if may_have(text, words)]
    points, failed = [], []
    n_tried = n_missed = 0
    with multiprocessing.Pool(N_WORKERS) as pool:
        counted = [pool.apply_async(count, (directory, text)) for text in targets]
        for text, job in zip(targets, counted):
            wishes = list(wishes_of(text, job.get()))
            points += [(text, wish) for wish in wishes]
            print(f"{text}: {len(wishes)} points")
        jobs = [(text, pool.apply_async(strike, (directory, text, wishes, strike_one)))
                for text, wishes in chunks(choose(points, words))]
        for text, job in jobs:
            for wish, what, complaints in job.get():
                n_tried += 1
                n_missed += what.startswith(NOT_REACHED)
                if complaints:
                    failed.append(name_of(text, wish))
                    print(f"{name_of(text, wish)} ({what})", *complaints, sep="\n    ")
    print(f"{n_tried} points tried, {n_missed} of them not reached, "
          f"{len(failed)} failed, {time.monotonic() - start:.0f} s")
    if failed:
        print(f"again: {variable}='{' '.join(failed)}'")
    return 1 if failed or not n_tried else 0
