#!/usr/bin/python3
"""No function is longer than 100 lines. Relies on the layout that format.sh demands."""

import re

import house

MOST_LINES = 100


def check():
    for path in house.c_files():
        start, name = 0, ""
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if match := re.match(r"\w.*?\b(\w+)\(", line):
                name = match[1]
            if line == "{":
                start = number
            if line == "}" and start and number - start - 1 > MOST_LINES:
                yield path, start, (f"{name}() has {number - start - 1} lines, more than "
                                    f"{MOST_LINES}")


house.complain(check())
