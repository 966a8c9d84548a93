"""Tests scripts/python-flags.py from outside: what it prints of small scripts."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
PYTHON_FLAGS = TOP / "scripts" / "python-flags.py"
OPTIMIZERS = TOP / "tests" / "fixtures" / "optimizers"


def run(*words, options=("-I", "-S"), **how):
    return subprocess.run([sys.executable, *options, str(PYTHON_FLAGS), *map(str, words)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                          **how)


class Case(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.dir = pathlib.Path(directory.name)
        self.script = self.dir / "script.py"

    def describe_file(self, *words, **how):
        done = run(*words, **how)
        self.assertEqual((done.stderr, done.returncode), (b"", 0))
        self.assertEqual(done.stdout.count(b"\n"), 1)
        return json.loads(done.stdout)

    def describe(self, source):
        if isinstance(source, str):
            source = source.encode()
        self.script.write_bytes(source)
        return self.describe_file(self.script)

    def flags(self, source):
        """The flags as a dict: name to YAML, type and split."""
        answer = self.describe(source)
        self.assertIsNone(answer["error"])
        return {flag["name"]: (flag["yaml"], flag["type"], flag["split"])
                for flag in answer["flags"]}

    def yaml(self, text):
        """The YAML of one value, in bytes or as text; None when it is no flag."""
        prefix = b"x = " if isinstance(text, bytes) else "x = "
        return self.flags(prefix + text).get("x", (None,))[0]


class Fixtures(Case):

    def test_echo_has_three_globals(self):
        answer = self.describe_file(OPTIMIZERS / "echo.py")
        self.assertEqual(answer["dest"], "globals")
        self.assertEqual(answer["flags"], [
            {"name": "x", "yaml": "1.0", "type": "number", "split": False},
            {"name": "y", "yaml": "2", "type": "number", "split": False},
            {"name": "z", "yaml": '"a"', "type": "string", "split": False}])
        self.assertIsNone(answer["description"])
        self.assertIsNone(answer["pip_freeze"])
        self.assertIsNone(answer["error"])

    def test_train_takes_arguments(self):
        answer = self.describe_file(OPTIMIZERS / "train.py")
        self.assertEqual((answer["dest"], answer["flags"]), ("args", []))

    def test_nothing_of_the_script_is_executed(self):
        self.describe("open(%r, 'w')\nimport nonsense" % str(self.dir / "made"))
        self.assertEqual(os.listdir(str(self.dir)), ["script.py"])


class Dest(Case):

    def assert_dest(self, source, dest):
        self.assertEqual(self.describe(source)["dest"], dest)

    def test_argparse_anywhere_means_arguments(self):
        for source in ("import os, argparse as a", "from argparse import ArgumentParser",
                       "def f():\n  if 1:\n    try: pass\n    except E: import argparse",
                       "import click\nimport argparse"):
            with self.subTest(source):
                self.assert_dest(source, "args")

    def test_click_means_arguments_for_click(self):
        for source in "import click", "from click import command", "import click.testing":
            with self.subTest(source):
                self.assert_dest(source, "args:click")

    def test_all_else_means_globals(self):
        for source in ("", "import os", "from . import argparse", "argparse = 1",
                       "from .click import x", "import argparse2", "'import argparse'"):
            with self.subTest(source):
                self.assert_dest(source, "globals")


class Globals(Case):

    def test_values_are_as_yaml_types_them(self):
        for source, yaml, kind in (
                ("1", "1", "number"), ("-1", "-1", "number"), ("+1", "1", "number"),
                ("0x10", "16", "number"), ("1_000", "1000", "number"),
                ("1.0", "1.0", "number"), ("-0.0", "-0.0", "number"),
                ("1e-05", "1.0e-05", "number"), ("1e16", "1.0e+16", "number"),
                ("1.5e300", "1.5e+300", "number"), ("1e999", ".inf", "number"),
                ("-1e999", "-.inf", "number"), ("True", "true", "boolean"),
                ("False", "false", "boolean"), ("None", "null", None),
                ("'yes'", '"yes"', "string"), ("''", '""', "string"),
                ("'a' 'b'", '"ab"', "string"), ("'1'", '"1"', "string")):
            with self.subTest(source):
                self.assertEqual(self.flags("x = " + source), {"x": (yaml, kind, False)})

    def test_an_int_may_be_of_any_length(self):
        self.assertEqual(self.yaml("0x1" + "0" * 6000), str_of_power(4 * 6000))

    def test_lists_are_flow_lists(self):
        for source, yaml in (
                ("[]", "[]"), ("[1, 'a, b', None]", '[1, "a, b", null]'),
                ("[[1], [-2.5, True]]", "[[1], [-2.5, true]]")):
            with self.subTest(source):
                self.assertEqual(self.flags("x = " + source), {"x": (yaml, None, True)})

    def test_strings_are_escaped_where_yaml_needs_it(self):
        for source, yaml in (
                (r"'it\'s \"x\" \\'", r'"it' + "'" + r's \"x\" \\"'),
                (r"'a\n\t\r\x00\x1b\x7f'", r'"a\n\t\u000d\u0000\u001b\u007f"'),
                (r"'\x85\u2028\u2029\ufeff\uffff'", r'"\u0085\u2028\u2029\ufeff\uffff"'),
                ("'é 日本 \U0001f600'", '"é 日本 \U0001f600"')):
            with self.subTest(source):
                self.assertEqual(self.yaml(source), yaml)

    def test_what_is_no_constant_is_no_flag(self):
        for source in ("(1, 2)", "1 + 1", "f'a'", "b'a'", "{}", "{'a': 1}", "{1}", "1j",
                       "...", "y", "f()", "not True", "-True", "-'a'", "~1", "--1",
                       "[1, {}]", "[y]", "[*y]", "[1j]", r"'\ud800'", r"['\udcff']"):
            with self.subTest(source):
                self.assertIsNone(self.yaml(source))

    def test_only_plain_top_level_assignments_count(self):
        self.assertEqual(self.flags(
            "a: int = 1\nb += 1\n(c := 1)\nd, e = 1, 2\nf.x = 1\ng[0] = 1\n"
            "class C:\n    h = 1\ndef d():\n    i = 1\nif 1:\n    j = 1\n"
            "if 1: k = 1\nwith a: m = 1\nfor n in a: o = 1\n"), {})

    def test_the_first_assignment_wins(self):
        self.assertEqual(self.flags("x = 1\nx = 2")["x"][0], "1")

    def test_all_names_of_a_chain_are_flags(self):
        self.assertEqual(sorted(self.flags("a = b = c.d = _e = 1")), ["a", "b"])

    def test_private_names_are_no_flags(self):
        self.assertEqual(self.flags("_x = 1\n__all__ = ['a']"), {})

    def test_all_statements_of_a_line_count(self):
        self.assertEqual(sorted(self.flags("q = 5; r = 6")), ["q", "r"])

    def test_flags_are_sorted_by_name(self):
        self.assertEqual([flag["name"] for flag in
                          self.describe("b = 1\nc = 2\na = 3\nB = 4")["flags"]],
                         ["B", "a", "b", "c"])

    def test_a_value_that_is_no_flag_does_not_spoil_the_others(self):
        self.assertEqual(self.flags("o = 1j\nx = 1"), {"x": ("1", "number", False)})

    def test_the_encoding_that_the_script_declares_is_used(self):
        self.assertEqual(self.flags(b"# coding: latin-1\nx = '\xe9'")["x"][0], '"é"')
        self.assertEqual(self.flags(b"\xef\xbb\xbfx = '\xc3\xa9'")["x"][0], '"é"')


def str_of_power(bits):
    """str(2 ** bits), which Python limits to 4300 digits unless told otherwise."""
    return subprocess.run(
        [sys.executable, "-X", "int_max_str_digits=0", "-c", "print(1 << %d)" % bits],
        stdout=subprocess.PIPE, universal_newlines=True).stdout.strip()


class Places(Case):
    """Flags that go to the items of a dict or a SimpleNamespace."""

    def describe_for(self, dest, source):
        self.script.write_text(source)
        return self.describe_file("--dest", dest, self.script)

    def assert_items(self, dest, source, expected):
        answer = self.describe_for(dest, source)
        self.assertEqual((answer["error"], answer["dest"]), (None, dest))
        self.assertEqual([(flag["name"], flag["yaml"]) for flag in answer["flags"]],
                         expected)

    def test_the_items_are_flags_whatever_the_place_is_called(self):
        for dest in "global:p", "dict:p", "namespace:p":
            for source in ("p = {'b': 1, 'a': 'x'}", "p = dict(b=1, a='x')",
                           "p = SimpleNamespace(b=1, a='x')",
                           "p = types.SimpleNamespace(b=1, a='x')"):
                with self.subTest(dest + " " + source):
                    self.assert_items(dest, source, [("a", '"x"'), ("b", "1")])

    def test_inner_items_have_dots(self):
        self.assert_items("dict:p", "p = {'a': {'b': 1, 'c': {2: [3]}}, 'd': {}}",
                          [("a.b", "1"), ("a.c.2", "[3]")])

    def test_the_first_assignment_counts(self):
        self.assert_items("dict:p", "q = {}\np = {'a': 1}\np = 5", [("a", "1")])

    def test_private_items_are_no_flags(self):
        self.assert_items("dict:p", "p = {'_a': 1}", [])

    def test_an_item_that_would_be_lost_is_said(self):
        for source in ("f()", "(1, 2)", "{'b': f}", "[{}]"):
            with self.subTest(source):
                answer = self.describe_for("dict:p", "p = {\n'a': %s,\n}" % source)
                self.assertEqual((answer["flags"], answer["error"]["line"]), ([], 2))
                self.assertIn("All of 'p' must be", answer["error"]["message"])
        for source in "p = {**q}", "p = dict(**q)":
            answer = self.describe_for("dict:p", source)
            self.assertIn("All of", answer["error"]["message"])

    def test_a_place_that_is_none_is_said(self):
        for source, words in (("q = {}", "no 'p = {...}'"), ("p = 1", "must be a dict"),
                              ("p = dict([])", "must be a dict")):
            with self.subTest(source):
                answer = self.describe_for("namespace:p", source)
                self.assertIn(words, answer["error"]["message"])

    def test_a_destination_that_is_given_is_not_looked_for(self):
        self.assert_items("globals", "import argparse\nx = 1", [("x", "1")])
        self.assert_items("args", "x = 1", [])
        self.assert_items("none", "x = 1", [])


class Paths(Case):

    def test_a_path_that_exists_beside_the_script_becomes_absolute(self):
        (self.dir / "data").mkdir()
        for value, there in (("data/", str(self.dir) + "/data/"), ("data", "data"),
                             ("data/none", "data/none"), ("/", "/")):
            with self.subTest(value):
                self.assertEqual(self.yaml(repr(value)), json.dumps(there))
        self.assertEqual(self.yaml("['data/']"), '["data/"]')


class Description(Case):

    def test_it_is_the_first_paragraph_of_the_docstring(self):
        for source, description in (
                ('"""One line."""', "One line."),
                ('"""\n    Two\n    lines.\n\n    More.\n    """\n', "Two\nlines."),
                ('"""A.\n   \nB."""', "A."), ('""', None), ('"""\n  \n"""', None),
                ("b'x'", None), ("x = 1\n'later'", None), ("", None),
                (r"'a\x00\ud800b'", "a?b")):
            with self.subTest(source):
                self.assertEqual(self.describe(source)["description"], description)

    def test_the_version_is_on_one_line(self):
        self.assertEqual(self.describe("")["python_version"],
                         sys.version.replace("\n", ""))


class Errors(Case):

    def assert_error(self, answer, line, words):
        self.assertEqual((answer["dest"], answer["flags"]), ("globals", []))
        self.assertEqual(answer["error"]["line"], line)
        self.assertIn(words, answer["error"]["message"])
        self.assertTrue(answer["error"]["message"].endswith("."))

    def test_invalid_python_is_said_with_its_line(self):
        self.assert_error(self.describe("x = 1\ny = = 2\n"), 2, "no valid Python")

    def test_a_nul_byte_is_said_with_its_line(self):
        self.assert_error(self.describe(b"x = 1\n\ny = '\0'\n"), 3, "NUL")

    def test_what_is_not_utf_8_is_said_with_its_line(self):
        self.assert_error(self.describe(b"x = 1\n# \xff\n"), 2, "UTF-8")

    def test_an_unknown_encoding_is_said(self):
        error = self.describe(b"# coding: nonsense\nx = 1\n")["error"]
        self.assertIn("nonsense", error["message"])

    def test_a_pathological_source_is_said(self):
        for source in "x = " + "(" * 100000, "x = " + "-" * 100000 + "1":
            with self.subTest(source[:9]):
                self.assertIsNotNone(self.describe_strange(source)["error"])

    def test_a_pathological_source_gets_an_answer(self):
        # Some versions of Python can read these.
        for source in ("x = a" + ".a" * 100000, "x = " + "+".join(["1"] * 100000),
                       "if a: b\n" + "elif a: b\n" * 10000):
            with self.subTest(source[:9]):
                self.assertEqual(self.describe_strange(source)["flags"], [])

    def describe_strange(self, source):
        """Some versions of Python's parser print a line to stderr."""
        self.script.write_text(source)
        done = run(self.script)
        self.assertEqual(done.returncode, 0)
        return json.loads(done.stdout)

    def test_a_script_of_more_than_10_mib_is_said(self):
        self.assert_error(self.describe(b"#" * (10 * 1024 * 1024) + b"#"), 0, "10 MiB")

    def test_a_script_of_10_mib_is_read(self):
        self.assertIsNone(self.describe(b"#" * (10 * 1024 * 1024))["error"])

    def test_a_missing_script_is_said(self):
        self.assert_error(self.describe_file(self.dir / "nope.py"), 0, "No such file")

    def test_what_is_no_regular_file_is_said_at_once(self):
        os.mkfifo(str(self.script))
        for path in self.dir, self.script:
            self.assert_error(self.describe_file(path), 0, "no regular file")

    def test_wrong_arguments_are_said(self):
        for words in (), ("a", "b"), ("--pip-freeze",), ("a", "--pip-freeze"), \
                ("--dest", "a"), ("--dest",), ("--dest", "", "a"):
            done = run(*words)
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertTrue(done.stderr.startswith(b"usage: "))


class PipFreeze(Case):

    def install(self, file_name, name, version):
        """Makes a package's metadata, in a directory for PYTHONPATH."""
        metadata = self.dir / (file_name + ".dist-info") / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text("Name: %s\nVersion: %s\n" % (name, version))

    def packages(self, options):
        self.script.write_text("")
        return self.describe_file(
            "--pip-freeze", self.script, options=options,
            env={**os.environ, "PYTHONPATH": str(self.dir)})["pip_freeze"]

    def test_packages_are_listed_as_pip_does(self):
        self.install("b_x-1.0", "B_x", "1.0")
        self.install("a.y-2", "a.y", "2")
        self.install("pip-99", "pip", "99")
        found = [line for line in self.packages(["-s"])
                 if line.startswith(("B_x=", "a.y=", "pip="))]
        self.assertEqual(found, ["a.y==2", "B_x==1.0"])

    def test_it_is_the_same_with_and_without_site(self):
        self.assertEqual(self.packages(["-I", "-S"]), self.packages(["-I"]))


if __name__ == "__main__":
    unittest.main()
