"""Tests scripts/option-flags.py from outside: what it prints of small programs."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
OPTION_FLAGS = TOP / "scripts" / "option-flags.py"
OPTIMIZERS = TOP / "tests" / "fixtures" / "optimizers"

PLAIN = {"yaml": "null", "type": None, "split": False, "description": None,
         "required": False, "choices": None, "min": None, "max": None, "metavar": None,
         "arg-name": None, "arg-switch": None, "arg-encoding": None}
BOOLEANS = [{"yaml": "true", "text": "True"}, {"yaml": "false", "text": "False"}]


def switch(default="false", given="true", **more):
    return {"yaml": default, "choices": ["true", "false"], "arg-switch": given, **more}


class Case(unittest.TestCase):
    """Has a directory of its own, with the program script.py in it."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.dir = pathlib.Path(directory.name).resolve()
        self.script = self.dir / "script.py"

    def write(self, name, text):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")

    def answer_of(self, *words, **how):
        done = subprocess.run(
            [sys.executable, str(OPTION_FLAGS), *map(str, words)], cwd="/",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **how)
        self.assertEqual((done.stderr, done.returncode), (b"", 0))
        self.assertEqual(done.stdout.count(b"\n"), 1)
        return json.loads(done.stdout)

    def describe(self, text, *words, options=()):
        self.write("script.py", text)
        return self.answer_of(*options, self.script, *words)

    def assert_flags(self, answer, expected):
        """EXPECTED has of each flag what is not as in PLAIN."""
        self.assertIsNone(answer["error"])
        self.assertEqual(
            {flag["name"]: {key: flag[key] for key in flag
                            if key != "name" and flag[key] != PLAIN[key]}
             for flag in answer["flags"]}, expected)
        for flag in answer["flags"]:
            self.assertEqual(list(flag), ["name", *PLAIN])

    def assert_error(self, answer, words, line=0):
        self.assertEqual((answer["flags"], answer["description"]), ([], None))
        self.assertIn(words, answer["error"]["message"])
        self.assertTrue(answer["error"]["message"].endswith("."))
        self.assertEqual(answer["error"]["line"], line)


class ArgparseCase(Case):

    def parser(self, *lines):
        """A program that has a parser with these lines."""
        return "\n".join(["import argparse, enum, os, pathlib, sys",
                          "p = argparse.ArgumentParser()",
                          *lines, "p.parse_args()", "open('reached', 'w')"])

    def option(self, words, before=""):
        """The one flag of an option."""
        answer = self.describe(self.parser(before, "p.add_argument(%s)" % words))
        self.assertIsNone(answer["error"])
        self.assertEqual(len(answer["flags"]), 1)
        flag = answer["flags"][0]
        return {key: flag[key] for key in flag if PLAIN.get(key) != flag[key]}

    def assert_option(self, words, before="", **expected):
        expected = {key.replace("_", "-"): expected[key] for key in expected}
        self.assertEqual(self.option(words, before), {"name": "x", **expected})


class Fixtures(Case):

    def test_train_has_its_options(self):
        self.assert_flags(self.answer_of(OPTIMIZERS / "train.py"), {
            "lr": {"yaml": "0.1", "type": "float", "description": "learning rate"},
            "epochs": {"yaml": "3", "type": "int"},
            "optimizer": {"yaml": '"sgd"', "choices": ['"sgd"', '"adam"']},
            "nesterov": switch(),
            "delay": {"yaml": "0.0", "type": "float"}})


class Names(ArgparseCase):

    def test_the_first_long_option_is_the_name(self):
        self.assert_option("'-x', '--x', '--other'")

    def test_the_order_is_the_parser_s(self):
        answer = self.describe(self.parser(
            "p.add_argument('--b')", "p.add_argument('--a')"))
        self.assertEqual([flag["name"] for flag in answer["flags"]], ["b", "a"])

    def test_what_has_no_long_option_is_no_flag(self):
        self.assert_flags(self.describe(self.parser(
            "p.add_argument('-s')", "p.add_argument('place', nargs='?')",
            "p.add_subparsers().add_parser('sub').add_argument('--x')",
            "p.add_argument('--version', action='version', version='1')")), {})

    def test_options_of_groups_and_parents_are_flags(self):
        self.assert_flags(self.describe(self.parser(
            "q = argparse.ArgumentParser(add_help=False)", "q.add_argument('--a')",
            "p = argparse.ArgumentParser(parents=[q])",
            "p.add_argument_group('g').add_argument('--b')",
            "p.add_mutually_exclusive_group().add_argument('--c')")),
            {"a": {}, "b": {}, "c": {}})


class Values(ArgparseCase):

    def test_a_default_is_yaml_of_its_value(self):
        for default, yaml in (
                ("1", "1"), ("1e-05", "1.0e-05"), ("'1'", '"1"'), ("None", "null"),
                ("'a\\n'", '"a\\n"'), ("float('inf')", ".inf"),
                ("pathlib.Path('a')", '"a"'), ("argparse.SUPPRESS", "null")):
            with self.subTest(default):
                expected = {} if yaml == "null" else {"yaml": yaml}
                self.assert_option("'--x', default=%s" % default, **expected)

    def test_a_default_as_text_is_read_as_argparse_does(self):
        self.assert_option("'--x', type=float, default='1e-3'", type="float",
                           yaml="0.001")
        self.assert_option("'--x', type=int, default='a'", type="int", yaml='"a"')

    def test_a_default_that_no_text_stands_for_is_the_program_s_own(self):
        for default in "sys.stdin", "{'a': 1}", "object()", "len", "[1, 2]", r"'\ud800'":
            with self.subTest(default):
                self.assert_option("'--x', default=%s" % default)

    def test_a_default_of_the_parser_counts(self):
        answer = self.describe(self.parser("p.add_argument('--x', default=1)",
                                           "p.set_defaults(x=2)"))
        self.assert_flags(answer, {"x": {"yaml": "2"}})

    def test_a_path_that_exists_beside_the_script_becomes_absolute(self):
        self.write("data/a.csv", "")
        there = json.dumps(str(self.dir / "data/a.csv"))
        self.assert_option("'--x', default='data/a.csv'", yaml=there)
        self.assert_option("'--x', default='data/b.csv'", yaml='"data/b.csv"')
        self.assert_option("'--x', default='data'", yaml='"data"')

    def test_the_type_is_that_of_the_function(self):
        for function, name in (
                ("int", "int"), ("float", "float"), ("str", "string"),
                ("bool", "boolean"), ("str.lower", "string"), ("pathlib.Path", "string"),
                ("argparse.FileType('w')", "string"), ("lambda x: x", None),
                ("os.path.abspath", None)):
            with self.subTest(function):
                expected = {"type": name} if name else {}
                self.assert_option("'--x', type=%s" % function, **expected)

    def test_no_file_is_opened_for_a_default(self):
        self.assert_option("'--x', type=argparse.FileType('w'), default='out'",
                           type="string", yaml='"out"')
        self.assertFalse((self.dir / "out").exists())

    def test_a_function_of_the_program_gets_true_and_false_as_python_writes_them(self):
        self.assert_option("'--x', type=lambda x: x == 'True', default=True",
                           yaml="true", arg_encoding=BOOLEANS)

    def test_choices_are_listed(self):
        self.assert_option("'--x', choices=['a', 'yes']", choices=['"a"', '"yes"'])
        self.assert_option("'--x', type=int, choices=range(3)", type="int",
                           choices=["0", "1", "2"])
        self.assert_option("'--x', choices={'b': 1}", choices=['"b"'])

    def test_choices_that_can_t_be_listed_are_left_out(self):
        for choices in "range(10 ** 4)", "[object()]":
            with self.subTest(choices):
                self.assert_option("'--x', type=int, choices=%s" % choices, type="int")

    def test_members_of_an_enum_are_what_the_program_reads(self):
        colors = "class C(enum.Enum): RED = 'r'; BLUE = 'b'"
        self.assert_option("'--x', type=C, choices=list(C), default=C.RED", colors,
                           choices=['"r"', '"b"'], yaml='"r"')
        self.assert_option("'--x', type=lambda n: C[n], choices=C, default=C.BLUE",
                           colors, choices=['"RED"', '"BLUE"'], yaml='"BLUE"')

    def test_required_is_said(self):
        self.assert_option("'--x', required=True", required=True)

    def test_what_help_calls_the_value_is_said(self):
        self.assert_option("'--x', metavar='FILE'", metavar="FILE")
        self.assert_option("'--x', nargs=2, metavar=('A', 'B')", metavar="A B",
                           split=True)

    def test_several_values_are_split(self):
        for nargs in "'+'", "'*'", "2", "argparse.REMAINDER":
            with self.subTest(nargs):
                self.assert_option("'--x', nargs=%s, type=int, default=[1, 2]" % nargs,
                                   type="int", split=True, yaml="[1, 2]")
        self.assert_option("'--x', nargs='+', default=(1, 'a b')", split=True,
                           yaml='[1, "a b"]')

    def test_one_value_is_not_split(self):
        self.assert_option("'--x', nargs='?', const=1, default=2", yaml="2")
        self.assert_option("'--x', nargs=1, default=[2]", yaml="2")

    def test_what_adds_to_its_default_is_not_given_it(self):
        self.assert_option("'--x', action='append', default=['a']")
        self.assert_option("'--x', action='append', nargs='+', default=['a']", split=True)
        self.assert_option("'--x', action='extend', nargs='*', default=['a']", split=True)

    def test_an_action_of_the_program_s_own_takes_a_value(self):
        self.assert_option("'--x', action=A, default=1", yaml="1",
                           before="class A(argparse.Action): pass")


class Switches(ArgparseCase):

    def test_store_true_and_store_false_are_passed_when_they_are_so(self):
        self.assert_option("'--x', action='store_true'", **switch_words())
        self.assert_option("'--x', action='store_false'", **switch_words("true", "false"))

    def test_a_constant_is_a_choice(self):
        self.assert_option("'--x', action='store_const', const=5, default=1",
                           yaml="1", choices=["5", "1"], arg_switch="5")
        self.assert_option("'--x', action='store_const', const='a'",
                           choices=['"a"'], arg_switch='"a"')

    def test_a_constant_that_no_text_stands_for_is_given_or_not(self):
        for words in "const=sum, default=max", "const=1, default=max", "const=[1]":
            with self.subTest(words):
                self.assert_option("'--x', action='store_const', " + words,
                                   **switch_words())

    def test_counts_and_appended_constants_are_given_or_not(self):
        self.assert_option("'--x', action='count', default=2", **switch_words())
        self.assert_option("'--x', action='append_const', const=1", **switch_words())
        self.assert_option("'--x', action=A, nargs=0", **switch_words(),
                           before="class A(argparse.Action): pass")

    def test_of_a_pair_the_one_that_changes_the_default_is_passed(self):
        self.write("script.py", """\
            import argparse
            class Pair(argparse.Action):  # as BooleanOptionalAction, since Python 3.9
                def __init__(self, option_strings, dest, **more):
                    names = option_strings + ['--no-' + option_strings[-1][2:]]
                    super().__init__(names, dest, nargs=0, **more)
            p = argparse.ArgumentParser()
            p.add_argument('--on', action=Pair, default=True)
            p.add_argument('-f', '--off', action=Pair, default=False)
            p.add_argument('--unset', action=Pair)
            p.parse_args()
            """)
        self.assert_flags(self.answer_of(self.script), {
            "on": switch("true", "false", **{"arg-name": "no-on"}),
            "off": switch(),
            "unset": {"choices": ["true", "false"], "arg-switch": "true"}})

    @unittest.skipIf(sys.version_info < (3, 9), "since Python 3.9")
    def test_so_for_argparse_s_own_pair(self):
        self.assert_option("'--x', action=argparse.BooleanOptionalAction, default=True",
                           arg_name="no-x", **switch_words("true", "false"))


def switch_words(*words):
    return {key.replace("-", "_"): value for key, value in switch(*words).items()}


class Descriptions(ArgparseCase):

    def description(self, text):
        return self.option("'--x', default=3, help=%r" % text).get("description")

    def test_help_is_expanded_as_argparse_does(self):
        self.assertEqual(self.description("of %(prog)s\n  is %(default)s, 100%%"),
                         "of script.py is 3, 100%")

    def test_help_that_can_t_be_expanded_is_kept(self):
        self.assertEqual(self.description("100% of %(nothing)s"), "100% of %(nothing)s")

    def test_help_that_is_hidden_is_not_shown(self):
        self.assertIsNone(self.description("==SUPPRESS=="))

    def test_a_formatter_says_what_it_adds(self):
        answer = self.describe(self.parser(
            "p.formatter_class = argparse.ArgumentDefaultsHelpFormatter",
            "p.add_argument('--x', default=3, help='a')"))
        self.assertEqual(answer["flags"][0]["description"], "a (default: 3)")

    def test_that_of_the_program_is_the_first_paragraph(self):
        answer = self.describe(self.parser(
            "p.description = 'The %(prog)s\\nis.\\n\\nMore'"))
        self.assertEqual(answer["description"], "The script.py is.")
        self.assertIsNone(self.describe(self.parser())["description"])


class Parsers(ArgparseCase):

    def names(self, text, *words):
        answer = self.describe(text, *words)
        self.assertIsNone(answer["error"])
        return [flag["name"] for flag in answer["flags"]]

    def test_the_script_gets_to_its_parser_and_no_further(self):
        self.assertEqual(self.names(self.parser(
            "import atexit; atexit.register(open, 'reached', 'w')",
            "p.add_argument('--x')")), ["x"])
        self.assertEqual(os.listdir(str(self.dir)), ["script.py"])

    def test_the_first_parser_counts(self):
        self.assertEqual(self.names(self.parser(
            "p.add_argument('--a')", "p.parse_args()",
            "p = argparse.ArgumentParser()", "p.add_argument('--b')")), ["a"])

    def test_one_of_an_imported_module_counts(self):
        self.write("options.py", self.parser("p.add_argument('--x')"))
        self.assertEqual(self.names("import options"), ["x"])

    def test_all_ways_to_parse_count(self):
        for call in ("p.parse_known_args()", "p.parse_intermixed_args()",
                     "p.parse_known_intermixed_args()", "p.parse_args(sys.argv[1:])"):
            with self.subTest(call):
                self.assertEqual(self.names(self.parser("p.add_argument('--x')", call)),
                                 ["x"])

    def test_a_parser_that_adds_options_as_it_parses_is_let_do_so(self):
        self.assertEqual(self.names("""\
            import argparse
            class P(argparse.ArgumentParser):
                def parse_known_args(self, *words):
                    self.add_argument('--x')
                    return super().parse_known_args(*words)
            P().parse_args()
            """), ["x"])

    def test_a_parser_without_help_may_be_the_first_of_two(self):
        first = "q = argparse.ArgumentParser(add_help=False); q.add_argument('--config')"
        self.assertEqual(self.names(self.parser(
            first, "q.parse_known_args()", "p.add_argument('--x')")), ["x"])

    def test_it_counts_if_there_is_no_other(self):
        for end in "", "raise SystemExit(1)":
            self.assertEqual(self.names("""\
                import argparse
                q = argparse.ArgumentParser(add_help=False)
                q.add_argument('--config')
                if q.parse_known_args()[0].config: q.parse_args()
                """ + end), ["config"])

    def test_a_script_with_one_call_goes_no_further_than_that(self):
        self.assertEqual(self.names("""\
            import argparse
            q = argparse.ArgumentParser(add_help=False)
            q.add_argument('--x')
            q.parse_known_args()
            open('reached', 'w')
            """), ["x"])
        self.assertFalse((self.dir / "reached").exists())

    def test_words_of_a_program_s_own_are_not_the_command_line(self):
        self.assertEqual(self.names(self.parser(
            "q = argparse.ArgumentParser()", "q.add_argument('--a')",
            "q.parse_args(['--a', '1'])", "p.add_argument('--x')")), ["x"])

    def test_an_argument_may_choose_a_subcommand(self):
        text = self.parser(
            "p.add_argument('--top')", "s = p.add_subparsers()",
            "t = s.add_parser('train', description='Trains.')",
            "t.add_argument('--lr')", "s.add_parser('test').add_argument('--n')")
        self.assertEqual(self.names(text), ["top"])
        self.assertEqual(self.names(text, "test"), ["n"])
        self.assertEqual(self.names(text, "train"), ["lr"])
        self.assertEqual(self.describe(text, "train")["description"], "Trains.")


class Surroundings(ArgparseCase):

    def value(self, expression, *words, options=(), before="import argparse, os, sys"):
        """What an expression is worth in the script."""
        answer = self.describe("""\
            %s
            p = argparse.ArgumentParser()
            p.add_argument('--x', default=repr((%s)))
            p.parse_args()
            """ % (before, expression), *words, options=options)
        self.assertIsNone(answer["error"])
        return eval(json.loads(answer["flags"][0]["yaml"]))

    def test_the_script_is_main(self):
        self.assertEqual(self.value("__name__, __package__, __file__"),
                         ("__main__", None, str(self.script)))
        self.assertTrue(self.value("sys.modules['__main__'].p is p"))

    def test_it_is_asked_for_help(self):
        self.assertEqual(self.value("sys.argv", "a", "-b"),
                         [str(self.script), "a", "-b", "--help"])

    def test_it_is_in_its_own_directory(self):
        self.assertEqual(self.value("os.getcwd(), sys.path[0]"), (str(self.dir),) * 2)

    def test_the_helper_is_not_on_its_path(self):
        self.assertNotIn(str(OPTION_FLAGS.parent), self.value("sys.path"))

    def test_the_root_of_the_source_code_is_on_its_path(self):
        self.write("root/near.py", "there = 5")
        self.assertEqual(self.value("near.there", options=("--root", self.dir / "root"),
                                    before="import argparse, near"), 5)

    def test_a_module_of_a_package_imports_relatively(self):
        self.write("pkg/sub/__init__.py", "")
        self.write("pkg/sub/other.py", "text = 'there'")
        self.write("pkg/sub/mod.py", """\
            import argparse
            from .other import text
            p = argparse.ArgumentParser(description='%s %s' % (__spec__.name, text))
            p.parse_args()
            """)
        answer = self.answer_of("--package", "pkg.sub", self.dir / "pkg/sub/mod.py")
        self.assertEqual(answer["description"], "pkg.sub.mod there")

    def test_it_has_no_input_and_no_output(self):
        self.assertEqual(self.value("sys.stdin.read() + str(print('x')) +"
                                    " str(os.write(1, b'x')) + str(os.write(2, b'x'))"),
                         "None11")

    def test_nothing_is_left_in_the_project(self):
        self.write("near.py", "")
        self.value("sys.dont_write_bytecode, os.environ['PYTHONDONTWRITEBYTECODE']",
                   before="import argparse, os, sys, near")
        self.assertEqual(sorted(os.listdir(str(self.dir))), ["near.py", "script.py"])

    def test_nothing_is_left_running(self):
        pid = self.value("os.spawnlp(os.P_NOWAIT, 'sleep', 'sleep', '100')")
        self.assertFalse(is_running(pid))


def is_running(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Errors(ArgparseCase):

    def test_a_module_that_is_missing_is_named(self):
        answer = self.describe("import argparse\n\nimport no_such.thing\n")
        self.assert_error(answer, "There is no module 'no_such' for %s: install it there"
                          % sys.executable, line=3)

    def test_a_failure_is_said_with_the_line_of_the_script(self):
        self.write("near.py", "\n\n\ndef f():\n    1 / 0\n")
        self.assert_error(self.describe("import near\nx = 1\nnear.f()\n"),
                          "before it looks at its arguments: ZeroDivisionError: division"
                          " by zero.", line=3)

    def test_a_failure_after_a_first_parser_is_said(self):
        self.assert_error(self.describe(self.parser(
            "q = argparse.ArgumentParser(add_help=False)", "q.parse_known_args()",
            "import no_such")), "no_such", line=5)

    def test_a_program_that_never_parses_is_told_to(self):
        self.assert_error(self.describe("import argparse\nargparse.ArgumentParser()"),
                          "ends without looking at its arguments: when it runs as "
                          "__main__ it must call parse_args()")

    def test_one_that_exits_before_is_told_so(self):
        for words, how in (("exit()", "with status 0"), ("exit(3)", "with status 3"),
                           ("exit('no data')", "(no data)"),
                           ("import os; os._exit(4)", "with status 4")):
            with self.subTest(words):
                self.assert_error(self.describe(words),
                                  "exits %s before it looks at its arguments" % how)

    def test_one_that_is_killed_is_told_so(self):
        self.assert_error(self.describe("import os\nos.abort()"), "killed by signal 6")
        self.assertEqual(os.listdir(str(self.dir)), ["script.py"])

    def test_one_that_hangs_is_killed_with_all_it_started(self):
        start = time.monotonic()
        self.assert_error(self.describe("""\
            import os, signal, subprocess, time
            signal.alarm(0)
            child = subprocess.Popen(['sleep', '100'])
            open('pid', 'w').write(str(child.pid))
            time.sleep(100)
            """, options=("--seconds", "1")), "has not looked at its arguments after 1 s")
        self.assertLess(time.monotonic() - start, 30)
        self.assertFalse(is_running(int((self.dir / "pid").read_text())))

    def test_a_program_does_not_outlive_the_helper(self):
        self.write("script.py", """\
            import os, time
            open('pid', 'w').write(str(os.getpid()))
            os.rename('pid', 'ready')
            time.sleep(100)
            """)
        helper = subprocess.Popen([sys.executable, str(OPTION_FLAGS), str(self.script)],
                                  stdout=subprocess.DEVNULL)
        while not (self.dir / "ready").exists():
            time.sleep(0.01)
        helper.terminate()
        helper.wait(60)
        self.assertFalse(is_running(int((self.dir / "ready").read_text())))

    def test_what_is_no_python_is_said_with_its_line(self):
        self.assert_error(self.describe("x = 1\nx = = 1"), "no valid Python", line=2)
        self.assert_error(self.describe("x = 1\nreturn"), "outside function", line=2)

    def test_a_missing_script_is_said(self):
        self.assert_error(self.answer_of(self.dir / "nope.py"), "No such file")

    def test_wrong_arguments_are_said(self):
        for words in (), ("--dest", "globals", "a"), ("--nope", "a"), \
                ("--seconds", "x", "a"):
            done = subprocess.run([sys.executable, str(OPTION_FLAGS), *words],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertTrue(done.stderr.startswith(b"usage: "))


class Click(Case):

    def click(self, *lines, args=(), call="main()"):
        return self.describe("\n".join(
            ["import click, enum, pathlib", *lines, call, "open('reached', 'w')"]),
            *args, options=("--dest", "args:click"))

    def option(self, words, **expected):
        answer = self.click("@click.command()", "@click.option(%s)" % words,
                            "def main(**_): pass")
        self.assertEqual(answer["dest"], "args:click")
        expected = {key.replace("_", "-"): expected[key] for key in expected}
        self.assert_flags(answer, {"x": expected})

    def test_a_default_has_its_type(self):
        self.option("'--x', default=1", yaml="1", type="int")
        self.option("'-x', '--x', 'y', default=0.5", yaml="0.5", type="float")
        self.option("'--x', default='a'", yaml='"a"', type="string")
        self.option("'--x'", type="string")
        self.option("'--x', default=lambda: 1", type="string")
        self.option("'--x', type=click.Path(), default=pathlib.Path('a')", yaml='"a"',
                    type="string")

    def test_a_boolean_gets_true_and_false_as_python_writes_them(self):
        self.option("'--x', type=bool, default=False", yaml="false", type="boolean",
                    arg_encoding=BOOLEANS)

    def test_choices_and_ranges_are_said(self):
        self.option("'--x', type=click.Choice(['a', 'b']), default='b'", yaml='"b"',
                    choices=['"a"', '"b"'])
        self.option("'--x', type=click.IntRange(1, 5, max_open=True)", type="int",
                    min="1", max="4")
        self.option("'--x', type=click.FloatRange(min=0.5)", type="float", min="0.5")

    def test_help_and_more_are_said(self):
        self.option("'--x', help='What it\\nis.', required=True, metavar='FILE'",
                    description="What it\nis.", required=True, metavar="FILE",
                    type="string")

    def test_nobody_can_answer_a_prompt(self):
        self.option("'--x', prompt=True", required=True, type="string")
        self.option("'--x', prompt=True, default='a'", yaml='"a"', type="string")

    def test_a_switch_is_passed_when_it_changes_the_default(self):
        self.option("'--x', is_flag=True", **switch_words())
        self.option("'--x/--no-x'", **switch_words())
        self.option("'--x/--not-x', default=True", arg_name="not-x",
                    **switch_words("true", "false"))

    def test_counts_and_values_of_switches_are_given_or_not(self):
        self.option("'--x', count=True", **switch_words())
        self.option("'--x', flag_value='upper'", **switch_words())

    def test_several_values_are_split(self):
        self.option("'--x', nargs=2, type=int, default=(1, 2)", split=True, type="int",
                    yaml="[1, 2]")
        self.option("'--x', multiple=True, default=['a']", type="string")

    def test_what_is_no_long_option_of_the_program_is_no_flag(self):
        self.assert_flags(self.click(
            "@click.command()", "@click.argument('a')", "@click.option('-s')",
            "@click.version_option('1')", "def main(**_): pass"), {})

    def test_a_script_gets_to_its_command_and_no_further(self):
        for call in "main()", "main.main()", "main(standalone_mode=False)":
            with self.subTest(call):
                answer = self.click("@click.command()", "@click.option('--x')",
                                    "def main(**_):", "  '''Does\n  it.\n\n  More.'''",
                                    "  open('reached', 'w')", call=call)
                self.assertEqual([flag["name"] for flag in answer["flags"]], ["x"])
                self.assertEqual(answer["description"], "Does it.")
                self.assertFalse((self.dir / "reached").exists())

    def test_an_argument_may_choose_a_subcommand(self):
        lines = ("@click.group()", "@click.option('--top')", "def main(**_): pass",
                 "@main.command()", "@click.option('--lr')", "def train(**_): pass")
        for args, name in ((), "top"), (("train",), "lr"), (("nope",), "top"):
            with self.subTest(args):
                self.assertEqual([flag["name"] for flag in
                                  self.click(*lines, args=args)["flags"]], [name])

    def test_a_program_that_calls_no_command_is_told_to(self):
        self.assert_error(self.click(call="pass"), "must call a click command")

    def test_a_python_without_click_is_said(self):
        self.script.write_text("import click")
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(OPTION_FLAGS), "--dest", "args:click",
             str(self.script)], stdout=subprocess.PIPE, check=True)
        self.assert_error(json.loads(done.stdout), "There is no module 'click'")


if __name__ == "__main__":
    unittest.main()
