"""What the proofs share: a home that can be put back, mounts, requests and the injector.

A Bench is one directory with a home, a project and a mount point. Programs are those of
$RUNFS_MOUNT and $RUNFS_LIBEXEC, as for the stories.
"""

import contextlib
import errno
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

import homecheck

DEADLINE = 30  # seconds; far more than a slow machine takes

# It goes on until it is told to end, so that the proof is in control. SOURCE stands for
# a version of the source code.
PROGRAM = """#!/bin/sh
# SOURCE
echo "begin $1"
[ "$2" = now ] && exit 0
[ -p tell ] || mkfifo tell
read -r status <tell
echo "end $1"
exit "$status"
"""
GUILDFILE = """
work: {exec: 'sh work.sh ${x} ${until}', flags: {x: 1, until: now}, label: 'x=${x}'}
"""


class Failure(Exception):
    """What a proof has found."""


def seed():
    """
    What chooses a sample or draws requests: $RUNFS_SEED, or the same for everybody, so
    that a test fails for what has been changed and not for the day.
    """
    return int(os.environ.get("RUNFS_SEED") or 1)


def collect(complaints):
    """A list of them, to which a failure on the way is added."""
    found = []
    try:
        found.extend(complaints)
    except (Failure, OSError) as failure:
        found.append(f"{type(failure).__name__}: {failure}")
    return found


def wait_for(what, condition):
    end = time.monotonic() + DEADLINE
    while not (value := condition()):
        if time.monotonic() > end:
            raise Failure(f"waited {DEADLINE} s in vain for {what}")
        time.sleep(0.002)
    return value


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Answer:
    """What a request gave: the errno's name of its write, close or read; the text."""

    def __init__(self, error=None, text=""):
        self.error = error
        self.text = text

    def __repr__(self):
        return f"{self.error or 'done'} ({self.text.strip()!r})"


def attempt(call, *args):
    """The errno's name that a call gives, or None, and its value."""
    try:
        return None, call(*args)
    except OSError as error:
        return errno.errorcode[error.errno], None


def ask(path, text):
    """Writes a request and reads the outcome on the same open file."""
    error, fd = attempt(os.open, path, os.O_RDWR)
    if error:
        return Answer(error)
    try:
        error, _ = attempt(os.write, fd, text.encode())
        read_error, outcome = attempt(os.read, fd, 1 << 16)
        if read_error:
            with contextlib.suppress(OSError), open(path) as file:
                outcome = file.read().encode()
    finally:
        close_error, _ = attempt(os.close, fd)
    return Answer(error or read_error or close_error, (outcome or b"").decode())


def put(path, text, flags=os.O_TRUNC):
    """Writes as `echo > path` does."""
    error, fd = attempt(os.open, path, os.O_WRONLY | flags, 0o644)
    if error:
        return Answer(error)
    error, _ = attempt(os.write, fd, text.encode()) if text else (None, None)
    close_error, _ = attempt(os.close, fd)
    return Answer(error or close_error)


def tree(path):
    """Everything below a directory: {relative path: content, link target or kind}."""
    found = {}
    for directory, names, files in os.walk(path):
        for name in names + files:
            full = os.path.join(directory, name)
            here = os.path.relpath(full, path)
            if os.path.islink(full):
                found[here] = os.readlink(full)
            elif os.path.isfile(full):
                with open(full, "rb") as file:
                    found[here] = file.read()
            else:
                found[here] = "directory" if os.path.isdir(full) else "special"
    return found


def difference(before, after):
    """The paths in which two trees differ."""
    return sorted(path for path in before.keys() | after.keys()
                  if before.get(path) != after.get(path))


class Mount:
    """A daemon in the foreground, so that its pid is known."""

    def __init__(self, bench, point, options=""):
        self.point = pathlib.Path(point)
        arguments = f"project={bench.project},stop_timeout=5,foreground{options}"
        self.point.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):
            self.point.mkdir()
        self.log = open(bench.dir / "log", "ab")
        self.process = subprocess.Popen(
            [os.environ["RUNFS_MOUNT"], str(bench.home), str(point), "-o", arguments],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_for("the mount", self.is_ready)

    def is_ready(self):
        if self.process.poll() is not None:
            raise Failure(f"mount.runfs ended with {self.process.returncode}")
        _, names = attempt(os.listdir, self.point)  # a dead mount may know names still
        return "runs" in (names or ())

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        """Unmounts, as SIGTERM to the daemon does."""
        self.process.terminate()
        try:
            self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure("the daemon does not end") from None
        finally:
            self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.close()

    def read(self, path):
        return (self.point / path).read_text()

    def ask(self, path, text="\n"):
        return ask(self.point / path, text)

    def start(self, request="\n", control="run"):
        """Starts a new run, and gives its ID."""
        answer = self.ask(f"ops/work/{control}", request)
        if answer.error:
            raise Failure(f"{control} gave {answer}")
        return answer.text.strip()

    def result(self, run_id):
        """What wait gives at the end."""
        fd = os.open(self.point / "runs" / run_id / "wait", os.O_RDONLY)
        try:
            return os.read(fd, 100).decode().strip()
        finally:
            os.close(fd)


class Fault:
    """The injector, on a process: counts calls, and kills or fails one."""

    def __init__(self, bench, pid, who, what="changes", wish=()):
        self.process = subprocess.Popen(
            [os.environ["RUNFS_LIBEXEC"] + "/fault", str(pid), str(bench.home), who, what,
             *map(str, wish)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit(self.process.wait())
        self.kills = "kill" in wish
        self.lines = []
        self.reader = threading.Thread(target=self.collect)
        self.reader.start()

    def collect(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def has_struck(self):
        """Whether the call came that was wished for, and has had its effect."""
        return ("dead" if self.kills else "failed") in self.lines

    def close(self):
        """Lets go, and gives the lines of the calls that were seen."""
        self.process.stdin.close()
        self.reader.join()
        self.process.wait()
        self.process.stdout.close()
        return self.lines


class Bench:
    def __init__(self, directory):
        self.dir = pathlib.Path(os.path.realpath(directory))
        self.home = self.dir / "home"
        self.project = self.dir / "project"
        self.saved = self.dir / "saved"
        self.point = self.dir / "mnt"
        for path in (self.home, self.project):
            path.mkdir(parents=True, exist_ok=True)
        (self.project / "guild.yml").write_text(GUILDFILE)
        self.set_source("first")

    def set_source(self, version):
        (self.project / "work.sh").write_text(PROGRAM.replace("SOURCE", version))

    def source_of(self, run_id):
        """The version of the source code that a run has, if it is whole."""
        text = (self.home / "runs" / run_id / "work.sh").read_text()
        version = text.splitlines()[1].removeprefix("# ")
        return version if text == PROGRAM.replace("SOURCE", version) else "torn"

    def set_jobs(self, text):
        with self.mount() as mount:
            answer = put(mount.point / "jobs", f"{text}\n")
        if answer.error:
            raise Failure(f"jobs gave {answer}")

    def mount(self, options=""):
        return Mount(self, self.point, options)

    def run(self, run_id, place="runs"):
        return homecheck.Run(self.home / place / run_id)

    def runs(self, place="runs"):
        return homecheck.runs(self.home, place)

    def save(self):
        shutil.rmtree(self.saved, ignore_errors=True)
        subprocess.run(["cp", "-a", self.home, self.saved], check=True)

    def put_back(self):
        """The home is as it was saved, to the byte."""
        shutil.rmtree(self.home, ignore_errors=True)
        subprocess.run(["cp", "-a", self.saved, self.home], check=True)

    def empty(self):
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir()

    def tell(self, run_id, status=0):
        """Lets a run that was started with until=told end."""
        fifo = self.wait_listening(run_id)
        fd = wait_for("the run to listen", lambda: self.open_to_tell(fifo))
        os.write(fd, f"{status}\n".encode())
        os.close(fd)

    def wait_listening(self, run_id):
        fifo = self.home / "runs" / run_id / "tell"
        wait_for("the run's FIFO", fifo.is_fifo)
        return fifo

    @staticmethod
    def open_to_tell(fifo):
        error, fd = attempt(os.open, fifo, os.O_WRONLY | os.O_NONBLOCK)
        return None if error else fd

    def wait_output(self, run_id, text):
        wait_for(f"the output {text!r}",
                 lambda: self.run(run_id).output == text.encode())

    def supervisor(self, run_id):
        """The pid of who holds the run, or 0."""
        text = homecheck.read(self.home / "runs" / run_id / ".guild/LOCK")
        held = self.run(run_id).is_held
        return int(text) if held and text else 0

    def processes(self):
        """Whoever works in the home: what runs have left."""
        found = []
        for link in pathlib.Path("/proc").glob("[0-9]*/cwd"):
            with contextlib.suppress(OSError):
                if os.readlink(link).startswith(f"{self.home}/"):
                    found.append(int(link.parent.name))
        return found

    def kill_all(self):
        """Ends what still runs, its supervisors first."""
        for run_id in self.runs():
            if pid := self.supervisor(run_id):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                wait_for("a supervisor's end", lambda pid=pid: is_gone(pid))
        wait_for("the commands' ends", lambda: not self.processes())
