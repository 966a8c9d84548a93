#!/usr/bin/python3
"""Does to a run on disk what Guild AI does, in its order: guild.py RUN ACTION [ARGUMENT]

  init OPREF   a new run, about to start: pending
  spawn PID    a process is there for it: running
  print TEXT   a line of output
  end STATUS   it has ended
  fail         it was not to be started after all: an error without an exit status
  unmark NAME  a marker goes, such as STAGED
  restart      about to start again; Guild leaves exit_status and stopped as they were
  set NAME TEXT  an attribute, such as a label
"""

import os
import sys
import time


class Run:
    def __init__(self, path):
        self.guild = f"{path}/.guild"

    def set(self, name, text):
        with open(f"{self.guild}/attrs/{name}", "w") as attr:
            attr.write(text + "\n")

    def set_now(self, name):
        self.set(name, str(int(time.time() * 1000000)))

    def mark(self, name):
        open(f"{self.guild}/{name}", "w").close()

    def unmark(self, name):
        os.remove(f"{self.guild}/{name}")

    def init(self, opref):
        os.makedirs(f"{self.guild}/attrs")
        self.set("id", os.path.basename(os.path.dirname(self.guild)))
        self.set_now("initialized")
        self.mark("PENDING")
        with open(f"{self.guild}/opref", "w") as file:
            file.write(opref)
        self.set("flags", "{}")

    def spawn(self, pid):
        self.unmark("PENDING")
        self.set_now("started")
        with open(f"{self.guild}/LOCK", "w") as lock:
            lock.write(pid)
        self.mark("output")
        self.mark("output.index")

    def print(self, text):
        with open(f"{self.guild}/output", "a") as output:
            output.write(text + "\n")

    def end(self, status):
        self.set("exit_status", status)
        self.set_now("stopped")
        self.unmark("LOCK")

    def fail(self):
        self.unmark("PENDING")

    def restart(self):
        self.mark("PENDING")


getattr(Run(sys.argv[1]), sys.argv[2])(*sys.argv[3:])
