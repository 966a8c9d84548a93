#!/usr/bin/python3
"""Kills whoever carries out a request, at each system call that changes the home:

    points.py DIR all | N | SCENARIO[:POINT]...

N is the number of points to try, see campaign.choose(). After each, a fresh mount must
show a legal state, every run must be startable again, and nothing may be left over.
"""

import os
import sys

import campaign
import homecheck
import proof
import scenarios


def age_garbage(bench):
    """What a dead maker has left is cleared when it is old, for it might be alive."""
    for path in [*bench.home.glob("cache/runfs/*/*"), *bench.home.rglob(".*.*")]:
        os.utime(path, (1, 1), follow_symlinks=False)


def see_same(bench, mount):
    """A fresh mount shows what the home holds."""
    for run_id, run in bench.runs().items():
        if run.status == "pending":
            continue  # the mount may start it at once
        if (shown := mount.read(f"runs/{run_id}/status").strip()) != run.status:
            yield f"status of {run_id} shown as {shown}, is {run.status}"
        if run.status != "running":
            with open(mount.point / "runs" / run_id / "output", "rb") as file:
                shown = file.read()
            if shown != (run.output or b""):
                yield f"output of {run_id} shown as {shown!r}, is {run.output!r}"


def pending(bench):
    return [run for run in bench.runs().values() if run.status == "pending"]


def check_kept(bench, scenario, before):
    """What had been printed before is still there, after another start or two."""
    for run_id, run in bench.runs().items():
        old = before.get(run_id)
        if scenario.keeps_all and old and old.output and not old.is_held and (
                old.output not in run.earlier_outputs()):
            yield f"lost output of {run_id}: {old.output!r}"


def go_on(bench, scenario, mount):
    """What is left alive comes to its end, and all can be started again."""
    proof.put(mount.point / "jobs", "0\n")
    proof.wait_for("runs that wait to start", lambda: not pending(bench))
    for run_id, run in bench.runs().items():
        replaced = run.output
        if run.status == "running":
            bench.tell(run_id)
            if (result := mount.result(run_id)) != "completed 0":
                yield f"the run that went on ended with {result}"
            output = bench.run(run_id).output
            if output != b"begin 2\nend 2\n":
                yield f"the run that went on has the output {output!r}"
            replaced = output
        answer = mount.ask(f"runs/{run_id}/restart", "x=9 until=now")
        if answer.error:
            yield f"restart gave {answer}"
        elif (result := mount.result(run_id)) != "completed 0":
            yield f"started again, it ended with {result}"
        run = bench.run(run_id)
        if run.flags != scenarios.new_flags(x=9) or run.output != b"begin 9\n":
            yield f"started again, it has {run.flags!r} and {run.output!r}"
        if scenario.keeps_all and replaced and replaced not in run.earlier_outputs():
            yield f"lost output: {replaced!r} is not in {run.earlier_outputs()!r}"


def judge(bench, scenario, before, answer):
    yield from scenario.legal(bench, before, answer)
    age_garbage(bench)
    with bench.mount(scenario.options) as mount:
        yield from see_same(bench, mount)
        yield from go_on(bench, scenario, mount)
        proof.wait_for("the end of what clears up",
                       lambda: not list(homecheck.check_own(bench.home)))
    yield from check_kept(bench, scenario, before)
    yield from homecheck.check(bench.home)


def orphans(bench):
    """Processes of runs whose supervisor has died: the kernel is killing them."""
    live = any(run.status == "running" for run in bench.runs().values())
    return [] if live else bench.processes()


def strike(bench, target, wish):
    """What happened, and what is wrong."""
    scenario = target.scenario
    bench.put_back()
    with bench.mount(scenario.options) as mount:
        scenario.live(bench, mount)
        before = bench.runs()
        fault = target.attach(bench, mount, (*wish, "kill"))
        try:
            answer = scenario.act(bench, mount)
            proof.wait_for("the kill", lambda: fault.has_struck() or
                           not fault.lines and scenario.is_settled(bench))
        finally:
            lines = fault.close()
        mount.kill()
    proof.wait_for("the commands of dead supervisors to end",
                   lambda: not orphans(bench))
    return campaign.told(lines, wish[0], answer), proof.collect(
        judge(bench, scenario, before, answer))


def wishes_of(text, lines):
    return [(number + 1,) for number in range(len(lines))]


if __name__ == "__main__":
    sys.exit(campaign.run(sys.argv[1], sys.argv[2:], list(scenarios.table()), wishes_of,
                          strike, "RUNFS_POINTS"))
