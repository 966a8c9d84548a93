#!/usr/bin/python3
"""Types the examples of README.md into a shell: readme.py HEADING ROOT

Of the section HEADING ("" for what stands before the first), each line that begins with
"$ " goes to one bash, and what it prints must be what the README shows: with other run
IDs, times and counts, and names of `ls` in whatever columns. ROOT is what /path/to/runfs
stands for.
"""

import itertools
import re
import subprocess
import sys

INDENT = "    "
PROMPT = INDENT + "$ "
END = "the end of an example"
ID = re.compile(r"\b[0-9a-f]{32}\b")
UNSURE = [
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"), "TIME"),
    (re.compile(r"^\d+\.\d{6}$", re.M), "SECONDS"),
    (re.compile(r"^step \d+$", re.M), "step N"),
    (re.compile(r"^bash: line \d+: ", re.M), "bash: "),
]


def section(text, heading):
    parts = re.split(r"^## (.*)\n", text, flags=re.M)
    if not heading:
        return parts[0]
    return parts[parts.index(heading) + 1]


def examples(text):
    """Yields each command, and the lines that are shown after it."""
    lines = iter(text.splitlines())
    line = next(lines, None)
    while line is not None:
        if not line.startswith(PROMPT):
            line = next(lines, None)
            continue
        command = line.removeprefix(PROMPT)
        while command.endswith("\\"):
            command = command[:-1] + next(lines).strip()
        shown = []
        line = next(lines, None)
        while line and line.startswith(INDENT) and not line.startswith(PROMPT):
            shown.append(line.removeprefix(INDENT))
            line = next(lines, None)
        yield command, shown


class Shell:
    def __init__(self, root):
        self.root = root
        self.ids = {}  # as README calls them -> as they are
        self.process = subprocess.Popen(["bash"], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def type(self, command):
        for shown, real in self.ids.items():
            command = command.replace(shown, real)
        command = command.replace("/path/to/runfs", self.root)
        self.process.stdin.write(f"{command}\necho {END}\n")
        self.process.stdin.flush()
        lines = (line.rstrip("\n") for line in self.process.stdout)
        return list(itertools.takewhile(lambda line: line != END, lines))

    def learn_ids(self, shown, printed):
        new = [id for id in ID.findall("\n".join(shown)) if id not in self.ids]
        real = [id for id in ID.findall("\n".join(printed))
                if id not in self.ids.values()]
        self.ids.update(zip(dict.fromkeys(new), dict.fromkeys(real)))

    def as_shown(self, text):
        for shown, real in self.ids.items():
            text = text.replace(real, shown)
        return text


def without_chance(command, lines):
    text = "\n".join(lines)
    for pattern, word in UNSURE:
        text = pattern.sub(word, text)
    if command.split()[0] == "ls":
        return sorted(text.split())
    return sorted(text.splitlines()) if "*" in command else text.splitlines()


def main(heading, root):
    shell = Shell(root)
    n = 0
    with open(f"{root}/README.md") as readme:
        text = section(readme.read(), heading)
    for command, shown in examples(text):
        printed = shell.type(command)
        shell.learn_ids(shown, printed)
        printed = [shell.as_shown(line) for line in printed]
        if without_chance(command, shown) != without_chance(command, printed):
            sys.exit("README.md shows\n$ {}\n{}\nbut it is\n{}".format(
                command, "\n".join(shown), "\n".join(printed)))
        n += 1
    if n == 0:
        sys.exit(f"README.md has no examples in '{heading}'")
    shell.process.stdin.close()
    shell.process.wait()


main(*sys.argv[1:])
