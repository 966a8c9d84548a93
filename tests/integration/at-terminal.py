#!/usr/bin/python3
"""Runs a command at a terminal of its own and presses ^C when it waits for a mount:
at-terminal.py COMMAND...

Prints how the command ended: a signal's name, or an exit status.
"""

import os
import pty
import signal
import sys
import time

DEADLINE_S = 20


def is_waiting(pid):
    with open(f"/proc/{pid}/wchan") as wchan:
        return wchan.read() == "request_wait_answer"


def wait_until(is_so, pid):
    end = time.monotonic() + DEADLINE_S
    while not is_so(pid):
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            sys.exit(f"waited {DEADLINE_S} s in vain")
        time.sleep(0.01)


def ended(pid):
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)


pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
wait_until(is_waiting, pid)
os.write(terminal, b"\x03")
wait_until(ended, pid)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(signal.Signals(-status).name if status < 0 else status)
