#!/usr/bin/env python3
"""Says which options a Python program takes, by running it until it looks at them.

    python3 option-flags.py [--dest args|args:click] [--root DIR] [--package NAME]
                            [--seconds N] SCRIPT [ARG...]

prints one line, a JSON object in UTF-8: `dest`, `flags`, `description` and `error` as of
python-flags.py, with more for each flag (see FLAG). It exits 0 whatever the script does.

The script runs as `__main__` in its own directory, with the arguments ARG... --help and
no input; its output is lost. It gets to its call of parse_args() or of its click command,
and no further; after N seconds (25) it is killed. ARGs that name a subcommand choose its
options; else subcommands are left out, as in Guild. DIR is one more for sys.path.
"""

import _signal
import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import SourceFileLoader

HERE = os.path.dirname(os.path.realpath(__file__))

# A program that lists more choices than a person reads means a range.
MAX_CHOICES = 1000

# A flag. In all texts called YAML below, a value is written on one line.
FLAG = {
    "name": None,          # the first long option, without its dashes
    "yaml": "null",        # YAML of the default; null where the program's own must do
    "type": None,          # "string", "int", "float", "boolean"; null: by its look
    "split": False,        # arg-split: the value is words, and the default a list
    "description": None,   # help text
    "required": False,
    "choices": None,       # a list of YAML
    "min": None,           # YAML
    "max": None,           # YAML
    "metavar": None,       # what help calls the value
    "arg-name": None,      # the option to pass, where it is not the name
    "arg-switch": None,    # YAML of the value for which the option is passed, alone
    "arg-encoding": None,  # a list of {"yaml": value, "text": what to pass for it}
}
SWITCH = {"yaml": "false", "choices": ["true", "false"], "arg-switch": "true"}

# Functions that read a Boolean from text take these; few take Guild's 1 and nothing.
PYTHON_BOOLEANS = [{"yaml": "true", "text": "True"}, {"yaml": "false", "text": "False"}]


def load_neighbour(name):
    """The functions of another helper; its name has a dash and can't be imported."""
    path = os.path.join(HERE, name)
    module = type(sys)(name)
    with open(path, "rb") as file:
        exec(compile(file.read(), path, "exec", dont_inherit=True), module.__dict__)
    return module


python_flags = load_neighbour("python-flags.py")


class Late(Exception):
    """The time is over."""


class Options:
    """What the command line says."""

    def __init__(self, words):
        named = {"--dest": "args", "--root": None, "--package": "", "--seconds": "25"}
        while len(words) > 1 and words[0] in named:
            named[words[0]] = words[1]
            words = words[2:]
        if (not words or words[0].startswith("--") or not named["--seconds"].isdigit()
                or named["--dest"] not in ("args", "args:click")):
            sys.exit("usage: option-flags.py [--dest args|args:click] [--root DIR]"
                     " [--package NAME] [--seconds N] SCRIPT [ARG...]")
        self.dest = named["--dest"]
        self.reader = ArgparseReader if self.dest == "args" else ClickReader
        self.what = "its arguments" if self.dest == "args" else "its options"
        self.root = named["--root"] and os.path.abspath(named["--root"])
        self.package = named["--package"]
        self.seconds = int(named["--seconds"])
        self.script = os.path.abspath(words[0])
        self.args = words[1:]


def main():
    options = Options(sys.argv[1:])
    answer = Answer(options)
    try:
        source = python_flags.read(options.script)
        ask(options, source, python_flags.parse(source), answer)
    except python_flags.Unreadable as error:
        answer.refuse(error.message, error.line)
    sys.stdout.buffer.write(answer.read())


class Answer:
    """What is printed, kept in a file that outlives who writes it; the last counts."""

    def __init__(self, options):
        self.dest = options.dest
        self.fd = os.memfd_create("answer")

    def write(self, flags=(), description=None, error=None):
        text = python_flags.to_json({
            "dest": self.dest, "flags": list(flags), "description": description,
            "error": error})
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, text.encode() + b"\n", 0)

    def refuse(self, message, line=0):
        self.write(error={"line": line, "message": message})

    def read(self):
        return os.pread(self.fd, os.fstat(self.fd).st_size, 0)


# The process that runs the script. It may exit, crash and hang as it likes.


def ask(options, source, tree, answer):
    pid = os.fork()
    if pid == 0:
        try:
            set_up_process(options)
            run(options, source, tree, answer)
        finally:
            os._exit(0)  # without what the script has registered to happen at the end
    status = wait(pid, options.seconds)
    if not answer.read():
        answer.refuse(ending(status, options))


def wait(pid, seconds):
    """The status of waitid(); None after so many seconds. Nothing is left running."""
    def on_alarm(*_):
        raise Late

    _signal.signal(_signal.SIGALRM, on_alarm)
    _signal.signal(_signal.SIGTERM, lambda *_: sys.exit(1))
    _signal.alarm(seconds)
    try:
        os.setpgid(pid, pid)  # it does so itself, perhaps later
    except OSError:
        pass
    status = None
    try:
        status = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        _signal.alarm(0)
    except Late:
        pass
    finally:
        os.killpg(pid, _signal.SIGKILL)
        os.waitpid(pid, 0)
    return status


def ending(status, options):
    if status is None:
        return "The script has not looked at %s after %d seconds: that must come before" \
            " its work, or its flags be listed in guild.yml." % (
                options.what, options.seconds)
    if status.si_code != os.CLD_EXITED:
        return "The script is killed by signal %d before it looks at %s." % (
            status.si_status, options.what)
    return exits(status.si_status, options)


def exits(code, options):
    how = "with status %d" % (code or 0) if code is None or isinstance(code, int) else \
        "(%s)" % one_line(code)
    return "The script exits %s before it looks at %s, so that its flags are not known:" \
        " it must look first, or its flags be listed in guild.yml." % (how, options.what)


def set_up_process(options):
    import resource
    os.setpgid(0, 0)
    for number in _signal.SIGALRM, _signal.SIGTERM:
        _signal.signal(number, _signal.SIG_DFL)
    # Both are for the case that nobody is left to wait; a core would be put into the
    # project.
    _signal.alarm(options.seconds + 5)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    null = os.open("/dev/null", os.O_RDWR)
    for fd in 0, 1, 2:
        os.dup2(null, fd)
    sys.dont_write_bytecode = True
    os.environ.update(PYTHONDONTWRITEBYTECODE="1", NO_COLOR="1")


def run(options, source, tree, answer):
    try:
        set_up_path(options)
        options.reader(options, source, answer).patch()
        namespace = make_main(options)
        exec(compile(tree, options.script, "exec", dont_inherit=True), namespace)
        why = "The script ends without looking at %s: when it runs as __main__ it must" \
            " %s; or list its flags in guild.yml." % (options.what, options.reader.DUTY)
    except SystemExit as error:
        why = exits(error.code, options)
    except BaseException as error:
        answer.refuse(explain(error, options), line_of(error, options))
        return
    if not answer.read():  # a parser that was none of the last is better than none
        answer.refuse(why)


def set_up_path(options):
    directory = os.path.dirname(options.script)
    os.chdir(directory)
    for _ in options.package.split(".") if options.package else ():
        directory = os.path.dirname(directory)
    if sys.path and os.path.realpath(sys.path[0] or ".") == HERE:
        del sys.path[0]
    if options.root:
        sys.path.insert(0, options.root)
    sys.path.insert(0, directory)
    sys.argv = [options.script, *options.args, "--help"]


def make_main(options):
    """Makes the module `__main__` anew, as op-main.py does, and gives its globals."""
    main_module = type(sys)("__main__")
    name = "__main__"
    spec = None
    if options.package:
        stem = os.path.splitext(os.path.basename(options.script))[0]
        name = "%s.%s" % (options.package, stem)
    loader = SourceFileLoader(name, options.script)
    if options.package:
        spec = ModuleSpec(name, loader, origin=options.script)
    main_module.__dict__.update(
        __file__=options.script, __cached__=None, __loader__=loader, __spec__=spec,
        __package__=options.package or None, __builtins__=sys.modules["builtins"])
    sys.modules["__main__"] = main_module
    if options.package:
        __import__(options.package)
    return main_module.__dict__


def explain(error, options):
    if isinstance(error, ModuleNotFoundError) and error.name:
        return "There is no module '%s' for %s: install it there, or set" \
            " GUILD_PYTHON_EXE to a Python that has it." % (error.name, sys.executable)
    return "The script fails before it looks at %s: %s: %s." % (
        options.what, type(error).__name__, one_line(error).rstrip("."))


def one_line(value):
    text = " ".join(str(value).split())
    return text if len(text) <= 200 else text[:200] + "..."


def line_of(error, options):
    """The line of the script that was at work when something failed, here or deeper."""
    line = 0
    if isinstance(error, SyntaxError) and error.filename == options.script:
        return error.lineno or 0
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == options.script:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


# The values of programs


def yaml_of(value):
    """YAML of a value; an exception for one that no text stands for."""
    return python_flags.to_yaml(plain(value))


def yaml_or(default, value):
    try:
        return yaml_of(value)
    except Exception:  # the value may be an object of the script
        return default


def default_yaml(value, script):
    """YAML of a default, or "null" for the program's own."""
    try:
        return python_flags.to_yaml(python_flags.absolute(plain(value), script))
    except Exception:  # as above
        return "null"


def plain(value):
    """The same value as Python's own None, bool, int, float, str or list."""
    if value is None:
        return None
    if is_member(value):
        return plain(value.value)
    for kind in bool, int, float, str:
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return plain(os.fspath(value))
    for kind, method in (int, "__index__"), (float, "__float__"):  # as NumPy's
        if hasattr(type(value), method):
            return kind(value)
    raise ValueError("no text stands for it")


def is_member(value):
    import enum
    return isinstance(value, enum.Enum)


def choices_of(values, to_text=lambda value: value):
    """A list of YAML; None if they can't be listed."""
    found = []
    try:
        for value in values or ():
            found.append(yaml_of(to_text(value)))
            if len(found) > MAX_CHOICES:
                return None
    except Exception:  # as in yaml_or()
        return None
    return found or None


def first_paragraph(text):
    return " ".join((text or "").strip().split("\n\n")[0].split()) or None


def long_name(names):
    return next((name[2:] for name in names if len(name) > 2 and name[:2] == "--"), None)


def yes_or_no(name, no_name, default):
    """A pair of options, of which the one that changes the default is passed."""
    flag = dict(SWITCH, name=name, yaml=yaml_or("null", default))
    if default and no_name:
        flag.update({"arg-name": no_name, "arg-switch": "false"})
    return flag


# argparse


class ArgparseReader:
    """Stops the script where it parses, and says what the parser would take."""

    DUTY = "call parse_args() of its argparse parser"

    def __init__(self, options, source, answer):
        self.options = options
        self.answer = answer
        self.is_strict = False
        # A parser without --help may only look for the name of a configuration file, so
        # that the script must go on to the next. But never if it has no other call.
        self.may_be_first = source.count(b".parse_") > 1

    def patch(self):
        import argparse
        parser = argparse.ArgumentParser
        parse_args, parse_known = parser.parse_args, parser.parse_known_args
        intermixed = parser.parse_known_intermixed_args

        def strict(found, *args, **kwargs):
            self.is_strict = True
            return parse_args(found, *args, **kwargs)

        def known(found, args=None, namespace=None):
            self.see(found, args)
            return parse_known(found, args, namespace)

        def known_intermixed(found, args=None, namespace=None):
            self.see(found, args)
            return intermixed(found, args, namespace)

        parser.parse_args = strict
        parser.parse_known_args = known
        parser.parse_known_intermixed_args = known_intermixed

    def see(self, parser, args):
        is_last = self.is_strict or "--help" in parser._option_string_actions
        is_own = args is None or list(args) == sys.argv[1:]
        self.is_strict = False
        self.describe(self.subcommand(parser))
        if not self.may_be_first or (is_last and is_own):
            os._exit(0)

    def subcommand(self, parser):
        for word in self.options.args:
            for action in parser._actions:
                if not action.option_strings and isinstance(action.choices, dict):
                    parser = action.choices.get(word, parser)
        return parser

    def describe(self, parser):
        flags = [argparse_flag(parser, action, self.options.script)
                 for action in parser._actions]
        text = (parser.description or "").replace("%(prog)s", parser.prog)
        self.answer.write(filter(None, flags), first_paragraph(text))


def argparse_flag(parser, action, script):
    """The flag of an action; None for --help, what has no long option, and the like."""
    import argparse
    name = long_name(action.option_strings)
    if not name or isinstance(action, (argparse._HelpAction, argparse._VersionAction)):
        return None
    flag = argparse_switch(action, name) if action.nargs == 0 else \
        argparse_value(action, name, script)
    return dict(FLAG, **flag, description=argparse_help(parser, action),
                required=bool(action.required))


def argparse_help(parser, action):
    import argparse
    if not action.help or action.help == argparse.SUPPRESS:
        return None
    formatter = parser._get_formatter()
    try:
        lines = formatter._split_lines(formatter._expand_help(action), 100000)
    except Exception:  # a % that is none of argparse's; the script's own formatter
        lines = action.help.split("\n")
    return "\n".join(lines).strip() or None


def argparse_switch(action, name):
    import argparse
    no_name = next((option[2:] for option in action.option_strings[1:]
                    if option.startswith("--no-")), None)
    if no_name:
        return yes_or_no(name, no_name, action.default)
    const = yaml_or("null", action.const)
    default = yaml_or(None, action.default)
    # Counts, lists and objects are no values to choose: then it is given, or not.
    if (not isinstance(action, argparse._StoreConstAction) or default is None
            or const == "null" or isinstance(action.const, (list, tuple))):
        return dict(SWITCH, name=name)
    choices = SWITCH["choices"]
    if const not in choices:
        choices = [const] + [default] * (default not in (const, "null"))
    return {"name": name, "yaml": default, "choices": choices, "arg-switch": const}


def argparse_value(action, name, script):
    import argparse
    nargs = action.nargs
    split = nargs in ("+", "*", argparse.REMAINDER, argparse.PARSER) or \
        isinstance(nargs, int) and nargs > 1
    metavar = action.metavar
    flag = {
        "name": name,
        "yaml": default_yaml(argparse_default(action, split), script),
        "type": argparse_type(action.type),
        "split": split,
        "choices": choices_of(action.choices,
                              lambda value: member_text(action.type, value)),
        "metavar": " ".join(metavar) if isinstance(metavar, tuple) else metavar,
    }
    if isinstance(action.default, bool) and action.type and not flag["type"]:
        flag["arg-encoding"] = PYTHON_BOOLEANS
    return flag


def argparse_default(action, split):
    """What to pass where the user says nothing; None to pass nothing."""
    import argparse
    default = action.default
    # An option that adds to its default would have it twice.
    if default is argparse.SUPPRESS or isinstance(action, argparse._AppendAction):
        return None
    if isinstance(default, (list, tuple)) and not split:
        return default[0] if action.nargs == 1 and len(default) == 1 else None
    if isinstance(default, str) and action.type in (int, float):
        try:
            return action.type(default)
        except ValueError:
            return default
    return member_text(action.type, default)


def argparse_type(convert):
    """The type of a flag by the function that reads its text.

    A path is a string: Guild's own type `path` would make it absolute, and the program
    write out of its run.
    """
    import argparse
    if isinstance(convert, argparse.FileType):
        return "string"
    if getattr(convert, "__objclass__", None) is str:  # as str.lower
        return "string"
    for kind, name in ((bool, "boolean"), (int, "int"), (float, "float"),
                       (str, "string"), (os.PathLike, "string")):
        if isinstance(convert, type) and issubclass(convert, kind):
            return name
    return None


def member_text(convert, value):
    """What a user writes for a member of an Enum: its value, or its name."""
    if not convert or not is_member(value):
        return value
    for text in str(value.value), value.name, str(value):
        try:
            if convert(text) == value:
                return text
        except Exception:  # the function is the script's
            pass
    return value


# click


class ClickReader:
    """Stops the script where it calls a command, and says what that would take."""

    DUTY = "call a click command"

    def __init__(self, options, _source, answer):
        self.options = options
        self.answer = answer

    def patch(self):
        import click

        def see(command, *_args, **_kwargs):
            self.describe(click, command)
            os._exit(0)

        for owner in click.Command.__mro__:
            for name in "main", "__call__":
                if name in vars(owner):
                    setattr(owner, name, see)

    def describe(self, click, command):
        context = click.Context(command)
        for word in self.options.args:
            found = command.get_command(context, word) \
                if hasattr(command, "get_command") else None
            if found:
                context = click.Context(found, parent=context)
                command = found
        flags = [click_flag(click, context, option, self.options.script)
                 for option in command.params]
        self.answer.write(filter(None, flags), first_paragraph(command.help))


def click_flag(click, context, option, script):
    """The flag of an option; None for an argument, --version, a short option."""
    name = long_name(option.opts)
    if not name or (option.is_eager and not option.expose_value):
        return None
    default = option.get_default(context, call=False)
    if option.count:
        flag = dict(SWITCH, name=name)
    elif option.is_flag:
        flag = click_switch(option, name, default)
    else:
        flag = click_value(click, option, name, default, script)
    prompt = option.prompt and flag["yaml"] == "null"  # there is nobody to answer
    text = (option.help or "").replace("\b", "").strip() or None
    return dict(FLAG, **flag, description=text,
                required=bool(option.required or prompt))


def click_switch(option, name, default):
    if option.secondary_opts:
        return yes_or_no(name, long_name(option.secondary_opts), default is True)
    if not isinstance(option.flag_value, bool):
        return dict(SWITCH, name=name)
    return dict(SWITCH, **{"name": name, "yaml": "true" if default is True else "false",
                           "arg-switch": "true" if option.flag_value else "false"})


def click_value(click, option, name, default, script):
    split = option.nargs != 1
    kind = option.type
    # Its own mark for no default is a member of an Enum since click 8.3.
    if type(default).__module__.startswith("click."):
        default = None
    if option.multiple or isinstance(default, (list, tuple)) and not split:
        default = None
    flag = {
        "name": name, "yaml": default_yaml(member_name(default), script), "split": split,
        "type": click_type(click, kind), "metavar": option.metavar,
        "choices": choices_of(getattr(kind, "choices", None), member_name),
        "min": yaml_bound(kind, "min"), "max": yaml_bound(kind, "max"),
    }
    if isinstance(kind, click.types.BoolParamType):
        flag["arg-encoding"] = PYTHON_BOOLEANS
    return flag


def member_name(value):
    """What a user writes for a member of an Enum, in click."""
    return value.name if is_member(value) else value


def yaml_bound(kind, name):
    """The least or greatest value, which Guild always includes."""
    bound = getattr(kind, name, None)
    if isinstance(bound, int) and getattr(kind, name + "_open", False):
        bound += 1 if name == "min" else -1
    return None if bound is None else yaml_or(None, bound)


def click_type(click, kind):
    for known, name in ((click.types.BoolParamType, "boolean"),
                        (click.types.IntParamType, "int"),
                        (click.types.FloatParamType, "float"),
                        (click.types.FuncParamType, None),
                        (click.types.Choice, None), (click.types.Tuple, None)):
        if isinstance(kind, known):
            return name
    return "string"


if __name__ == "__main__":
    main()
