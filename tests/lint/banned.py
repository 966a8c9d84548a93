#!/usr/bin/python3
"""engine/banned.h is on the command line of all our code, and really bans."""

import re
import subprocess
import sys

import house

BANNED = house.ROOT / "engine" / "banned.h"


def compile_call(name):
    """What the compiler says to a call of @name, and whether it took it."""
    return subprocess.run(
        ["cc", "-fsyntax-only", "-Werror", "-include", BANNED, "-x", "c", "-"],
        input=f"void probe(void);\nvoid probe(void)\n{{\n\t{name}();\n}}\n",
        capture_output=True, text=True, check=False)


def check(build):
    for path, command in house.compile_commands(build):
        if f"-include {BANNED}" not in command:
            yield path, 1, "is compiled without -include engine/banned.h: c_args: ours"

    names = [(number, match[1])
             for number, line in enumerate(BANNED.read_text().splitlines(), 1)
             if (match := re.match(r"#define (\w+)\(\.\.\.\)", line))]
    if len(names) < 10:
        yield BANNED, 1, "bans less than it did"
    for number, name in names:
        answer = compile_call(name)
        if answer.returncode == 0 or f"{name}_is_banned" not in answer.stderr:
            yield BANNED, number, f"{name}() compiles"


house.complain(check(sys.argv[1]))
