#!/usr/bin/python3
"""What may be in a home: homecheck.py HOME, or check() and Run for other scripts.

Reads the home only, with a YAML reader and rules of its own, so that it can judge what
runfs has written. Complains of everything that no home has in which nothing is under way:
files that nobody knows, markers that contradict each other, temporaries, attributes that
can't be read.
"""

import fcntl
import os
import pathlib
import re
import sys

import yaml

HOME_NAMES = {"runs", "trash", "cache", "locks", "runfs"}
GUILD_NAMES = {"attrs", "opref", "manifest", "output", "output.index", "LOCK", "PENDING",
               "STAGED", "ENV", "needed", "attempts"}
NUMBERS = {"initialized", "started", "stopped", "exit_status", "random_seed"}
INDEX_RECORD = 9


def read(path):
    """The bytes of a file, or None where there is none."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_held(path):
    """Whether somebody holds a flock on the file."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)


class Run:
    """One run, as it was when it was read."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.id = self.path.name
        self.guild = self.path / ".guild"
        self.attrs = {}
        if (self.guild / "attrs").is_dir():
            for name in os.listdir(self.guild / "attrs"):
                self.attrs[name] = read(self.guild / "attrs" / name)
        self.output = read(self.guild / "output")
        self.markers = {name for name in ("PENDING", "STAGED", "LOCK")
                        if (self.guild / name).exists()}
        self.is_held = is_held(self.guild / "LOCK")

    def attr(self, name):
        text = self.attrs.get(name)
        return None if text is None else yaml.safe_load(text)

    def earlier_outputs(self):
        """The outputs of the attempts, oldest first."""
        numbers = sorted(int(path.name) for path in self.guild.glob("attempts/*"))
        outputs = [read(self.guild / f"attempts/{number}/output") for number in numbers]
        return [output for output in outputs if output is not None]

    @property
    def flags(self):
        return self.attr("flags") or {}

    @property
    def status(self):
        """By section 2.1 of guild-behaviour.md, as runfs corrects it."""
        if "PENDING" in self.markers:
            return "pending"
        if "STAGED" in self.markers:
            return "staged"
        if self.is_held:
            return "running"
        exit_status = self.attr("exit_status")
        started, stopped = self.attr("started"), self.attr("stopped")
        if exit_status is None or (started and stopped and stopped < started):
            return "error"
        if exit_status == 0:
            return "completed"
        return "terminated" if exit_status < 0 else "error"


def runs(home, place="runs"):
    """All runs of a home by their IDs; place "trash/runs" has the deleted ones."""
    directory = pathlib.Path(home) / place
    if not directory.is_dir():
        return {}
    return {path.name: Run(path) for path in sorted(directory.iterdir())
            if (path / ".guild" / "opref").exists()}


def check_attrs(run):
    for name, text in run.attrs.items():
        if name.startswith(".") or name.endswith(".new"):
            yield f"a temporary: attrs/{name}"
            continue
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            yield f"attrs/{name} can't be read: {error}"
            continue
        if name in NUMBERS and not isinstance(value, int):
            yield f"attrs/{name} is no number: {text!r}"
    if not isinstance(run.flags, dict):
        yield f"flags are no map: {run.flags!r}"


def check_end(run):
    has = {name for name in ("exit_status", "stopped") if name in run.attrs}
    if has == {"exit_status"}:
        yield "exit_status without stopped"
    if "stopped" in has and run.attr("stopped") < (run.attr("started") or 0):
        yield "stopped before it was started"
    if run.status in ("completed", "terminated") and "LOCK" in run.markers:
        yield "LOCK of a run that has ended"


def n_records(output):
    """How many lines output.index tells of, where only one stream was written."""
    return output.count(b"\n") + (output[-1:] not in (b"", b"\n"))


def check_output(run):
    index = read(run.guild / "output.index")
    if (run.output is None) != (index is None):
        yield "output without output.index, or the other way round"
    elif index is not None:
        if len(index) % INDEX_RECORD:
            yield f"output.index has {len(index)} bytes"
        elif (run.status in ("completed", "terminated") and
              len(index) // INDEX_RECORD < n_records(run.output)):
            yield f"output.index tells of {len(index) // INDEX_RECORD} lines only"


def check_attempts(run):
    attempts = run.guild / "attempts"
    if not attempts.is_dir():
        return
    for path in attempts.iterdir():
        if not re.fullmatch("[1-9][0-9]*", path.name):
            yield f"no number of an attempt: attempts/{path.name}"


def check_run(run):
    if {"PENDING", "STAGED"} <= run.markers:
        yield "both PENDING and STAGED"
    for path in sorted(run.guild.iterdir()):
        known = path.name in GUILD_NAMES or path.name.startswith("events.")
        if not known:
            yield f"nobody knows .guild/{path.name}"
    yield from check_attrs(run)
    yield from check_end(run)
    yield from check_output(run)
    yield from check_attempts(run)


def check_place(home, place):
    directory = home / place
    if not directory.is_dir():
        return
    for path in sorted(directory.iterdir()):
        if not (path / ".guild" / "opref").exists():
            yield f"{place}/{path.name} is no run"
            continue
        for sentence in check_run(Run(path)):
            yield f"{place}/{path.name}: {sentence}"


def check_own(home):
    """The files that runfs keeps beside the runs."""
    for place in ("new", "purge"):
        for path in (home / "cache/runfs" / place).glob("*"):
            yield f"left over: {path.relative_to(home)}"
    for place in ("slots", "live"):
        for path in (home / "runfs" / place).glob("*"):
            if not is_held(path):
                yield f"left over: {path.relative_to(home)}"
    for path in (home / "runfs/queue").glob("*"):
        if not (home / "runs" / path.name / ".guild/PENDING").exists():
            yield f"nothing waits there: {path.relative_to(home)}"
    for path in (home / "runfs").rglob("*"):
        if path.name.startswith(".") or path.name.endswith(".new"):
            yield f"a temporary: {path.relative_to(home)}"


def check(home):
    """Yields a sentence for everything that is wrong."""
    home = pathlib.Path(home)
    for path in sorted(home.iterdir()):
        if path.name not in HOME_NAMES:
            yield f"nobody knows {path.name}"
    yield from check_place(home, "runs")
    yield from check_place(home, "trash/runs")
    yield from check_own(home)


if __name__ == "__main__":
    complaints = list(check(sys.argv[1]))
    print(*complaints, sep="\n", end="\n" if complaints else "")
    sys.exit(1 if complaints else 0)
