#!/usr/bin/python3
"""Kills whoever carries out a request, at each system call that changes the home:

    points.py DIR all | N | SCENARIO[:POINT]...

N is the number of points to try, drawn by $RUNFS_SEED. After each, a fresh mount must
show a legal state, every run must be startable again, and nothing may be left over.
"""

import multiprocessing
import os
import random
import signal
import sys
import time

import homecheck
import proof
import scenarios

N_WORKERS = 2
CHUNK = 12
MOST_SECONDS = 120  # for one point


def attach(bench, mount, scenario, wish=()):
    pid = mount.process.pid
    if scenario.who == "run":
        pid = bench.supervisor(scenario.id)
    who = "supervisors" if scenario.who == "supervisors" else "self"
    return proof.Fault(bench, pid, who, wish=wish)


def prepare(bench, scenario):
    bench.empty()
    bench.set_source("first")
    scenario.prepare(bench)
    bench.save()


def count(bench, scenario):
    """The calls of one undisturbed run of the scenario."""
    bench.put_back()
    with bench.mount(scenario.options) as mount:
        scenario.live(bench, mount)
        fault = attach(bench, mount, scenario)
        answer = scenario.act(bench, mount)
        proof.wait_for("it to settle", lambda: scenario.is_settled(bench))
        lines = fault.close()
        if not scenario.is_done(bench, answer):
            raise proof.Failure(f"undisturbed, it gave {answer}")
    bench.kill_all()
    return lines


def age_garbage(bench):
    """What a dead maker has left is cleared when it is old, for it might be alive."""
    for path in [*bench.home.glob("cache/runfs/*/*"), *bench.home.rglob(".*.*")]:
        os.utime(path, (1, 1), follow_symlinks=False)


def see_same(bench, mount):
    """A fresh mount shows what the home holds."""
    for run_id, run in bench.runs().items():
        if (shown := mount.read(f"runs/{run_id}/status").strip()) != run.status:
            yield f"status of {run_id} shown as {shown}, is {run.status}"
        if run.status != "running":
            with open(mount.point / "runs" / run_id / "output", "rb") as file:
                shown = file.read()
            if shown != (run.output or b""):
                yield f"output of {run_id} shown as {shown!r}, is {run.output!r}"


def go_on(bench, mount):
    """What is left alive comes to its end, and all can be started again."""
    for run_id, run in bench.runs().items():
        if run.status == "running":
            bench.tell(run_id)
            if (result := mount.result(run_id)) != "completed 0":
                yield f"the run that went on ended with {result}"
            output = bench.run(run_id).output
            if output != b"begin 2\nend 2\n":
                yield f"the run that went on has the output {output!r}"
        answer = mount.ask(f"runs/{run_id}/restart", "x=9 until=now")
        if answer.error:
            yield f"restart gave {answer}"
        elif (result := mount.result(run_id)) != "completed 0":
            yield f"started again, it ended with {result}"
        run = bench.run(run_id)
        if run.flags != scenarios.new_flags(x=9) or run.output != b"begin 9\n":
            yield f"started again, it has {run.flags!r} and {run.output!r}"


def judge(bench, scenario, before, answer):
    yield from scenario.legal(bench, before, answer)
    age_garbage(bench)
    with bench.mount(scenario.options) as mount:
        yield from see_same(bench, mount)
        yield from go_on(bench, mount)
    yield from homecheck.check(bench.home)


def kill_at(bench, scenario, number):
    """Yields what is wrong; the last value is the line of the call, if it came."""
    bench.put_back()
    with bench.mount(scenario.options) as mount:
        scenario.live(bench, mount)
        before = bench.runs()
        fault = attach(bench, mount, scenario, (number, "kill"))
        answer = scenario.act(bench, mount)
        proof.wait_for("the kill", lambda: fault.has_struck() or
                       not fault.lines and scenario.is_settled(bench))
        lines = fault.close()
        mount.kill()
    hit = lines[number - 1] if len(lines) >= number else None
    proof.wait_for("the commands of dead supervisors to end",
                   lambda: not orphans(bench))
    return hit, answer, list(judge(bench, scenario, before, answer))


def orphans(bench):
    """Processes of runs whose supervisor has died: the kernel is killing them."""
    live = any(run.status == "running" for run in bench.runs().values())
    return [] if live else bench.processes()


def too_long(*_):
    raise proof.Failure(f"no end in {MOST_SECONDS} s")


def try_points(directory, name, numbers):
    """One worker's share: (name, number, call, complaints) of each point."""
    signal.signal(signal.SIGALRM, too_long)
    bench = proof.Bench(f"{directory}/{os.getpid()}")
    scenario = scenarios.table()[name]
    signal.alarm(MOST_SECONDS)
    prepare(bench, scenario)
    results = []
    for number in numbers:
        signal.alarm(MOST_SECONDS)
        call, answer = None, None
        try:
            call, answer, complaints = kill_at(bench, scenario, number)
        except (proof.Failure, OSError) as failure:
            complaints = [f"{type(failure).__name__}: {failure}"]
        bench.kill_all()
        results.append((name, number, f"{call}: {answer}", complaints))
    signal.alarm(0)
    return results


def count_points(directory, name):
    bench = proof.Bench(f"{directory}/{os.getpid()}")
    scenario = scenarios.table()[name]
    prepare(bench, scenario)
    return name, count(bench, scenario)


def draw(points, n):
    """@n of the points, some of each scenario."""
    seed = int(os.environ.get("RUNFS_SEED") or 1)
    print(f"RUNFS_SEED={seed}")
    random.Random(seed).shuffle(points)
    return points[:n]


def choose(points, words):
    if words == ["all"]:
        return points
    if words[0].isdigit():
        return draw(points, int(words[0]))
    return [(name, number) for name, number in points
            if name in words or f"{name}:{number}" in words]


def chunks(points):
    by_name = {}
    for name, number in points:
        by_name.setdefault(name, []).append(number)
    for name, numbers in by_name.items():
        numbers.sort()
        for i in range(0, len(numbers), CHUNK):
            yield name, numbers[i:i + CHUNK]


def main(directory, *words):
    names = list(scenarios.table())
    start = time.monotonic()
    sys.stdout.reconfigure(line_buffering=True)
    n_tried = n_failed = 0
    with multiprocessing.Pool(N_WORKERS) as pool:
        counted = pool.starmap(count_points, [(directory, name) for name in names], 1)
        for name, lines in counted:
            print(f"{name}: {len(lines)} points")
            if list(words) == ["list"]:
                print(*lines, sep="\n")
        points = [(name, number + 1) for name, lines in counted
                  for number in range(len(lines))]
        jobs = [pool.apply_async(try_points, (directory, name, numbers))
                for name, numbers in chunks(choose(points, list(words)))]
        for job in jobs:
            for name, number, what, complaints in job.get():
                n_tried += 1
                n_failed += bool(complaints)
                if complaints:
                    print(f"{name}:{number} ({what})", *complaints, sep="\n    ")
    print(f"{n_tried} points tried, {n_failed} failed, "
          f"{time.monotonic() - start:.0f} s")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
