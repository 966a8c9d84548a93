#!/usr/bin/env python3
"""Runs the Python module of an operation: what stands in for `guild.op_main`.

    python3 -u op-main.py MAIN [ARG...] [--] [--FLAG VALUE...]

MAIN is the module to run as `__main__`: `train`, `dir/train`, `pkg.train`, a package
with a `__main__.py`; a trailing `.py` is accepted. It is looked for on sys.path. Flags
are what follows the last `--`, or else all words after MAIN. FLAGS_DEST says where they
go: see split_words().

As in Guild, SCRIPT_DIR is put first on sys.path, NO_SYS_PATH_MODIFY=1 puts the current
directory there, and else a module is found through PYTHONPATH only. A run ends with the
status that `python3 train.py` would give, but with 1 after KeyboardInterrupt.
"""

# Every run waits for these imports, and a project may hold a module called `ast`: take
# only what is built into the interpreter or loaded before this file.
import _ast
import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import SourceFileLoader

DATE_TYPES = ("date", "datetime", "time", "timedelta", "timezone")


class Problem(Exception):
    """What the user is told, in one sentence, instead of a traceback."""


class Module:
    """The module to run: its file, and its dotted name if it is inside a package."""

    def __init__(self, path, name):
        self.path = path
        self.name = name
        self.package = name.rpartition(".")[0] if name else None


def main():
    set_up_path()
    try:
        if len(sys.argv) < 2:
            raise Problem("no module to run: give its name after op-main.py")
        module = find_module(sys.argv[1])
        args, flags = split_words(sys.argv[2:], os.environ.get("FLAGS_DEST", "args"))
        source = read_source(module.path)
    except Problem as problem:
        sys.exit("runfs: %s" % problem)
    run(module, source, args, flags)


def set_up_path():
    """Python put this file's directory first on sys.path; a script must not see it."""
    here = os.path.dirname(os.path.realpath(__file__))
    if sys.path and os.path.realpath(sys.path[0]) == here:
        del sys.path[0]
    if "SCRIPT_DIR" in os.environ:
        sys.path.insert(0, os.environ["SCRIPT_DIR"])
    elif os.environ.get("NO_SYS_PATH_MODIFY") == "1":
        sys.path.insert(0, "")


# The words after MAIN


def split_words(words, dest):
    """The words for sys.argv, and a dict of the flags for the module's globals.

    args, args:click, unset   to sys.argv, as they are
    globals                   to variables of the module; each VALUE is a Python literal
    global:NAME, dict:NAME    to the dict NAME of the module; flag `a.b` is NAME["a"]["b"]
    namespace:NAME            to the SimpleNamespace NAME; flag `a.b` is NAME.a.b
    none, anything else       nowhere

    A NAME is replaced as a whole, as Guild does it.
    """
    args, flag_words = split_at_last_dashes(words)
    if dest == "args" or dest.startswith("args:"):
        return args + flag_words, {}
    kind, _, name = dest.partition(":")
    if kind not in ("globals", "global", "dict", "namespace"):
        return args, {}
    others, flags = parse_flags(flag_words)
    if kind != "globals":
        flags = nest({name + "." + flag: flags[flag] for flag in flags})
    if kind == "namespace":
        flags = {key: as_namespace(flags[key]) for key in flags}
    return args + others, flags


def split_at_last_dashes(words):
    if "--" not in words:
        return [], words
    last = len(words) - 1 - words[::-1].index("--")
    return words[:last], words[last + 1:]


def parse_flags(words):
    """`--a 1 --b --c 1 2` is a=1, b=True, c=[1, 2]. Words before are no flags."""
    others = []
    values = {}
    name = None
    for word in words:
        if word.startswith("--"):
            name = word[2:]
            values[name] = []
        elif name is None:
            others.append(word)
        else:
            values[name].append(decode(word))
    return others, {name: one_or_all(values[name]) for name in values}


def one_or_all(values):
    if not values:
        return True
    return values[0] if len(values) == 1 else values


def nest(flags):
    """A dict in a dict for each dot: {"a.b": 1} is {"a": {"b": 1}}."""
    nested = {}
    for flag in flags:
        *parents, name = flag.split(".")
        place = nested
        for parent in parents:
            if not isinstance(place.get(parent), dict):
                place[parent] = {}
            place = place[parent]
        place[name] = flags[flag]
    return nested


def as_namespace(value):
    if not isinstance(value, dict):
        return value
    simple_namespace = type(sys.implementation)  # types.SimpleNamespace, without types
    return simple_namespace(**{key: as_namespace(value[key]) for key in value})


# The value of a flag: what repr() prints, without evaluating anything


def decode(text):
    """The value of a Python literal; the text itself when it is none."""
    if text.lstrip("-").isdecimal():
        return whole_number(text)
    try:
        return literal(compile(text, "<flag>", "eval", _ast.PyCF_ONLY_AST, True).body)
    except (SyntaxError, ValueError, TypeError, ArithmeticError, MemoryError,
            RecursionError):
        return text


def whole_number(text):
    """int(TEXT), also where it has more digits than Python takes by default."""
    if not hasattr(sys, "get_int_max_str_digits"):
        return int(text)
    limit = sys.get_int_max_str_digits()
    try:
        sys.set_int_max_str_digits(0)
        return int(text)
    except ValueError:  # as "--1"
        return text
    finally:
        sys.set_int_max_str_digits(limit)


def literal(node):
    if isinstance(node, _ast.Constant) and node.value is not Ellipsis:
        return node.value
    if isinstance(node, _ast.Name) and node.id in ("inf", "nan"):
        return float(node.id)
    if isinstance(node, _ast.UnaryOp):
        return signed(node.op, literal(node.operand))
    if isinstance(node, _ast.List):
        return [literal(item) for item in node.elts]
    if isinstance(node, _ast.Tuple):
        return tuple(literal(item) for item in node.elts)
    if isinstance(node, _ast.Set):
        return {literal(item) for item in node.elts}
    if isinstance(node, _ast.Dict):
        return {literal(k): literal(v) for k, v in zip(node.keys, node.values)}
    return date_literal(node)


def signed(sign, number):
    if type(number) not in (int, float, complex):
        raise ValueError("not a number")
    if isinstance(sign, _ast.USub):
        return -number
    if isinstance(sign, _ast.UAdd):
        return number
    raise ValueError("not a sign")


def date_literal(node):
    """`datetime.date(2020, 1, 1)` and the like, and `datetime.timezone.utc`."""
    if isinstance(node, _ast.Call):
        args = [literal(arg) for arg in node.args]
        return date_type(node.func)(
            *args, **{item.arg: literal(item.value) for item in node.keywords})
    if isinstance(node, _ast.Attribute) and node.attr == "utc":
        return date_type(node.value).utc
    raise ValueError("not a literal")


def date_type(node):
    if (not isinstance(node, _ast.Attribute) or node.attr not in DATE_TYPES
            or not isinstance(node.value, _ast.Name) or node.value.id != "datetime"):
        raise ValueError("not a literal")
    import datetime  # rarely needed, and slow
    return getattr(datetime, node.attr)


# The module


def find_module(main):
    """Looks for MAIN on sys.path, and puts the directory it names there, as Guild."""
    directory, module = os.path.split(main)
    # A directory that is nowhere on sys.path may still be one of the current directory.
    for entry in sys.path + ([""] if directory else []):
        root = os.path.join(entry, directory)
        for stem in stems(module):
            found = module_at(root, stem)
            if found:
                if directory:
                    sys.path.insert(1, os.path.abspath(root))
                return found
    raise Problem(no_module(main))


def stems(module):
    """Where it may be in a directory, without its suffix: `pkg/mod` for `pkg.mod`."""
    if module.endswith(".py"):
        yield module[:-3]
    yield module.replace(".", "/")


def module_at(root, stem):
    path = os.path.abspath(os.path.join(root, stem))
    name = stem.replace("/", ".")
    if os.path.isfile(path + ".py"):
        return Module(path + ".py", name if "/" in stem else None)
    if os.path.isfile(path + "/__main__.py"):
        return Module(path + "/__main__.py", name + ".__main__")
    return None


def no_module(main):
    """The sentence names the directories of the user, not those of Python itself."""
    places = [os.path.abspath(entry) for entry in sys.path
              if "/lib/python" not in entry and not entry.endswith(".zip")]
    module = os.path.basename(main)
    file = (module[:-3] if module.endswith(".py") else module.replace(".", "/")) + ".py"
    return "no module named '%s' in %s: its file '%s' must be in a directory of " \
        "PYTHONPATH, or a package with '__main__.py'" % (
            main, " or ".join(places) or "PYTHONPATH, which is empty",
            os.path.join(os.path.dirname(main), file))


def read_source(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Problem("cannot read '%s': %s" % (path, error.strerror))


def run(module, source, args, flags):
    sys.argv = [module.path] + args
    try:
        namespace = make_main(module, flags)
        # Bytes, because the script itself may say what its encoding is.
        code = compile(without_assignments(source, module.path, flags), module.path,
                       "exec", dont_inherit=True)
        exec(code, namespace)
    except SystemExit:
        raise
    except BaseException as error:
        report(error)
        sys.exit(1)


def make_main(module, flags):
    """Makes the module `__main__` anew, with the flags, and gives its globals.

    Inside a package it is as `python3 -m` makes it, so that relative imports work and
    multiprocessing finds it by name; else as `python3 FILE` does.
    """
    main_module = type(sys)("__main__")
    loader = SourceFileLoader(module.name or "__main__", module.path)
    spec = None
    if module.name:
        spec = ModuleSpec(module.name, loader, origin=module.path)
        spec.has_location = True
    namespace = main_module.__dict__
    namespace.update(flags)
    namespace.update(
        __name__="__main__", __doc__=None, __file__=module.path, __cached__=None,
        __package__=module.package, __loader__=loader, __spec__=spec,
        __builtins__=sys.modules["builtins"])
    sys.modules["__main__"] = main_module
    if module.package:
        __import__(module.package)
    return namespace


def without_assignments(source, path, flags):
    """Drops the first plain assignment of each flag, which would undo it."""
    if not flags:
        return source
    tree = compile(source, path, "exec", _ast.PyCF_ONLY_AST, True)
    drop_assignments(tree.body, set(flags))
    return tree


def drop_assignments(body, names):
    """Takes each name out of NAMES when its assignment is found, here or in an `if`."""
    for i, node in enumerate(body):
        if isinstance(node, _ast.If):
            drop_assignments(node.body, names)
        elif isinstance(node, _ast.Assign):
            drop_targets(node, names)
            if not node.targets:
                # Not removed: a body must not be empty, a string that follows must not
                # become the docstring, and debuggers may stop at the line.
                body[i] = _ast.Pass(
                    lineno=node.lineno, col_offset=node.col_offset,
                    end_lineno=node.end_lineno, end_col_offset=node.end_col_offset)


def drop_targets(assignment, names):
    dropped = {target.id for target in assignment.targets
               if isinstance(target, _ast.Name) and target.id in names}
    assignment.targets = [target for target in assignment.targets
                          if not isinstance(target, _ast.Name)
                          or target.id not in dropped]
    names -= dropped


def report(error):
    """Does what Python does with an uncaught exception, but without our own frames."""
    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    error.__traceback__ = trace
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
    sys.excepthook(type(error), error, trace)


if __name__ == "__main__":
    main()
