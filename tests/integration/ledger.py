"""What was asked in a race and what was told, and whether it is what happened.

Each process writes its own list of Entries, and each start of a run a line "ID TOKEN" to
the list of starts. A token is a flag that no two requests share.
"""

import collections
import json

STARTED = "Restarting "

# What a request may fail with, since others are at the same runs. EACCES and EPERM: the
# run has been deleted while its file was being opened, and the trash is only read.
TRASHED = {"EACCES", "EPERM"}
LEGAL_ERRORS = {
    "run": set(),
    "stage": set(),
    "restart": {"EBUSY", "ENOENT", *TRASHED},
    "restart-same": {"EBUSY", "ENOENT", *TRASHED},
    "restart-needed": {"EBUSY", "ENOENT", *TRASHED},
    "stop": {"ENOENT", *TRASHED},
    "kill": {"ENOENT", *TRASHED},
    "flags": {"EBUSY", "ENOENT", *TRASHED},
    "needed": {"EBUSY", "ENOENT", "EEXIST", *TRASHED},
    "label": {"EBUSY", "ENOENT", *TRASHED},
    "tags": {"EBUSY", "ENOENT", *TRASHED},
    "comment": {"EBUSY", "ENOENT", *TRASHED},
    "delete": {"EBUSY", "ENOENT"},
    "move": {"EBUSY", "ENOENT", "EEXIST", "ENOTEMPTY"},
    "restore": {"EBUSY", "ENOENT", "EEXIST", "ENOTEMPTY"},
    "purge": {"EBUSY", "ENOENT"},
    "read": {"ENOENT", "EAGAIN"},
    "list": {"ENOENT"},
    "guild-label": {"ENOENT"},
    "guild-delete": {"ENOENT", "EEXIST", "ENOTEMPTY"},
}

Entry = collections.namedtuple("Entry", "process what run_id token error text")


def write(file, *values):
    file.write(json.dumps(values) + "\n")


def read(paths):
    return [Entry(*json.loads(line)) for path in paths
            for line in path.read_text().splitlines()]


class Ledger:
    def __init__(self, entries, starts):
        self.entries = entries
        self.starts = [line.split() for line in starts.splitlines()]

    def told(self, *what):
        return [entry for entry in self.entries
                if entry.what in what and entry.error is None]

    def made(self):
        """The IDs of all runs that anybody was told of."""
        return {entry.run_id for entry in self.told("run", "stage")}

    def purged(self):
        return {entry.run_id for entry in self.told("purge")}

    def told_starts(self):
        """How often each run was said to have been started."""
        counts = collections.Counter(entry.run_id for entry in self.told("run"))
        counts.update(entry.run_id
                      for entry in self.told("restart", "restart-same", "restart-needed")
                      if entry.text.startswith(STARTED))
        return counts

    def check_errors(self):
        for entry in self.entries:
            if entry.error and entry.error not in LEGAL_ERRORS[entry.what]:
                yield f"{entry.what} of {entry.run_id} gave {entry.error}: {entry.text}"

    def check_failed(self):
        """What failed has not happened."""
        started = {token for _, token in self.starts}
        for entry in self.entries:
            if entry.error and entry.token is not None and str(entry.token) in started:
                yield f"{entry.what} gave {entry.error}, but {entry.token} was started"

    def check_starts(self):
        """Each start that was told has happened, once, unless it was stopped before."""
        told = self.told_starts()
        happened = collections.Counter(run_id for run_id, _ in self.starts)
        # What waits may have been stopped, or may not be needed when its turn comes.
        stops = collections.Counter(
            entry.run_id for entry in self.told("stop", "kill", "delete", "move",
                                                "restart-needed"))
        for run_id in told | happened:
            if happened[run_id] > told[run_id]:
                yield (f"{run_id} has started {happened[run_id]} times, of which "
                       f"{told[run_id]} were told")
            if happened[run_id] + stops[run_id] < told[run_id]:
                yield (f"{run_id} has started {happened[run_id]} times; {told[run_id]} "
                       f"were told, and {stops[run_id]} stops")

    def check_tokens(self):
        same = collections.Counter(
            entry.run_id for entry in self.told("restart-same", "restart-needed"))
        for (run_id, token), n in collections.Counter(map(tuple, self.starts)).items():
            if n > 1 + same[run_id]:
                yield f"{token} of {run_id} was started {n} times"

    def check(self):
        yield from self.check_errors()
        yield from self.check_failed()
        yield from self.check_starts()
        yield from self.check_tokens()
