#!/usr/bin/python3
"""Lets each system call of a request fail that changes the home, or takes a descriptor,
memory or a process:

    faults.py DIR all | N | SCENARIO[/WHO/WHAT[:POINT[:ERRNO]]]...

The request fails with that errno and the home is as before, or it succeeds all the same,
and what it has done is whole. Whichever it is, the mount goes on: the same request
succeeds afterwards, what it started comes to its end, and nothing is left over after the
next start.
"""

import re
import sys

import campaign
import homecheck
import points
import proof
import scenarios

ERRNOS = {
    "changes": ("ENOSPC", "EDQUOT", "EIO", "EROFS", "EMFILE", "ENOMEM"),
    "takes": ("EMFILE", "ENOMEM"),
}
# What holds nothing, or is not for the request to take away again.
OWN = re.compile("(cache(/runfs(/[a-z]+)?)?|locks(/run-status)?|runs|trash(/runs)?|"
                 "runfs(/[a-z]+(/[0-9a-f]{32})?)?)")


def unchanged(bench, target, before):
    """
    The home is as it was, but for directories of our own and the file of Guild's lock,
    and what a request of several steps has done before.
    """
    after = proof.tree(bench.home)
    for path in proof.difference(before, after):
        is_own = after.get(path) in ("directory", b"") and OWN.fullmatch(path)
        if not is_own and not target.scenario.is_step(path, after.get(path)):
            yield f"{path} was {before.get(path)!r}, is {after.get(path)!r}"


def finish(bench, mount):
    """What goes on comes to its end; a start clears what could not be cleared before."""
    proof.put(mount.point / "jobs", "0\n")
    proof.wait_for("runs that wait to start", lambda: not points.pending(bench))
    for run_id, run in bench.runs().items():
        if run.status == "running":
            if run.flags["until"] == "told":
                bench.tell(run_id)
            if (result := mount.result(run_id)) != "completed 0":
                yield f"{run_id} ended with {result}"
            output = bench.run(run_id).output
            if run.flags["until"] == "told" and output != b"begin 2\nend 2\n":
                yield f"the output of {run_id} is {output!r}"
        answer = mount.ask(f"runs/{run_id}/restart", "x=9 until=now")
        result = None if answer.error else mount.result(run_id)
        if result != "completed 0":
            yield f"started again, {run_id} gave {answer} and {result}"


def judge(bench, target, mount, before, error, answer):
    """
    What is wrong after the answer to a request in which a call failed with @error;
    @before has the home's tree and its runs as they were.
    """
    scenario = target.scenario
    tree, runs = before
    if answer.error is None:
        if not scenario.is_clear_later:
            proof.wait_for("it to settle", lambda: scenario.is_settled(bench))
        if not scenario.is_done(bench, answer):
            yield f"survived, but gave {answer}"
        yield from scenario.legal(bench, runs, answer)
    else:
        if answer.error != error:
            yield f"failed with {answer.error}, not {error}"
        yield from unchanged(bench, target, tree)
        if target.who == "run":
            yield "the end of a run fails for nobody"
            return
        again = scenario.act(bench, mount)
        if again.error:
            yield f"the next request gave {again}"
        else:
            proof.wait_for("it to settle", lambda: scenario.is_settled(bench))
    yield from finish(bench, mount)
    yield from points.check_kept(bench, scenario, runs)


def strike(bench, target, wish):
    scenario = target.scenario
    number, error = wish
    bench.put_back()
    with bench.mount(scenario.options) as mount:
        scenario.live(bench, mount)
        before = proof.tree(bench.home), bench.runs()
        fault = target.attach(bench, mount, (number, error))
        try:
            answer = scenario.act(bench, mount)
            proof.wait_for("the fault", lambda: fault.has_struck() or answer.error or
                           scenario.is_settled(bench))
        finally:
            lines = fault.close()
        complaints = proof.collect(judge(bench, target, mount, before, error, answer))
    if scenario.is_clear_later:
        with bench.mount():
            proof.wait_for("the end of what clears up",
                           lambda: not list(homecheck.check_own(bench.home)))
    complaints += homecheck.check(bench.home)
    return campaign.told(lines, number, answer), complaints


def targets():
    for name, scenario in scenarios.table().items():
        if scenario.who == "run":
            yield f"{name}/run/changes"
            yield f"{name}/run/takes"
            continue
        for who in ("daemon", "supervisors"):
            for what in ERRNOS:
                yield f"{name}/{who}/{what}"


def wishes_of(text, lines):
    errors = ERRNOS[text.rpartition("/")[2]]
    return [(number + 1, error) for number in range(len(lines)) for error in errors]


if __name__ == "__main__":
    sys.exit(campaign.run(sys.argv[1], sys.argv[2:], list(targets()), wishes_of, strike,
                          "RUNFS_FAULTS"))
