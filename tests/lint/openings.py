#!/usr/bin/python3
"""Every file of ours opens with what it is for, in 1 to 15 lines."""

import re

import house

MOST_LINES = 15
C_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
HASH_COMMENT = re.compile(r"(#!.*\n)?((#.*\n)+)")
DOCSTRING = re.compile(r'(#![^\n]*\n)?(r?""".*?""")', re.DOTALL)


def opening(path):
    text = path.read_text()
    if path.suffix in {".c", ".h"}:
        match = C_COMMENT.match(text)
        return match and match[0]
    if match := DOCSTRING.match(text):
        return match[2]
    match = HASH_COMMENT.match(text)
    return match and match[2]


def check():
    ours = [*house.c_files(), *house.scripts(),
            *(path for path in house.our_files() if path.name == "meson.build")]
    for path in ours:
        comment = opening(path)
        if not comment:
            yield path, 1, "does not open with a comment on what it is for"
        elif len(comment.splitlines()) > MOST_LINES:
            yield path, 1, f"opens with a comment of more than {MOST_LINES} lines"


house.complain(check())
