"""Tests scripts/op-main.py from outside: scripts are run with it as a run does it."""

import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
OP_MAIN = TOP / "scripts" / "op-main.py"
OPTIMIZERS = TOP / "tests" / "fixtures" / "optimizers"


class Case(unittest.TestCase):
    """Has a directory of its own, which is the run's: PYTHONPATH and cwd."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.dir = pathlib.Path(directory.name).resolve()

    def write(self, name, text):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def start(self, *words, dest=None, python_path=".", **env):
        """Runs op-main.py with words after it; gives the finished process."""
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(python_path), **env}
        if dest is not None:
            env["FLAGS_DEST"] = dest
        return subprocess.run(
            [sys.executable, "-u", str(OP_MAIN), *words], cwd=str(self.dir), env=env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
            encoding="utf-8", timeout=60)

    def output(self, *words, **how):
        done = self.start(*words, **how)
        self.assertEqual((done.stderr, done.returncode), ("", 0))
        return done.stdout

    def output_of(self, text, *words, **how):
        self.write("script.py", text)
        return self.output("script", *words, **how)

    def plain(self, text):
        """What Python itself prints for a script, without op-main.py."""
        return subprocess.run(
            [sys.executable, str(self.write("script.py", text))], cwd=str(self.dir),
            env={"PATH": os.environ["PATH"], "PYTHONPATH": "."}, check=True,
            stdout=subprocess.PIPE, universal_newlines=True).stdout

    def globals_output(self, text, *words):
        return self.output_of(text, *words, dest="globals")


class Fixtures(Case):

    def test_echo_prints_its_defaults(self):
        self.assertEqual(self.output("echo", python_path=OPTIMIZERS, dest="globals"),
                         "1.0 2 'a'\n")

    def test_echo_prints_the_flags_it_is_given(self):
        self.assertEqual(
            self.output("echo", "--x", "10", "--y", "3", "--z", "'b'",
                        python_path=OPTIMIZERS, dest="globals"), "10 3 'b'\n")

    def test_fail_ends_with_its_status(self):
        done = self.start("fail", "--code", "7", python_path=OPTIMIZERS, dest="globals")
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (7, "failing with 7\n", "to stderr\n"))

    def test_train_gets_arguments(self):
        out = self.output("train", "--", "--epochs", "1", "--lr", "0.5",
                          python_path=OPTIMIZERS, dest="args")
        self.assertEqual(out, "step: 1\nloss: 0.500000\n")


class FlagValues(Case):

    def value(self, *words):
        return self.globals_output("print(repr(x))", "--x", *words).rstrip("\n")

    def test_what_repr_prints_comes_back(self):
        for text in ("True", "None", "1.0", "1e-05", "-3", "inf", "-inf", "nan", "[]",
                     "\"it's\"", r"'a\nb\x00'", "''", "'1'",
                     "[1, 'a', [True]]", "{'a': 1, 'b': {'c': None}}", "(1, 2)", "{1}",
                     "b'x'", "datetime.date(2020, 1, 1)", "10" * 50,
                     "datetime.datetime(2020, 1, 1, 10, 0)",
                     "datetime.datetime(2020, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)",
                     "datetime.datetime(2020, 1, 1, 0, 0, tzinfo="
                     "datetime.timezone(datetime.timedelta(seconds=3600)))"):
            with self.subTest(text):
                self.assertEqual(self.value(text), text)

    def test_what_is_no_literal_is_a_string(self):
        for text in ("abc", "a b", "1 + 1", "print(1)", "os.getcwd()", "f'{x}'", "'open",
                     "", " 1", "...", "-'a'", "~1", "{[]: 1}", "{**x}", "1 if 1 else 2",
                     "datetime.date(0, 0, 0)", "datetime.date.today()",
                     "datetime.MINYEAR", "inf.real", "lambda: 1"):
            with self.subTest(text):
                self.assertEqual(self.value(text), repr(text))

    def test_what_is_nested_too_deeply_is_a_string(self):
        self.write("script.py", "print(x)")
        for text in "(" * 3000, "~" * 100000 + "1":
            # Some versions of Python's parser print a line to stderr.
            done = self.start("script", "--x", text, dest="globals")
            self.assertEqual(done.stdout, text + "\n")

    def test_a_whole_number_may_be_longer_than_python_reads(self):
        for digits in "9" * 5000, "-" + "9" * 5000:
            self.assertEqual(self.globals_output(
                "print(x == %s10 ** 5000 %s 1)\n" % (
                    ("-", "+") if digits[0] == "-" else ("", "-")),
                "--x", digits), "True\n")
        self.assertEqual(self.globals_output(
            "import sys; print(sys.get_int_max_str_digits())", "--x", "9" * 5000),
            "4300\n")

    def test_a_value_may_begin_with_a_dash(self):
        self.assertEqual(self.value("-1"), "-1")

    def test_a_name_without_a_value_is_true(self):
        self.assertEqual(self.value(), "True")

    def test_a_name_with_several_values_is_a_list(self):
        self.assertEqual(self.value("1", "'a'"), "[1, 'a']")

    def test_words_before_the_first_name_are_arguments(self):
        self.assertEqual(
            self.globals_output("import sys; print(sys.argv[1:], x)", "a", "--x", "1"),
            "['a'] 1\n")

    def test_only_what_follows_the_last_dashes_are_flags(self):
        self.assertEqual(
            self.globals_output("import sys; print(sys.argv[1:], x)",
                                "--a", "--", "b", "--", "--x", "1"),
            "['--a', '--', 'b'] 1\n")


class Assignments(Case):

    def test_only_the_first_assignment_is_dropped(self):
        self.assertEqual(self.globals_output("x = 1\nprint(x)\nx = 2\nprint(x)",
                                             "--x", "5"), "5\n2\n")

    def test_a_name_that_is_not_assigned_is_set(self):
        self.assertEqual(self.globals_output("print(x)", "--x", "5"), "5\n")

    def test_the_assignment_in_an_if_is_dropped(self):
        self.assertEqual(self.globals_output(
            "if True:\n    y = 0\n    if True:\n        x = 1\nprint(x)", "--x", "5"),
            "5\n")

    def test_an_if_may_lose_all_it_has(self):
        self.assertEqual(self.globals_output(
            "if True:\n    x = 1\nelse:\n    print('no')\nprint(x)", "--x", "5"), "5\n")

    def test_assignments_in_functions_and_classes_stay(self):
        self.assertEqual(self.globals_output("""\
            def f():
                x = 1
                return x
            class C:
                x = 2
            print(f(), C.x, x)
            """, "--x", "5"), "1 2 5\n")

    def test_only_the_target_of_a_chain_is_dropped(self):
        self.assertEqual(self.globals_output("a = b = 1\nprint(a, b)", "--a", "5"),
                         "5 1\n")

    def test_a_chain_may_lose_all_targets(self):
        self.assertEqual(
            self.globals_output("a = b = 1\nprint(a, b)", "--a", "5", "--b", "6"),
            "5 6\n")

    def test_other_kinds_of_targets_are_no_plain_assignment(self):
        self.assertEqual(self.globals_output(
            "d = {}\nd['x'] = x\nx, y = 1, 2\nprint(d, x)", "--x", "5"),
            "{'x': 5} 1\n")

    def test_the_second_statement_of_a_line_is_dropped_too(self):
        self.assertEqual(self.globals_output("q = 5; r = 6\nprint(q, r)", "--r", "7"),
                         "5 7\n")

    def test_a_docstring_and_future_imports_keep_working(self):
        self.assertEqual(self.globals_output(
            '"""Doc."""\nfrom __future__ import annotations\nx = 1\n'
            'def f(a: nonsense): pass\nprint(__doc__, x)', "--x", "5"), "Doc. 5\n")

    def test_a_string_after_the_assignment_is_no_docstring(self):
        self.assertEqual(self.globals_output("x = 1\n'about x'\nprint(__doc__)",
                                             "--x", "5"), "None\n")

    def test_line_numbers_stay(self):
        self.write("script.py", "x = 1\n\nif x:\n    x = 2\n    1 / 0\n")
        done = self.start("script", "--x", "5", dest="globals")
        self.assertIn("script.py\", line 5, in <module>", done.stderr)

    def test_the_encoding_that_the_script_declares_is_used(self):
        (self.dir / "script.py").write_bytes(b"# coding: latin-1\nx = 1\ny = '\xe9'\n"
                                             b"print(ascii(y))\n")
        for dest in "globals", "none":
            self.assertEqual(self.output("script", "--x", "5", dest=dest), "'\\xe9'\n")


class Destinations(Case):

    SHOW = "import sys\nx = 1\nprint(x, sys.argv[1:])"

    def test_arguments_are_passed_through(self):
        for dest in "args", "args:click", None:
            with self.subTest(dest):
                self.assertEqual(self.output_of(self.SHOW, "a", "--x", "2", dest=dest),
                                 "1 ['a', '--x', '2']\n")

    def test_the_last_dashes_are_not_an_argument(self):
        self.assertEqual(self.output_of(self.SHOW, "a", "--", "b", "--", "--x", "2"),
                         "1 ['a', '--', 'b', '--x', '2']\n")

    def test_none_passes_no_flags(self):
        for dest in "none", "config:c.yml":
            with self.subTest(dest):
                self.assertEqual(
                    self.output_of(self.SHOW, "a", "--", "--x", "2", dest=dest),
                    "1 ['a']\n")

    def test_a_dict_gets_the_flags(self):
        for dest in "global:p", "dict:p":
            with self.subTest(dest):
                self.assertEqual(
                    self.output_of("p = {'a': 0}\nprint(p)", "--a", "1", "--b.c", "'d'",
                                   dest=dest), "{'a': 1, 'b': {'c': 'd'}}\n")

    def test_a_namespace_gets_the_flags(self):
        self.assertEqual(
            self.output_of("p = None\nprint(p.a, p.b.c)", "--a", "1", "--b.c", "'d'",
                           dest="namespace:p"), "1 d\n")


class FindingTheModule(Case):

    WHERE = "import sys; print(__file__, sys.argv[0])"

    def assert_runs(self, main, path):
        self.assertEqual(self.output(main), "%s %s\n" % ((self.dir / path,) * 2))

    def test_a_trailing_py_is_accepted(self):
        self.write("a.py", self.WHERE)
        self.assert_runs("a", "a.py")
        self.assert_runs("a.py", "a.py")

    def test_a_name_may_have_dashes_and_dots(self):
        self.write("a-b.c.py", self.WHERE)
        self.assert_runs("a-b.c.py", "a-b.c.py")

    def test_a_directory_goes_on_sys_path(self):
        self.write("dir/sub/mod.py", "import near\n" + self.WHERE)
        self.write("dir/sub/near.py", "")
        self.assert_runs("dir/sub/mod", "dir/sub/mod.py")
        self.assert_runs(str(self.dir / "dir/sub/mod.py"), "dir/sub/mod.py")

    def test_a_directory_wins_over_the_same_name_outside(self):
        self.write("mod.py", "print('outside')")
        self.write("dir/mod.py", self.WHERE)
        self.assert_runs("dir/mod", "dir/mod.py")

    def test_a_module_of_a_package_imports_relatively(self):
        self.write("pkg/__init__.py", "ready = True")
        self.write("pkg/other.py", "")
        self.write("pkg/mod.py", """\
            from . import other, ready
            print(__name__, __package__, __spec__.name, ready)
            """)
        self.assertEqual(self.output("pkg.mod"), "__main__ pkg pkg.mod True\n")

    def test_a_directory_without_init_is_a_package_too(self):
        self.write("pkg/other.py", "")
        self.write("pkg/mod.py", "from . import other\nprint(__package__)")
        self.assertEqual(self.output("pkg.mod"), "pkg\n")

    def test_a_package_runs_its_main(self):
        self.write("pkg/__init__.py", "")
        self.write("pkg/__main__.py", "from . import __name__ as n; print(n, __name__)")
        self.assertEqual(self.output("pkg"), "pkg __main__\n")

    def test_a_missing_module_is_said_in_one_sentence(self):
        for main in "nope", "dir/nope", "nope.py", "pkg.nope":
            with self.subTest(main):
                done = self.start(main)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertTrue(done.stderr.startswith(
                    "runfs: no module named '%s' in %s: " % (main, self.dir)))
                self.assertEqual(done.stderr.count("\n"), 1)

    def test_no_module_at_all_is_said_too(self):
        done = self.start()
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr.startswith("runfs: no module"))

    def test_a_module_that_is_in_the_current_directory_only_is_not_found(self):
        self.write("a.py", self.WHERE)
        self.assertEqual(self.start("a", python_path="/nonexistent").returncode, 1)


class SysPath(Case):

    def path(self, **how):
        return self.output_of("import sys; print('\\n'.join(sys.path))",
                              **how).splitlines()

    def test_the_directory_of_op_main_is_not_on_it(self):
        self.assertNotIn(str(OP_MAIN.parent), self.path())

    def test_pythonpath_is_first(self):
        self.assertEqual(self.path()[0], str(self.dir))

    def test_pythonpath_is_first_when_python_adds_no_directory(self):
        self.assertEqual(self.path(PYTHONSAFEPATH="1")[0], str(self.dir))

    def test_script_dir_replaces_the_directory_of_op_main(self):
        self.write("s/script.py", "print('s')")
        self.write("script.py", "print('wrong')")
        self.assertEqual(self.output("script", SCRIPT_DIR="s"), "s\n")

    def test_no_sys_path_modify_keeps_the_current_directory(self):
        self.write("script.py", "print('here')")
        self.assertEqual(self.output("script", python_path="", NO_SYS_PATH_MODIFY="1"),
                         "here\n")

    def test_a_module_of_the_project_does_not_disturb_op_main(self):
        for name in "_ast", "ast", "json", "runpy", "types", "inspect", "argparse":
            self.write(name + ".py", "print(__name__)")
        # Python itself may import some of them as it starts, through *.pth files.
        expected = self.plain("print(5)")
        self.assertEqual(self.globals_output("x = 1\nprint(x)", "--x", "5"), expected)


class BeingMain(Case):

    def test_the_globals_are_those_of_a_script(self):
        show = "x = 1\nprint(sorted(globals()))\nprint(__name__, __package__, __spec__)"
        # Python before 3.14 makes the annotations of __main__ in advance.
        expected = self.plain(show).replace("'__annotations__', ", "")
        self.assertEqual(self.globals_output(show, "--x", "1"), expected)

    def test_main_can_be_imported_pickled_and_inspected(self):
        self.assertEqual(self.globals_output("""\
            import __main__, dataclasses, inspect, pickle, typing
            size = 1
            @dataclasses.dataclass
            class Point:
                x: int
                y: 'typing.ClassVar[int]' = 2
            assert __main__.size == size == 3
            print(pickle.loads(pickle.dumps(Point(size))), typing.get_type_hints(Point))
            print('class Point' in inspect.getsource(Point))
            """, "--size", "3"),
            "Point(x=3) {'x': <class 'int'>, 'y': typing.ClassVar[int]}\nTrue\n")

    def test_multiprocessing_works(self):
        text = """\
            import multiprocessing
            size = 1
            def double(x):
                return 2 * x
            if __name__ == "__main__":
                context = multiprocessing.get_context("%s")
                with context.Pool(1) as pool:
                    print(pool.map(double, [size, 2]))
            """
        self.write("pkg/__init__.py", "")
        for method in "fork", "spawn":
            for name, file in ("script", "script.py"), ("pkg.mod", "pkg/mod.py"):
                with self.subTest(method, name=name):
                    self.write(file, text % method)
                    self.assertEqual(self.output(name, "--size", "5", dest="globals"),
                                     "[10, 4]\n")

    def test_output_is_not_held_back(self):
        self.assertEqual(self.output_of("import os\nprint('a')\nos._exit(0)"), "a\n")


class Endings(Case):

    def end(self, text, *words, **how):
        self.write("script.py", text)
        return self.end_again(*words, **how)

    def end_again(self, *words, **how):
        done = self.start("script", *words, **how)
        return done.returncode, done.stderr

    def test_system_exit_passes_through(self):
        for text, end in (("3", (3, "")), ("", (0, "")), ("'bye'", (1, "bye\n"))):
            self.assertEqual(self.end("import sys; sys.exit(%s)" % text), end)

    def test_an_exception_shows_only_frames_of_the_script(self):
        for words in (), ("--x", "1"):
            code, text = self.end("def f():\n    1 / 0\nf()\n", *words, dest="globals")
            self.assertEqual(code, 1)
            self.assertEqual(text.count("File "), 2)
            self.assertNotIn("op-main", text)
            self.assertTrue(text.startswith("Traceback (most recent call last):\n"))
            self.assertTrue(text.endswith("ZeroDivisionError: division by zero\n"))

    def test_a_syntax_error_looks_as_from_python(self):
        for words in (), ("--x", "1"):
            code, text = self.end("x = (\n", *words, dest="globals")
            self.assertEqual(code, 1)
            self.assertTrue(text.startswith('  File "%s/script.py", line ' % self.dir))
            self.assertNotIn("Traceback", text)

    def test_an_error_in_the_package_shows_no_frames_of_ours(self):
        self.write("pkg/__init__.py", "1 / 0")
        self.write("pkg/mod.py", "")
        done = self.start("pkg.mod")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("File "), 1)

    def test_an_interrupt_gives_a_traceback_and_status_1(self):
        code, text = self.end("import os, signal, time\n"
                              "os.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
        self.assertEqual(code, 1)
        self.assertTrue(text.startswith("Traceback"))
        self.assertTrue(text.endswith("KeyboardInterrupt\n"))
        self.assertNotIn("op-main", text)

    def test_a_signal_ends_it_as_any_program(self):
        self.assertEqual(self.end("import os; os.kill(os.getpid(), 15)")[0], -15)

    def test_the_hook_of_the_script_is_called(self):
        self.assertEqual(self.end("""\
            import atexit, sys
            sys.excepthook = lambda kind, error, trace: print(
                kind.__name__, trace.tb_lineno, file=sys.stderr)
            atexit.register(lambda: print('last', sys.last_value, file=sys.stderr))
            raise ValueError('v')
            """), (1, "ValueError 5\nlast v\n"))

    def test_an_unreadable_file_is_said(self):
        (self.dir / "script.py").symlink_to("/proc/self/mem")
        code, text = self.end_again()
        self.assertEqual(code, 1)
        self.assertTrue(text.startswith("runfs: cannot read '"), text)


if __name__ == "__main__":
    unittest.main()
