#!/usr/bin/env python3
"""Says what runfs needs to know of a Python script, without executing any of it.

    python3 -I -S python-flags.py [--pip-freeze] [--dest DEST] SCRIPT

prints one line, a JSON object in UTF-8 (see ANSWER), and exits 0 whatever the script is.
Without DEST, flags go to the arguments of a script that imports argparse or click
anywhere (option-flags.py knows which), and else to globals.

Globals are what top-level `name = value` gives, where the value is a number, a string,
True, False, None, or a list of such; the first such assignment of a name counts, and `_x`
is private. For "global:NAME", "dict:NAME" and "namespace:NAME", flags are the items of
that dict or SimpleNamespace: `a.b` is NAME["a"]["b"].
"""

# Listing a directory of scripts runs this once for each. The modules ast and json double
# the time it takes, for nothing that is used here.
import _ast
import gc
import os
import stat
import sys

MAX_SIZE = 10 * 1024 * 1024

# For a string between double quotes, in JSON and YAML alike: what either forbids, and
# what YAML takes for a line break or a mark.
ESCAPES = {code: "\\u%04x" % code for code in (
    *range(0x20), *range(0x7f, 0xa0), 0x2028, 0x2029, 0xfeff, 0xfffe, 0xffff)}
ESCAPES.update({ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n", ord("\t"): "\\t"})


ANSWER = {
    "dest": None,         # DEST, or else "args", "args:click" or "globals"
    "flags": [],          # sorted by name; none where they are arguments:
                          #   {"name": "x", "yaml": "1.0", "type": "number",
                          #    "split": false}: `yaml` is the value as YAML 1.1 on one
                          #   line; `type` "number", "string", "boolean", or null for
                          #   None and lists; `split` is true for a list
    "description": None,  # the first paragraph of the docstring
    "python_version": sys.version.replace("\n", ""),  # for Guild's attribute `platform`
    "pip_freeze": None,   # with --pip-freeze, ["name==1.0", ...] as `pip freeze` has it
    "sites": [],          # with --pip-freeze, [{"path": "...", "mtime_ns": 1}]: the
                          # directories where the packages are, and when they changed
    "error": None,        # {"line": 3, "message": "..."} for a script that can't be read;
                          # the line is 0 when the trouble is with the file as a whole
}


class Unreadable(Exception):
    """Why there is nothing to say of a script, and the line, or 0."""

    def __init__(self, message, line=0):
        super().__init__(message)
        self.message = message
        self.line = line


def main():
    gc.disable()  # a syntax tree is large, and no garbage
    script, dest, freeze = arguments(sys.argv[1:])
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)  # 0xff... may be of any length

    answer = dict(ANSWER, dest=dest or "globals",
                  pip_freeze=pip_freeze() if freeze else None,
                  sites=sites() if freeze else [])
    try:
        answer.update(describe(script, dest))
    except Unreadable as error:
        answer["error"] = {"line": error.line, "message": error.message}
    sys.stdout.buffer.write(to_json(answer).encode() + b"\n")  # in any locale


def arguments(words):
    dest = None
    freeze = words[:1] == ["--pip-freeze"]
    words = words[freeze:]
    if words[:1] == ["--dest"]:
        dest = "".join(words[1:2])
        words = words[2:]
    if len(words) != 1 or dest == "" or words[0] == "--pip-freeze":
        sys.exit("usage: python-flags.py [--pip-freeze] [--dest DEST] SCRIPT")
    return words[0], dest, freeze


def describe(path, dest):
    module = parse(read(path))
    dest = dest or imported_dest(module)
    kind, _, name = dest.partition(":")
    if dest == "globals":
        flags = global_flags(module, path)
    elif kind in ("global", "dict", "namespace"):
        flags = item_flags(module, path, name)
    else:
        flags = []
    return {"dest": dest, "flags": flags, "description": first_paragraph(module)}


# The source


def read(path):
    try:
        # Opening a fifo would wait for somebody to write.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Unreadable("This is no regular file.")
        with open(path, "rb") as file:
            source = file.read(MAX_SIZE + 1)
    except (OSError, ValueError) as error:
        raise Unreadable("The script can't be read: %s." %
                         (getattr(error, "strerror", None) or error))
    if len(source) > MAX_SIZE:
        raise Unreadable("The script is larger than %d MiB." % (MAX_SIZE >> 20))
    return source


def parse(source):
    if b"\0" in source:
        raise Unreadable("There is a NUL byte in the script.",
                         source.count(b"\n", 0, source.index(b"\0")) + 1)
    line = undecodable_line(source)
    if line and b"coding" not in b"".join(source.split(b"\n", 2)[:2]):
        raise Unreadable("The script is not UTF-8, and does not say what it is.", line)
    try:
        return compile(source, "script", "exec", _ast.PyCF_ONLY_AST, True)
    except SyntaxError as error:
        raise Unreadable("This is no valid Python: %s." % error.msg, error.lineno or line)
    except (RecursionError, MemoryError):
        raise Unreadable("The script is nested too deeply.")
    except (ValueError, OverflowError) as error:
        raise Unreadable("This is no valid Python: %s." % error)


def undecodable_line(source):
    """The first line that is not UTF-8; 0 when there is none."""
    try:
        source.decode()
    except UnicodeDecodeError as error:
        return source.count(b"\n", 0, error.start) + 1
    return 0


# What the script says


def imported_dest(module):
    packages = {name.split(".")[0] for name in imports(module)}
    if "argparse" in packages:
        return "args"
    return "args:click" if "click" in packages else "globals"


def imports(module):
    """The absolute names of what is imported, in functions too."""
    todo = [module]
    while todo:
        node = todo.pop()
        if isinstance(node, _ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, _ast.ImportFrom) and node.level == 0:
            yield node.module
        elif not isinstance(node, _ast.expr):
            todo.extend(children(node))


def children(node):
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, list):
            yield from (item for item in value if isinstance(item, _ast.AST))
        elif isinstance(value, _ast.AST):
            yield value


def first_paragraph(module):
    first = module.body[0] if module.body else None
    if not isinstance(first, _ast.Expr) or not isinstance(first.value, _ast.Constant):
        return None
    text = first.value.value
    if not isinstance(text, str):
        return None
    lines = []
    for line in text.strip().splitlines():
        if not line.strip():
            break
        lines.append(line.strip())
    return "\n".join(lines) or None


def global_flags(module, path):
    flags = {}
    for name, node in assignments(module):
        try:
            flag = flag_of(name, constant(node), path)
        except ValueError:
            continue
        if name[0] != "_":
            flags.setdefault(name, flag)
    return [flags[name] for name in sorted(flags)]


def assignments(module):
    for statement in module.body:
        if isinstance(statement, _ast.Assign):
            for target in statement.targets:
                if isinstance(target, _ast.Name):
                    yield target.id, statement.value


def flag_of(name, value, path):
    return {"name": name, "yaml": to_yaml(absolute(value, path)),
            "type": type_name(value), "split": isinstance(value, list)}


def absolute(value, path):
    """A path to something beside the script, made absolute: a run is elsewhere."""
    if isinstance(value, str) and "/" in value:
        there = os.path.join(os.path.dirname(os.path.abspath(path)), value)
        if os.path.exists(there):
            return there
    return value


def item_flags(module, path, name):
    """The flags of the dict, or SimpleNamespace, NAME of the module."""
    node = next((node for known, node in assignments(module) if known == name), None)
    if node is None:
        raise Unreadable("There is no '%s = {...}' for the flags to go to." % name)
    if items_of(node) is None:
        raise Unreadable("'%s' must be a dict or a SimpleNamespace for flags to go to"
                         " it." % name, node.lineno)
    flags = {}
    for item, value in flat_items(name, node):
        if item[0] != "_":
            flags[item] = flag_of(item, value, path)
    return [flags[item] for item in sorted(flags)]


def flat_items(place, node, prefix=""):
    """(dotted name, value) of all items. The flags replace the whole, so that an item
    which can't be one would be lost."""
    for key, item in items_of(node):
        try:
            key = prefix + str(constant(key))
            if items_of(item) is None:
                to_yaml(constant(item))
                yield key, constant(item)
                continue
        except ValueError:
            raise Unreadable(
                "All of '%s' must be numbers, strings, True, False, None, and lists and"
                " dicts of these, for flags to go to it." % place, item.lineno)
        yield from flat_items(place, item, key + ".")


def items_of(node):
    """(key, value) nodes of {...}, dict(...) or SimpleNamespace(...), else None."""
    if isinstance(node, _ast.Dict):
        return list(zip(node.keys, node.values))
    if isinstance(node, _ast.Call) and not node.args:
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name == "dict" or name.endswith("SimpleNamespace"):
            return [(item.arg and _ast.Constant(item.arg), item.value)
                    for item in node.keywords]
    return None


def constant(node):
    """The value of an expression that is one; ValueError for all others."""
    if isinstance(node, _ast.Constant):
        if node.value is None or type(node.value) in (bool, int, float, str):
            return node.value
    elif isinstance(node, _ast.List):
        return [constant(item) for item in node.elts]
    elif isinstance(node, _ast.UnaryOp) and isinstance(node.operand, _ast.Constant):
        number = node.operand.value
        if type(number) in (int, float) and isinstance(node.op, (_ast.USub, _ast.UAdd)):
            return -number if isinstance(node.op, _ast.USub) else number
    raise ValueError("not a constant")


def type_name(value):
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else None


# YAML and JSON


def to_yaml(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float_to_yaml(value)
    if isinstance(value, str):
        value.encode()  # ValueError for a surrogate, which no file can hold
        return '"%s"' % value.translate(ESCAPES)
    if isinstance(value, list):
        return "[%s]" % ", ".join(map(to_yaml, value))
    return str(value)


def float_to_yaml(value):
    text = repr(value).replace("inf", ".inf")
    if "e" in text and "." not in text:
        text = text.replace("e", ".0e")  # YAML 1.1 takes 1e-05 for a string
    return text


def to_json(value):
    """The JSON of dicts with plain keys, lists, strings, ints, booleans and None."""
    if isinstance(value, dict):
        return "{%s}" % ", ".join(
            '"%s": %s' % (key, to_json(value[key])) for key in value)
    if isinstance(value, list):
        return "[%s]" % ", ".join(map(to_json, value))
    if isinstance(value, str):
        # A NUL or a surrogate is more than a reader in C can be asked to take.
        text = value.replace("\0", "").encode(errors="replace").decode()
        return '"%s"' % text.translate(ESCAPES)
    if value is None:
        return "null"
    return str(value).lower()


# The packages


def pip_freeze():
    use_site_packages()
    from importlib import metadata
    found = {}
    for package in metadata.distributions():
        name = package.metadata["Name"]
        # The first on sys.path is the one that is imported.
        if name and normalized(name) not in found:
            found[normalized(name)] = (name.lower(), "%s==%s" % (name, package.version))
    # As in `pip freeze`, the tools that install packages are not among them.
    for name in ("pip", "setuptools", "wheel", "distribute"):
        found.pop(name, None)
    return [line for _, line in sorted(found.values())]


def sites():
    """Where pip_freeze() has looked."""
    return [{"path": path, "mtime_ns": os.stat(path).st_mtime_ns}
            for path in sys.path if os.path.isdir(path)]


def use_site_packages():
    """Undoes -I and -S, which keep out what the script itself will find."""
    import site
    if sys.flags.no_site:
        site.main()
    if sys.flags.isolated and os.path.isdir(site.getusersitepackages()):
        site.addsitedir(site.getusersitepackages())


def normalized(name):
    return name.lower().replace("_", "-").replace(".", "-")


if __name__ == "__main__":
    main()
