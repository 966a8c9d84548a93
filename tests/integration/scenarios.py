"""What is killed and failed at every system call: one row for each thing that is asked.

A scenario prepares a home once, acts on a mount of it, and says what may be found in the
home if whoever carries it out dies in the middle: the old or the new, whole.
"""

import os
import pathlib

import homecheck
import proof

OLD = {"x": 1, "until": "now"}
OLD_OUTPUT = b"begin 1\n"
NEW_OUTPUTS = {b"", b"begin 2\n", b"begin 2\nend 2\n"}


def new_flags(**flags):
    return {**OLD, **flags}


class Scenario:
    """A row: who is to die, what is asked, what may be there afterwards.

    who     "supervisors" that the daemon starts, the "daemon", or the "run": the
            supervisor of the run that goes on
    """

    who = "supervisors"
    options = ""
    statuses = {"error", "running", "completed"}  # of a run that has been started
    keeps_all = True  # what was replaced is an attempt of the run
    is_clear_later = False  # what can't be cleared away is left to the next mount

    def __init__(self, name, who=None):
        self.name = name
        self.who = who or self.who

    def prepare(self, bench):
        """Makes the home that is there before: one run that has completed."""
        with bench.mount() as mount:
            self.id = mount.start("x=1")
            mount.result(self.id)

    def live(self, bench, mount):
        """What goes on already when it is asked."""

    def act(self, bench, mount):
        raise NotImplementedError

    def is_settled(self, bench):
        """Whether all that was set going by an undisturbed request has been done."""
        return any(run.output == b"begin 2\n" for run in bench.runs().values())

    def is_done(self, bench, answer):
        """Whether the answer is right for what has not been disturbed."""
        return answer.error is None

    def is_step(self, path, text):
        """Whether the file has been given the text by a step before the failed one."""
        return False

    def legal(self, bench, before, answer):
        """Yields what is wrong with the home; @before has its runs as they were."""
        raise NotImplementedError

    def same(self, bench, old, place="runs", ignored=()):
        """Yields what of a run is not as it was."""
        run = bench.run(old.id, place)
        if not run.is_held:
            run.markers -= {"LOCK"}  # of one who is dead: it says nothing
        run.markers -= set(ignored)
        old.markers -= set(ignored)
        for what in ("attrs", "output", "markers", "status"):
            if getattr(run, what) != getattr(old, what):
                yield (f"{what} of the old run: {getattr(run, what)!r}, "
                       f"was {getattr(old, what)!r}")

    def started(self, run, flags, outputs):
        """Yields what is wrong with a run whose start has been recorded."""
        if run.flags != flags:
            yield f"flags {run.flags!r}"
        if run.output not in outputs:
            yield f"output {run.output!r}"
        if run.status not in self.statuses:
            yield f"status {run.status}"


class Made(Scenario):
    """What makes a run: it is there or not, and the other is as it was."""

    def legal(self, bench, before, answer):
        yield from self.same(bench, before[self.id])
        new = [run for run_id, run in bench.runs().items() if run_id not in before]
        if len(new) > 1 or (answer.error is None and not new):
            yield f"{len(new)} new runs"
        for run in new:
            yield from self.judge_new(run)

    def judge_new(self, run):
        """Yields what is wrong with the run that was made."""
        raise NotImplementedError


class New(Made):
    """ops/work/run: a new run, there or not."""

    request = "x=2 until=told"

    def act(self, bench, mount):
        return mount.ask("ops/work/run", self.request)

    def judge_new(self, run):
        yield from self.started(run, new_flags(x=2, until="told"), NEW_OUTPUTS)


class Restart(Scenario):
    """restart: the old run, or started again."""

    request = "x=2 until=told"
    outputs = {OLD_OUTPUT, *NEW_OUTPUTS}

    def act(self, bench, mount):
        return mount.ask(f"runs/{self.id}/restart", self.request)

    def legal(self, bench, before, answer):
        run = bench.run(self.id)
        if run.flags == before[self.id].flags:
            yield from self.same(bench, before[self.id])
        else:
            yield from self.started(run, new_flags(x=2, until="told"), self.outputs)


class RestartSource(Restart):
    """The same with the project's source code, which has changed."""

    request = "x=2 until=told --force-sourcecode"

    def prepare(self, bench):
        super().prepare(bench)
        bench.set_source("changed")

    def legal(self, bench, before, answer):
        yield from super().legal(bench, before, answer)
        if bench.source_of(self.id) not in ("first", "changed"):
            yield f"source {bench.source_of(self.id)!r}"


class Finish(Scenario):
    """The end of a run: its supervisor is killed while it writes down how it ended."""

    who = "run"
    outputs = {b"begin 2\n", b"begin 2\nend 2\n"}

    def live(self, bench, mount):
        mount.ask(f"runs/{self.id}/restart", "x=2 until=told")
        bench.wait_output(self.id, "begin 2\n")
        index = bench.home / "runs" / self.id / ".guild/output.index"
        proof.wait_for("what tells of the output", lambda: homecheck.read(index))
        bench.wait_listening(self.id)

    def act(self, bench, mount):
        pid = bench.supervisor(self.id)
        bench.tell(self.id, 0)
        proof.wait_for("the supervisor's end", lambda: proof.is_gone(pid))
        return proof.Answer(text=bench.run(self.id).status)

    def is_settled(self, bench):
        return not bench.run(self.id).is_held

    def is_done(self, bench, answer):
        run = bench.run(self.id)
        return answer.text == "completed" and run.output == b"begin 2\nend 2\n"

    def legal(self, bench, before, answer):
        run = bench.run(self.id)
        yield from self.started(run, new_flags(x=2, until="told"), self.outputs)
        if run.status == "completed" and run.output != b"begin 2\nend 2\n":
            yield f"completed, with the output {run.output!r}"


class Stop(Finish):
    """stop: the run goes on, or has been terminated, and says so."""

    who = "daemon"
    outputs = {b"begin 2\n"}
    statuses = {"running", "terminated"}

    def act(self, bench, mount):
        return proof.put(mount.point / "runs" / self.id / "stop", "\n")

    def is_done(self, bench, answer):
        return answer.error is None and bench.run(self.id).status == "terminated"


class Refused(Finish):
    """What is refused while the run goes on, which has been all that it does."""

    who = "daemon"
    statuses = {"running"}

    def __init__(self, name, request):
        super().__init__(name)
        self.request = request

    def act(self, bench, mount):
        answer = self.request(mount, self.id)
        if answer.error == "EBUSY":
            return proof.Answer(text="refused")
        return answer

    def is_settled(self, bench):
        return True

    def is_done(self, bench, answer):
        return answer.error is None and answer.text == "refused"


class Look(Finish):
    """What is read of a run that goes on, and of the home: it is so, or the error."""

    who = "daemon"
    statuses = {"running"}
    files = ("status", "exit_status", "wait", "output", "flags", "comment", "pid",
             "started", "stopped", "attempts/1/status")

    def live(self, bench, mount):
        super().live(bench, mount)
        # By another mount, so that the kernel keeps nothing of it for this one.
        self.seen = {}
        with proof.Mount(bench, bench.dir / "other") as other:
            self.act(bench, other)

    @staticmethod
    def list(path):
        error, names = proof.attempt(os.listdir, path)
        return error, error or sorted(names)

    @staticmethod
    def follow(path):
        return proof.attempt(os.readlink, path)

    @staticmethod
    def read(path):
        error, fd = proof.attempt(os.open, path, os.O_RDONLY | os.O_NONBLOCK)
        if error:
            return error, None
        try:
            error, text = proof.attempt(os.read, fd, 1 << 16)
        finally:
            proof.attempt(os.close, fd)  # of a mount that may be dead
        return (None, "later") if error == "EAGAIN" else (error, text)

    def act(self, bench, mount):
        run = f"runs/{self.id}"
        steps = [(self.list, path) for path in (".", "ops/work", "runs", run)]
        steps += [(self.read, f"{run}/{name}") for name in self.files]
        steps += [(self.read, "ops/work/flags")]
        steps += [(self.follow, path) for path in ("latest", "ops/work/latest")]
        for step, path in steps:
            error, value = step(mount.point / path)
            if error:
                return proof.Answer(error, path)
            if value != self.seen.setdefault(path, value):
                return proof.Answer(text=f"{path} gave {value!r}")
        return proof.Answer(text="as it is")

    def is_settled(self, bench):
        return True

    def is_done(self, bench, answer):
        return answer.error is None and answer.text == "as it is"


class Stage(Made):
    """ops/work/stage: a staged run, there or not."""

    def act(self, bench, mount):
        return mount.ask("ops/work/stage", "x=2 until=told")

    def is_settled(self, bench):
        return True

    def judge_new(self, run):
        if run.status != "staged" or run.flags != new_flags(x=2, until="told"):
            yield f"the new run is {run.status}, with {run.flags!r}"


class Staged(Scenario):
    """What is done to a staged run."""

    def prepare(self, bench):
        with bench.mount() as mount:
            self.id = mount.start("x=1", "stage")


class EditFlags(Staged):
    """runs/ID/flags of a staged run: as before, or as written."""

    def act(self, bench, mount):
        return proof.put(mount.point / "runs" / self.id / "flags", "x=2\n")

    def is_settled(self, bench):
        return True

    def is_done(self, bench, answer):
        return answer.error is None and bench.run(self.id).flags == new_flags(x=2)

    def legal(self, bench, before, answer):
        run = bench.run(self.id)
        if run.status != "staged":
            yield f"status {run.status}"
        if run.flags not in (OLD, new_flags(x=2)):
            yield f"flags {run.flags!r}"


class StartStaged(Staged):
    """restart of a staged run: staged as before, or started."""

    def act(self, bench, mount):
        return mount.ask(f"runs/{self.id}/restart", "x=2 until=told")

    def legal(self, bench, before, answer):
        run = bench.run(self.id)
        flags = new_flags(x=2, until="told")
        if run.status == "staged":
            # The flags may be those of the start already, but then all of them.
            if run.flags not in (OLD, flags):
                yield f"flags {run.flags!r}"
        else:
            yield from self.started(run, flags, NEW_OUTPUTS)


class Trash(Scenario):
    """rmdir runs/ID: the run is in one place or the other, and whole."""

    who = "daemon"

    def act(self, bench, mount):
        return proof.Answer(proof.attempt(
            os.rmdir, mount.point / "runs" / self.id)[0])

    def is_settled(self, bench):
        return True

    def places(self, bench):
        return [place for place in ("runs", "trash/runs") if self.id in bench.runs(place)]

    def legal(self, bench, before, answer):
        places = self.places(bench)
        if len(places) != 1:
            yield f"the run is in {places}"
        for place in places:
            yield from self.same(bench, self.old, place)

    def prepare(self, bench):
        super().prepare(bench)
        self.old = bench.run(self.id)


class Restore(Trash):
    """mv trash/ID runs/: likewise."""

    def prepare(self, bench):
        super().prepare(bench)
        with bench.mount() as mount:
            os.rmdir(mount.point / "runs" / self.id)

    def act(self, bench, mount):
        return proof.Answer(proof.attempt(os.rename, mount.point / "trash" / self.id,
                                          mount.point / "runs" / self.id)[0])


class Purge(Restore):
    """rmdir trash/ID: it is there, and whole, or there is nothing of it."""

    is_clear_later = True

    def act(self, bench, mount):
        return proof.Answer(proof.attempt(os.rmdir, mount.point / "trash" / self.id)[0])

    def is_settled(self, bench):
        return not any((bench.home / "cache/runfs/purge").glob("*"))

    def legal(self, bench, before, answer):
        places = self.places(bench)
        if places and (answer.error is None or places != ["trash/runs"]):
            yield f"the run is in {places}"
        for place in places:
            yield from self.same(bench, self.old, place)


class Queue(Scenario):
    """A restart that has to wait for a job slot: as before, or pending."""

    def prepare(self, bench):
        super().prepare(bench)
        bench.set_jobs("pause")

    def act(self, bench, mount):
        return mount.ask(f"runs/{self.id}/restart", "x=2 until=told")

    def is_settled(self, bench):
        return True

    def is_done(self, bench, answer):
        return answer.error is None and bench.run(self.id).status == "pending"

    def legal(self, bench, before, answer):
        yield from self.same(bench, before[self.id], ignored={"PENDING"})


class QueueNew(Made, Queue):
    """A new run that has to wait: not there, or pending, or staged."""

    def act(self, bench, mount):
        return mount.ask("ops/work/run", "x=2 until=told")

    def is_done(self, bench, answer):
        return answer.error is None and bench.run(answer.text.strip()).status == "pending"

    def judge_new(self, run):
        if run.status not in ("staged", "pending"):
            yield f"the new run is {run.status}"
        if run.flags != new_flags(x=2, until="told"):
            yield f"flags {run.flags!r}"


class StartQueued(Restart):
    """A slot gets free: the run waits on, or has been started, or will be once more."""

    statuses = {*Scenario.statuses, "pending"}

    def prepare(self, bench):
        super().prepare(bench)
        bench.set_jobs("pause")
        with bench.mount() as mount:
            answer = mount.ask(f"runs/{self.id}/restart", self.request)
        if answer.error:
            raise proof.Failure(f"queueing gave {answer}")

    def act(self, bench, mount):
        return proof.put(mount.point / "jobs", "0\n")


class Unqueue(StartQueued):
    """stop on a run that waits: it waits on, or is as it was before."""

    def act(self, bench, mount):
        return proof.put(mount.point / "runs" / self.id / "stop", "\n")

    def is_settled(self, bench):
        return bench.run(self.id).status != "pending"

    def is_done(self, bench, answer):
        return answer.error is None and bench.run(self.id).status == "completed"

    def legal(self, bench, before, answer):
        yield from self.same(bench, before[self.id], ignored={"PENDING"})


class Attempts(Restart):
    """A restart that lets the oldest attempts go."""

    options = ",attempts=1"
    is_clear_later = True
    keeps_all = False

    def prepare(self, bench):
        super().prepare(bench)
        for _ in range(2):
            with bench.mount() as mount:
                mount.ask(f"runs/{self.id}/restart", "\n")
                mount.result(self.id)

    def is_settled(self, bench):
        first = bench.home / "runs" / self.id / ".guild/attempts/1"
        return super().is_settled(bench) and not any(first.glob("*"))


class Text(Scenario):
    """label, tags, comment: the old text or the new one, and all else is as it was."""

    def __init__(self, name, texts, who=None):
        super().__init__(name, who)
        self.old_text, self.text = texts

    def prepare(self, bench):
        super().prepare(bench)
        with bench.mount() as mount:
            proof.put(mount.point / "runs" / self.id / self.name, self.old_text)
        self.old_attr = bench.run(self.id).attrs.get(self.attr)

    @property
    def attr(self):
        return "comments" if self.name == "comment" else self.name

    def act(self, bench, mount):
        return proof.put(mount.point / "runs" / self.id / self.name, self.text)

    def is_settled(self, bench):
        return True

    def has_text(self, run):
        return self.text.strip() in str(run.attr(self.attr))

    def is_done(self, bench, answer):
        return answer.error is None and self.has_text(bench.run(self.id))

    def legal(self, bench, before, answer):
        run, old = bench.run(self.id), before[self.id]
        if run.attrs.get(self.attr) != self.old_attr and not self.has_text(run):
            yield f"{self.attr} is {run.attrs.get(self.attr)!r}"
        old.attrs[self.attr] = run.attrs.get(self.attr)
        yield from self.same(bench, old)


class Needed(Scenario):
    """A file `needed`: made, narrowed and removed by the daemon itself."""

    who = "daemon"
    texts = (None, b"completed terminated\n", b"completed\n")  # after so many steps

    def __init__(self, name, shown, kept):
        super().__init__(name)
        self.shown = shown  # in the mount
        self.kept = kept  # in the home, as a pattern

    def act(self, bench, mount):
        path = mount.point / self.shown.format(id=self.id)
        self.n_done = 0
        error, fd = proof.attempt(os.open, path, os.O_WRONLY | os.O_CREAT)
        if error:
            return proof.Answer(error)
        self.n_done = 1
        if error := proof.attempt(os.close, fd)[0]:
            return proof.Answer(error)
        answer = proof.put(path, "completed\n")
        if answer.error:
            return answer
        self.n_done = 2
        return proof.Answer(proof.attempt(os.unlink, path)[0])

    def is_settled(self, bench):
        return True

    def is_step(self, path, text):
        return (pathlib.PurePath(path).match(self.kept.format(id=self.id)) and
                text == self.texts[self.n_done])

    def legal(self, bench, before, answer):
        yield from self.same(bench, before[self.id])
        for path in bench.home.glob(self.kept.format(id=self.id)):
            if (text := homecheck.read(path)) not in self.texts:
                yield f"needed {text!r}"


def table():
    """All scenarios by their names."""
    rows = [
        New("run"),
        Restart("restart"),
        RestartSource("restart-source"),
        Finish("finish"),
        Stop("stop"),
        Refused("trash-live", lambda mount, run_id: proof.Answer(
            proof.attempt(os.rmdir, mount.point / "runs" / run_id)[0])),
        Refused("restart-live",
                lambda mount, run_id: mount.ask(f"runs/{run_id}/restart", "x=3")),
        Look("look"),
        Stage("stage"),
        EditFlags("edit-flags"),
        StartStaged("start-staged"),
        Queue("queue"),
        QueueNew("queue-new"),
        StartQueued("start-queued"),
        Unqueue("unqueue"),
        Attempts("attempts"),
        Text("label", ("first\n", "second\n")),
        Text("tags", ("first\n", "second\n")),
        Text("comment", ("first\n", "second\n")),
        Trash("trash"),
        Restore("restore"),
        Purge("purge"),
        Purge("purge-sweep", who="supervisors"),
        Needed("needed", "runs/{id}/needed", "runs/{id}/.guild/needed"),
        Needed("op-needed", "ops/work/needed", "runfs/needed/*/work"),
    ]
    return {row.name: row for row in rows}
