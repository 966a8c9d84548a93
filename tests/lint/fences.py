#!/usr/bin/python3
"""Who may include whom.

    main -> session -> *-dir -> node, handle, request -> engine -> libraries

Only main and session know FUSE. Inside engine/, a file may use what stands above it in
engine/meson.build; a header without a .c stands just below what it includes itself.
"""

import functools
import re
import sys

import house

ENGINE = house.ROOT / "engine"
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def includes(path):
    """Yields (line, name in quotes or None, name in angle brackets or None)."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if match := INCLUDE.match(line):
            yield number, match[1], match[2]


def engine_order():
    """The place of each .c of engine/, by its stem, in its meson.build."""
    stems = re.findall(r"'([\w-]+)\.c'", (ENGINE / "meson.build").read_text())
    return {stem: place for place, stem in enumerate(stems)}


ORDER = engine_order()


def noun(stem):
    return stem.split("-")[0]


@functools.cache
def place(stem):
    """Where engine/STEM.h stands; one with no .c, half a place below what it includes."""
    if stem in ORDER:
        return ORDER[stem]
    header = ENGINE / f"{stem}.h"
    if not header.exists():
        return -1
    used = (engine_stem(quoted or "") for _, quoted, _ in includes(header))
    return max((place(one) for one in used if one and noun(one) != noun(stem)),
               default=-1) + 0.5


def may_include(stem, used):
    """A header of two words and no .c of its own, say value-text.h, belongs to value."""
    is_own = noun(stem) == noun(used) and not {stem, used} <= ORDER.keys()
    return stem == used or is_own or place(used) < place(stem)


def engine_stem(name):
    match = re.fullmatch(r"engine/([\w-]+)\.h", name)
    return match[1] if match else None


def check_engine(path):
    if path.suffix == ".c" and path.stem not in ORDER:
        yield path, 1, "not in engine/meson.build"
        return
    for line, quoted, system in includes(path):
        if system and "fuse" in system:
            yield path, line, f"engine/ knows no FUSE: <{system}>"
        if not quoted:
            continue
        used = engine_stem(quoted)
        if not used:
            yield path, line, f'engine/ includes only "engine/...": "{quoted}"'
        elif not may_include(path.stem, used):
            yield path, line, (f"{path.stem} stands above {used} in engine/meson.build, "
                               f'so it may not include "{quoted}"')


def floor(stem):
    """How high in fs/ a file stands; one includes its own floor and those below."""
    if stem == "main":
        return 3
    if noun(stem) == "session":
        return 2
    return 1 if stem.endswith("-dir") else 0


def check_fs(path):
    for line, quoted, system in includes(path):
        if system and "fuse" in system and floor(path.stem) < 2:
            yield path, line, f"only main and session know FUSE: <{system}>"
        if not quoted:
            continue
        room, _, name = quoted.partition("/")
        if room not in {"engine", "fs"}:
            yield path, line, f'an include names its room, engine/ or fs/: "{quoted}"'
        elif room == "fs" and floor(name.removesuffix(".h")) > floor(path.stem):
            yield path, line, f'{path.stem} stands below "{quoted}"'


def check(build):
    for path in house.c_files("engine"):
        yield from check_engine(path)
    for path in house.c_files("fs"):
        yield from check_fs(path)
    for path, command in house.compile_commands(build):
        if path.parent == ENGINE and "fuse3" in command:
            yield path, 1, "FUSE's headers are on the include path of engine/"


house.complain(check(sys.argv[1]))
