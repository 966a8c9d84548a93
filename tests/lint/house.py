"""What the lints of this directory share: which files are ours, and how to complain.

A lint is a script that yields (path, line, sentence) for each thing that is wrong and
hands that to complain(). Fixtures are data, and what a build has made is nobody's text.
"""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOMS = ("engine", "fs", "scripts", "tests", ".ci")


def our_files(*rooms):
    for room in rooms or ROOMS:
        for path in sorted((ROOT / room).rglob("*")):
            here = path.relative_to(ROOT)
            hidden = {"fixtures", "corpus", "__pycache__"}.intersection(here.parts)
            if path.is_file() and not hidden:
                yield path


def c_files(*rooms):
    return (path for path in our_files(*rooms) if path.suffix in {".c", ".h"})


def scripts():
    for path in our_files():
        if path.suffix in {".sh", ".py"} or path.read_bytes().startswith(b"#!"):
            yield path


def compile_commands(build):
    """Yields (path, command) for each of our files that the build in @build compiles."""
    for entry in json.loads((pathlib.Path(build) / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in ROOMS:
            yield path, entry["command"]


def blank_out(pattern, text):
    """Replaces what matches by spaces, so that lines and columns stay what they were."""
    return re.sub(pattern, lambda match: re.sub(r"[^\n]", " ", match[0]), text,
                  flags=re.DOTALL)


def complain(complaints):
    n_complaints = 0
    for path, line, sentence in complaints:
        print(f"{path.relative_to(ROOT)}:{line}: {sentence}")
        n_complaints += 1
    sys.exit(1 if n_complaints else 0)
