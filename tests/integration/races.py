#!/usr/bin/python3
"""Eight processes ask two mounts of one home for whatever comes to their minds, and edit
it by hand, while another one looks at the home:

    races.py DIR N_REQUESTS

What each was told is held against what happened (ledger.py), and the home at the end
against what may be in it (homecheck.py). The requests are drawn by proof.seed().
"""

import contextlib
import multiprocessing
import os
import pathlib
import random
import re
import shutil
import sys
import time

import homecheck
import ledger
import proof

N_PROCESSES = 8
MOST_RUNS = 16
JOBS = 3
MOST_COMPLAINTS = 40

# The lock is held by all processes of a run, so one that outlives its run shows at the
# next start. One run in eight leaves a process in a session of its own.
PROGRAM = """#!/bin/sh
exec 9>>"$4/lock.${PWD##*/}"
flock -n 9 || echo "${PWD##*/} $1: one of the start before is alive" >>"$4/violations"
echo "${PWD##*/} $1" >>"$4/starts"
[ $(($1 % 8)) -ne 0 ] || setsid sleep 60 </dev/null >/dev/null 2>&1 &
echo "begin $1"
sleep "$2"
echo "end $1"
exit "$3"
"""
GUILDFILE = """
work:
  exec: sh work.sh ${x} ${seconds} ${status} DIR
  flags: {x: 0, seconds: 0.01, status: 0}
  label: 'x=${x}'
"""

WAIT = re.compile(r"(completed 0|error( 3)?|terminated -(15|9)|staged)\n")
STATUS = re.compile(r"(pending|staged|running|completed|terminated|error)\n")


class Racer:
    """One process: its requests, at random."""

    def __init__(self, bench, points, number, n_requests):
        self.bench = bench
        self.points = points
        self.number = number
        self.n_requests = n_requests
        self.random = random.Random(1000 * proof.seed() + number)
        self.n_tokens = 0

    def run(self):
        n_asked = 0
        with open(self.bench.dir / f"ledger.{self.number}", "w") as file:
            while n_asked < self.n_requests:
                self.point = self.random.choice(self.points)
                what, method = self.draw()
                if what in ("run", "stage") and len(self.names("runs")) >= MOST_RUNS:
                    what, method = "read", self.read
                run_id, token, answer = method()
                if run_id is not None:  # there was one
                    n_asked += 1
                    ledger.write(file, self.number, what, run_id, token, answer.error,
                                 answer.text)

    def draw(self):
        chosen = self.random.choices(REQUESTS, [row[1] for row in REQUESTS])[0]
        return chosen[0], getattr(self, chosen[2])

    def names(self, place):
        return proof.attempt(os.listdir, self.point / place)[1] or []

    def some(self, place="runs"):
        names = self.names(place)
        return self.random.choice(names) if names else None

    def token(self):
        self.n_tokens += 1
        return self.number * 1000000 + self.n_tokens

    def flags(self, token):
        seconds = self.random.choice([0, 0.01, 0.05, 0.3])
        return f"x={token} seconds={seconds} status={self.random.choice([0, 0, 3])}\n"

    def on(self, run_id, function, *args):
        """(ID, no token, answer) of a request that needs a run."""
        if run_id is None:
            return None, None, None
        answer = function(*args)
        if not isinstance(answer, proof.Answer):
            answer = proof.Answer(answer[0])
        return run_id, None, answer

    def new(self, control="run"):
        token = self.token()
        answer = proof.ask(self.point / f"ops/work/{control}", self.flags(token))
        return answer.text.strip(), token, answer

    def stage(self):
        return self.new("stage")

    def ask_restart(self, request, token=None):
        run_id = self.some()
        if run_id is None:
            return None, None, None
        return run_id, token, proof.ask(self.point / "runs" / run_id / "restart", request)

    def restart(self):
        token = self.token()
        return self.ask_restart(self.flags(token), token)

    def restart_same(self):
        return self.ask_restart("\n")

    def restart_needed(self):
        return self.ask_restart("--needed\n")

    def put(self, name, text):
        run_id = self.some()
        return self.on(run_id, proof.put, self.point / "runs" / str(run_id) / name, text)

    def stop(self):
        return self.put("stop", "\n")

    def kill(self):
        return self.put("stop", "KILL\n")

    def edit_flags(self):
        return self.put("flags", f"status={self.random.choice([0, 3])}\n")

    def label(self):
        return self.put("label", f"label {self.token()}\n")

    def tags(self):
        return self.put("tags", self.random.choice(["+a\n", "-a\n", "b c\n"]))

    def comment(self):
        return self.put("comment", f"comment {self.token()}\n")

    def needed(self):
        run_id = self.some()
        path = self.point / "runs" / str(run_id) / "needed"
        if self.random.random() < 0.5:
            return self.on(run_id, proof.put, path, "", os.O_CREAT)
        return self.on(run_id, proof.attempt, os.unlink, path)

    def delete(self):
        run_id = self.some()
        return self.on(run_id, proof.attempt, os.rmdir,
                       self.point / "runs" / str(run_id))

    def move(self, source="runs", target="trash"):
        run_id = self.some(source)
        return self.on(run_id, proof.attempt, os.rename,
                       self.point / source / str(run_id),
                       self.point / target / str(run_id))

    def restore(self):
        return self.move("trash", "runs")

    def purge(self):
        run_id = self.some("trash")
        return self.on(run_id, proof.attempt, os.rmdir,
                       self.point / "trash" / str(run_id))

    def read(self):
        run_id = self.some()
        name = self.random.choice(["status", "flags", "wait", "output", "label", "pid",
                                   "exit_status", "started", "cmd"])
        if run_id is None:
            return None, None, None
        error, text = proof.attempt(self.read_file, self.point / "runs" / run_id / name)
        if not error and name == "status" and not STATUS.fullmatch(text):
            error = f"status {text!r}"
        if not error and name == "wait" and not WAIT.fullmatch(text):
            error = f"wait {text!r}"
        return run_id, None, proof.Answer(error, name)

    @staticmethod
    def read_file(path):
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            return os.read(fd, 1 << 16).decode()
        finally:
            os.close(fd)

    def list(self):
        what = self.random.choice(["table", "runs", "ops/work", "latest"])
        path = self.point / what
        if what == "table":
            return what, None, proof.Answer(proof.attempt(path.read_text)[0])
        return what, None, proof.Answer(proof.attempt(os.listdir, path)[0])

    def guild_label(self):
        """As Guild writes an attribute: in place."""
        run_id = self.some()
        attr = self.bench.home / "runs" / str(run_id) / ".guild/attrs/label"
        return self.on(run_id, proof.attempt, attr.write_text, "by hand\n")

    def guild_delete(self):
        """As Guild deletes a run that has ended."""
        run_id = self.some()
        if run_id is None:
            return None, None, None
        with contextlib.suppress(FileNotFoundError):
            if self.bench.run(run_id).status in ("running", "pending"):
                return None, None, None
        (self.bench.home / "trash/runs").mkdir(parents=True, exist_ok=True)
        return self.on(run_id, proof.attempt, os.rename,
                       self.bench.home / "runs" / run_id,
                       self.bench.home / "trash/runs" / run_id)


# What is asked for, how often, and how.
REQUESTS = [
    ("run", 4, "new"),
    ("stage", 3, "stage"),
    ("restart", 14, "restart"),
    ("restart-same", 4, "restart_same"),
    ("restart-needed", 4, "restart_needed"),
    ("stop", 8, "stop"),
    ("kill", 3, "kill"),
    ("flags", 4, "edit_flags"),
    ("needed", 5, "needed"),
    ("label", 4, "label"),
    ("tags", 3, "tags"),
    ("comment", 2, "comment"),
    ("delete", 4, "delete"),
    ("move", 4, "move"),
    ("restore", 10, "restore"),
    ("purge", 2, "purge"),
    ("read", 20, "read"),
    ("list", 4, "list"),
    ("guild-label", 2, "guild_label"),
    ("guild-delete", 1, "guild_delete"),
]


def has_flags(path):
    """Whether a run has them; if not, again, for it may have been moved meanwhile."""
    return any({"x", "seconds", "status"} <= homecheck.Run(path).flags.keys()
               for _ in range(2)) or not path.exists()


def n_running(bench):
    """Of one instant, or at least of a few: each must be held at the end, too."""
    held = [run.path for place in ("runs", "trash/runs")
            for run in bench.runs(place).values() if run.is_held]
    return sum(homecheck.is_held(path / ".guild/LOCK") for path in held)


def look(bench, end, complaints):
    """Looks at the home as long as it races: nothing is ever torn, or too much."""
    while not end.is_set():
        n_held = 0
        for place in ("runs", "trash/runs"):
            for path in (bench.home / place).glob("*/.guild"):
                try:
                    run = homecheck.Run(path.parent)
                    n_held += run.is_held
                    if not has_flags(run.path):
                        raise ValueError(f"flags {run.flags!r}")
                except FileNotFoundError:
                    continue
                except ValueError as error:
                    complaints.append(f"{path}: {error}")
        if n_held > JOBS and n_running(bench) > JOBS:
            complaints.append(f"more than {JOBS} runs at once")


def race(bench, points, n_requests):
    """All requests; what was found wrong meanwhile."""
    with multiprocessing.Manager() as manager:
        end = manager.Event()
        complaints = manager.list()
        looker = multiprocessing.Process(target=look,
                                         args=(bench, end, complaints))
        looker.start()
        racers = [multiprocessing.Process(
            target=Racer(bench, points, number, n_requests // N_PROCESSES).run)
            for number in range(N_PROCESSES)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
            if racer.exitcode:
                complaints.append("a process of the race has failed")
        settle(bench)
        end.set()
        looker.join()
        return list(complaints)


def live(bench):
    deleted = [run.id for run in bench.runs("trash/runs").values() if run.is_held]
    return deleted + [run.id for run in bench.runs().values()
                      if run.status in ("running", "pending")]


def settle(bench):
    """Whatever waits or runs comes to its end by itself."""
    proof.wait_for("all runs to end", lambda: not live(bench))
    proof.wait_for("all processes to end", lambda: not bench.processes())


def check_runs(bench, book):
    """No run is lost."""
    there = bench.runs().keys() | bench.runs("trash/runs").keys()
    made = book.made()
    for run_id in sorted(made - book.purged() - there):
        yield f"the run {run_id} is lost"
    for run_id in sorted(there - made):
        yield f"nobody was told of the run {run_id}"
    for run_id in sorted(bench.runs().keys() & bench.runs("trash/runs").keys()):
        yield f"the run {run_id} is there twice"


def check_ends(bench):
    """How each run has ended is what its program was to do, or was done to it."""
    for place in ("runs", "trash/runs"):
        for run in bench.runs(place).values():
            if run.status in ("staged", "pending"):
                continue  # what waited when Guild deleted it
            exit_status = run.attr("exit_status")
            if exit_status not in (run.flags["status"], -15, -9):
                yield f"{run.id} ended with {exit_status}, flags {run.flags!r}"
            token = run.flags["x"]
            if run.output not in (b"", f"begin {token}\n".encode(),
                                  f"begin {token}\nend {token}\n".encode()):
                yield f"{run.id} has the output {run.output!r}, token {token}"


def set_up(directory):
    shutil.rmtree(directory, ignore_errors=True)
    bench = proof.Bench(directory)
    (bench.project / "work.sh").write_text(PROGRAM)
    (bench.project / "guild.yml").write_text(GUILDFILE.replace("DIR", str(bench.dir)))
    for name in ("starts", "violations"):
        (bench.dir / name).touch()
    return bench


def main(directory, n_requests):
    start = time.monotonic()
    bench = set_up(directory)
    print(f"RUNFS_SEED={proof.seed()}")
    bench.set_jobs(JOBS)
    with (bench.mount() as first,
          proof.Mount(bench, bench.dir / "second") as second):
        complaints = race(bench, [first.point, second.point], int(n_requests))
    book = ledger.Ledger(ledger.read(sorted(bench.dir.glob("ledger.*"))),
                         (bench.dir / "starts").read_text())
    complaints += [*book.check(), *check_runs(bench, book), *check_ends(bench),
                   *homecheck.check(bench.home),
                   *(bench.dir / "violations").read_text().splitlines()]
    print(*complaints[:MOST_COMPLAINTS], sep="\n")
    print(f"{len(book.entries)} requests, {len(book.starts)} starts, "
          f"{len(complaints)} complaints, {time.monotonic() - start:.0f} s")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
