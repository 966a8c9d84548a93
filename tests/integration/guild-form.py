#!/usr/bin/python3
# guild-form.py RUN GUILD_RUN: is what we wrote in the directory RUN what Guild would have
# written? GUILD_RUN is a run that Guild made of the same script with the same flags,
# elsewhere and at another time. Prints each difference, and fails if there is one.
import hashlib
import os
import re
import shlex
import sys

own, guild = sys.argv[1:]
differences = []

# What is different where and when each was run; all others must be the same bytes.
DIFFERENT = {
    "id", "initialized", "started", "stopped", "env", "host", "user", "op", "platform",
    "random_seed", "run_params",
}


# Attributes of ours: the definitions of flags, which Guild looks up in the project.
OURS = {"flag_defs"}


def read(run, path):
    with open(os.path.join(run, ".guild", path), "rb") as f:
        return f.read()


def expect(what, ours, theirs):
    if ours != theirs:
        differences.append("%s: %r, but Guild has %r" % (what, ours, theirs))


def names(run, path=""):
    found = set()
    for entry in os.scandir(os.path.join(run, path)):
        if entry.is_dir(follow_symlinks=False):
            found |= names(run, os.path.join(path, entry.name))
        else:
            found.add(os.path.join(path, entry.name))
    return found


def kind(text):
    """What YAML 1.1 takes a plain or quoted scalar for."""
    if text[:1] in "'\"":
        return "text"
    if re.fullmatch(r"[-+]?(0|[1-9][0-9]*)", text):
        return "int"
    if re.fullmatch(r"true|false", text):
        return "bool"
    if re.fullmatch(r"null|~|", text):
        return "null"
    if text in ("{}", "[]"):
        return text
    return "text"


def lines(run, attr):
    """The lines of a document in block style: (indent and key, kind of the value)."""
    text = read(run, "attrs/" + attr).decode()
    # The ID of the fixture's runs was asked for.
    text = re.sub("(?m)^run_id: 0{29}a..$", "run_id: null", text)
    for line in text.splitlines():
        key, colon, value = re.fullmatch(r"([^:]*)(: ?|$)(.*)", line).groups()
        yield (key, kind(value)) if colon else (kind(key), None)


expect("files", {n for n in names(own) if os.path.basename(n) not in OURS}, names(guild))
for attr in os.listdir(os.path.join(own, ".guild/attrs")):
    text = read(own, "attrs/" + attr)
    expect("the end of " + attr, re.search(rb"\s*\Z", text).group(), b"\n")
    if attr not in DIFFERENT and attr not in OURS:
        expect(attr, text, read(guild, "attrs/" + attr))

expect("id", read(own, "attrs/id"), os.path.basename(own).encode() + b"\n")
for attr in "initialized", "started", "stopped", "random_seed":
    if not re.fullmatch(rb"\d+\n", read(own, "attrs/" + attr)):
        differences.append("%s is %r" % (attr, read(own, "attrs/" + attr)))
times = [int(read(own, "attrs/" + t)) for t in ("initialized", "started", "stopped")]
expect("order of the times", times, sorted(times))
expect("digits of the times", [len(str(t)) for t in times], [16, 16, 16])
for attr in "platform", "run_params":
    expect(attr, list(lines(own, attr)), list(lines(guild, attr)))

project = os.environ["PROJECT"]
op = read(guild, "attrs/op").decode().replace("/home/me/optimizers", project)
op = op.replace(".:/opt/guildai", ".")
expect("op", read(own, "attrs/op").decode(), op)
opref = read(guild, "opref").decode()
expect("opref", read(own, "opref").decode(),
       opref.replace("/home/me/optimizers", project))

expect("manifest", read(own, "manifest"), read(guild, "manifest"))
digest = hashlib.md5()
for line in sorted(read(own, "manifest").decode().splitlines()):
    what, path, sha1, source = shlex.split(line)
    expect("manifest", what, "s")
    with open(os.path.join(own, path), "rb") as f:
        content = f.read()
    expect("sha1 of " + path, sha1, hashlib.sha1(content).hexdigest())
    with open(os.path.join(project, source), "rb") as f:
        expect("copy of " + path, content, f.read())
    expect("mode of " + path, os.stat(os.path.join(own, path)).st_mode,
           os.stat(os.path.join(project, source)).st_mode)
    digest.update(path.encode() + b"\0" + content + b"\0")
expect("digest", read(own, "attrs/sourcecode_digest").decode().strip("'\n"),
       digest.hexdigest())

# Those of two streams come in any order.
expect("output", sorted(read(own, "output")), sorted(read(guild, "output")))
index = read(own, "output.index")
expect("size of the index", len(index), 9 * read(own, "output").count(b"\n"))
for record in [index[i:i + 9] for i in range(0, len(index), 9)]:
    when = int.from_bytes(record[:8], "big")
    if not times[1] // 1000 <= when <= times[2] // 1000:
        differences.append("an index record of %d is not of the run" % when)
expect("streams", sorted(index[8::9]), sorted(read(guild, "output.index")[8::9]))

env = dict(re.fullmatch(r"(\S+?): (.*)", line).groups()
           for line in read(own, "attrs/env").decode().splitlines())
for line in read(guild, "attrs/env").decode().splitlines():
    name, text = line.split(": ", 1)
    if name.startswith("FLAG") or name in ("LOG_LEVEL", "GUILD_SOURCECODE"):
        expect("env " + name, env.pop(name, None), text)
expect("env without", [n for n in env if n.startswith("FLAG") or n == "_" or
                       re.search("(?i)password|token|secret", n)], [])
expect("env RUN_ID", env["RUN_ID"].strip("'"), os.path.basename(own))
expect("env RUN_DIR", env["RUN_DIR"], os.path.abspath(own))
expect("env PROJECT_DIR", env["PROJECT_DIR"], project)

for difference in differences:
    print(difference)
sys.exit(1 if differences else 0)
