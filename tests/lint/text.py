#!/usr/bin/python3
"""The plain text of sources: its width, its blanks, its comments."""

import re

import house

WIDTH = 90
STRING = r'"(?:\\.|[^"\\\n])*"|' + r"'(?:\\.|[^'\\\n])*'"
COMMENT = r"/\*.*?\*/"


def check_lines(path):
    for number, line in enumerate(path.read_text().split("\n"), 1):
        if len(line.expandtabs(8)) > WIDTH:
            yield path, number, f"wider than {WIDTH} columns"
        if line != line.rstrip():
            yield path, number, "blanks at the end of the line"
        if re.search(r"\bTO" r"DO\b(?! (when|once|if)\b)", line):
            yield path, number, "a TO" "DO says when it can be done: TO" "DO when ..."
        if re.search(r"\b(FIX" r"ME|XX" r"X)\b", line):
            yield path, number, "a known fault is an issue, not a comment"


def check_end(path):
    text = path.read_text()
    if not text.endswith("\n") or text.endswith("\n\n"):
        yield path, len(text.splitlines()), "does not end with exactly one newline"


def check_comments(path):
    code = house.blank_out(f"{STRING}|{COMMENT}", path.read_text())
    for number, line in enumerate(code.splitlines(), 1):
        if "//" in line:
            yield path, number, "comments are /* */"


def check():
    texts = [*house.c_files(), *house.scripts(),
             *(path for path in house.our_files() if path.name == "meson.build")]
    for path in texts:
        yield from check_lines(path)
        yield from check_end(path)
    for path in house.c_files():
        yield from check_comments(path)


house.complain(check())
