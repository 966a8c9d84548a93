/* Which Python, and what it is asked: the answer comes through the loop, or a reason. */
#include "engine/python.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/file.h"
#include "engine/python-cache.h"
#include "expect.h"
#include "patience.h"
#include "scratch.h"

static struct loop *loop;
static struct python *python;
static struct strbuf answered; /* the answer as JSON, or the sentence */
static bool has_answer;

static void begin(void)
{
	_cleanup_(strbuf_done) struct strbuf helper = STRBUF_INIT;

	scratch_make();
	strbuf_addf(&helper, "%s/python-flags.py", getenv("RUNFS_SCRIPTS"));
	cr_assert_eq(loop_new(&loop), 0);
	cr_assert_eq(python_new(loop, strbuf_cstr(&helper), &python), 0);
	unsetenv("GUILD_PYTHON_EXE");
	unsetenv("VIRTUAL_ENV");
	unsetenv("CONDA_PREFIX");
}

static void end(void)
{
	python_free(python);
	loop_free(loop);
	strbuf_done(&answered);
	scratch_remove();
}

TestSuite(python, .init = begin, .fini = end, .timeout = 120);

static void set_path(const char *name, const char *path)
{
	_cleanup_free_ char *absolute = scratch_path(path);

	setenv(name, absolute, 1);
}

static void expect_found_for(const char *requires, const char *path)
{
	_cleanup_(strbuf_done) struct strbuf found = STRBUF_INIT, why = STRBUF_INIT;
	_cleanup_free_ char *absolute = scratch_path(path);

	cr_expect_eq(python_find(python, str_from(requires), &found, &why), 0, "%s: %s",
		     requires, strbuf_cstr(&why));
	expect_text(strbuf_str(&found), absolute, path);
}

static void expect_found(const char *path)
{
	expect_found_for("", path);
}

static void put_pythons(const char *const *paths)
{
	for (; *paths; paths++)
		scratch_put_program(*paths, "#!/bin/sh\n");
}

Test(python, it_is_guild_s_then_the_environment_s_then_path_s)
{
	put_pythons((const char *[]){ "bin/python3", "venv/bin/python", "own", NULL });
	set_path("PATH", "bin");
	expect_found("bin/python3");
	set_path("VIRTUAL_ENV", "venv");
	expect_found("venv/bin/python");
	set_path("GUILD_PYTHON_EXE", "own");
	expect_found("own");
	setenv("GUILD_PYTHON_EXE", "", 1);
	expect_found("venv/bin/python");
	setenv("VIRTUAL_ENV", "", 1);
	expect_found("bin/python3");
	setenv("GUILD_PYTHON_EXE", "python3", 1);
	expect_found("bin/python3");
}

Test(python, in_an_active_environment_it_is_the_python_of_path)
{
	put_pythons((const char *[]){ "bin/python", "bin/python3", "conda/bin/python",
				      NULL });
	set_path("PATH", "bin");
	set_path("CONDA_PREFIX", "conda");
	expect_found("bin/python");
	scratch_delete("bin/python");
	expect_found("conda/bin/python");
	scratch_delete("conda/bin/python");
	expect_found("bin/python3");
}

Test(python, a_project_s_own_environment_comes_before_python3)
{
	_cleanup_free_ char *project = scratch_path("project");

	put_pythons((const char *[]){
		"bin/python3", "project/venv/bin/python", "project/.venv/bin/python",
		"project/env/bin/python", "active/bin/python", NULL });
	set_path("PATH", "bin");
	expect_found("bin/python3");
	cr_assert_eq(python_set_project(python, project), 0);
	expect_found("project/venv/bin/python");
	scratch_delete("project/venv/bin/python");
	expect_found("project/.venv/bin/python");
	scratch_delete("project/.venv/bin/python");
	expect_found("project/env/bin/python");
	set_path("VIRTUAL_ENV", "active");
	expect_found("active/bin/python");
	unsetenv("VIRTUAL_ENV");
	scratch_delete("project/env/bin/python");
	scratch_put("project/env/bin/python", "is no program");
	expect_found("bin/python3");
}

Test(python, one_of_the_required_version_is_taken_from_the_same_directory)
{
	static const struct {
		const char *requires, *path;
	} rows[] = {
		{ ">=3.8", "bin/python3" },
		{ "3.10", "bin/python3" },
		{ "3", "bin/python3" },
		{ "==3.10", "bin/python3" },
		{ ">3.10", "bin/python3.12" },
		{ " >= 3.11 ", "bin/python3.12" },
		{ ">=3.8,<3.10", "bin/python3.9" },
		{ "3.9", "bin/python3.9" },
		{ "==3.9.*", "bin/python3.9" },
		{ "!=3.10", "bin/python3.12" },
		{ "!=3.10,<=3.9", "bin/python3.9" },
		{ "~=3.8", "bin/python3" },
		{ "~=3.12.0", "bin/python3.12" },
		{ "===3.9", "bin/python3.9" },
		{ "<3.10", "bin/python3.9" },
	};

	put_pythons((const char *[]){ "bin/python3.9", "bin/python3.10", "bin/python3.12",
				      "bin/python3.13-config", "other/python3.20",
				      NULL });
	scratch_put("bin/python3.14", "is no program");
	scratch_put_link("bin/python3", "python3.10");
	set_path("PATH", "bin");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect_found_for(rows[i].requires, rows[i].path);
	}
}

Test(python, a_required_version_that_is_none_or_not_there_is_said)
{
	static const struct {
		const char *requires;
		int r;
		const char *sentence;
	} rows[] = {
		{ ">=3.11", -ENOENT, "there is no Python >=3.11, as python-requires" },
		{ "==3.9.1", -ENOENT, "GUILD_PYTHON_EXE" },
		{ "python3", -EINVAL, "is no version: 'python3', but would be as" },
		{ ">=", -EINVAL, "'>='" },
		{ ",>=3.8", -EINVAL, "is no version" },
		{ ">=3.*", -EINVAL, "is no version" },
		{ "~=3", -EINVAL, "is no version" },
		{ "3.", -EINVAL, "is no version" },
		{ "3.9rc1", -EINVAL, "is no version" },
		{ "3.1.1.1.1", -EINVAL, "is no version" },
		{ "99999999999", -EINVAL, "is no version" },
	};

	put_pythons((const char *[]){ "bin/python3", "bin/python3.9", NULL });
	set_path("PATH", "bin");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf found = STRBUF_INIT,
						     why = STRBUF_INIT;

		cr_expect_eq(python_find(python, str_from(rows[i].requires), &found,
					 &why),
			     rows[i].r, "%s", rows[i].requires);
		expect_sentence(&why, rows[i].sentence, rows[i].requires);
	}
}

Test(python, one_that_is_not_there_is_named)
{
	static const struct {
		const char *name, *path;
		int r;
		const char *sentence;
	} rows[] = {
		{ "PATH", "none", -ENOENT, "'python3' is in no directory of PATH" },
		{ "GUILD_PYTHON_EXE", "plain", -EACCES, "/plain' is not executable" },
	};

	scratch_put("plain", "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		struct python_question *question = NULL;
		struct python_call call = { .script = "/x.py" };

		set_path(rows[i].name, rows[i].path);
		cr_expect_eq(python_ask(python, &call, NULL, NULL, &question, &why),
			     rows[i].r);
		expect_sentence(&why, rows[i].sentence, rows[i].name);
	}
}

static void on_answer(void *userdata, const json_t *answer, const char *why)
{
	char *text = answer ? json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	cr_expect_eq(userdata, loop);
	cr_expect_eq(answer == NULL, why != NULL);
	strbuf_adds(&answered, text ? text : why);
	free(text);
	has_answer = true;
	loop_stop(loop);
}

static struct python_question *ask_call(const struct python_call *call)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	struct python_question *question = NULL;

	cr_assert_eq(python_ask(python, call, on_answer, loop, &question, &why), 0, "%s",
		     strbuf_cstr(&why));
	cr_expect_not(has_answer, "before the loop ran");
	return question;
}

static struct python_question *ask(const char *script)
{
	struct python_call call = { .script = script };

	return ask_call(&call);
}

/* A Python that is this shell script. */
static void put_python(const char *script)
{
	scratch_put_program("python", script);
	set_path("GUILD_PYTHON_EXE", "python");
}

Test(python, the_flags_of_a_script_are_told)
{
	_cleanup_free_ char *script = scratch_path("a b.py");

	scratch_put("a b.py", "\"\"\"Does it.\"\"\"\nx = 1.5\ny = 'a'\n");
	(void)ask(script);
	run_patiently(loop);
	expect_sentence(&answered, "\"dest\":\"globals\"", "dest");
	expect_sentence(&answered, "\"description\":\"Does it.\"", "description");
	expect_sentence(&answered, "\"name\":\"x\",\"split\":false", "x");
	expect_sentence(&answered, "\"pip_freeze\":[", "packages");
	expect_sentence(&answered, "\"error\":null", "error");
}

/* How often the Python of put_counted() was started. */
static size_t n_calls(void)
{
	_cleanup_free_ char *calls = scratch_get("calls");

	return calls ? strlen(calls) : 0;
}

static void put_counted(void)
{
	_cleanup_(strbuf_done) struct strbuf script = STRBUF_INIT;

	strbuf_addf(&script,
		    "#!/bin/sh\nprintf x >>%s/calls\nexec /usr/bin/python3 \"$@\"\n",
		    scratch);
	put_python(strbuf_cstr(&script));
}

/* The answer about x.py comes, after so many calls of Python in all. */
static void expect_calls(const struct python_call *call, size_t n, const char *sentence)
{
	has_answer = false;
	strbuf_reset(&answered);
	(void)ask_call(call);
	run_patiently(loop);
	cr_expect_eq(n_calls(), n, "%s: %zu calls", sentence, n_calls());
	expect_sentence(&answered, sentence, sentence);
}

/* The path of the only file in the cache; the caller frees. */
static char *cached_file(void)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_free_ char *cache = scratch_path("home/cache/runfs/flags");

	dir = opendir(cache);
	cr_assert_not_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
			strbuf_addf(&path, "home/cache/runfs/flags/%s", entry->d_name);
	return strbuf_take(&path);
}

Test(python, what_it_has_said_of_a_script_is_kept_in_the_home)
{
	_cleanup_free_ char *script = scratch_path("x.py"), *file = NULL;
	_cleanup_close_ int home_fd = -1;
	struct python_call call = { .script = script };

	put_counted();
	scratch_make_dir("home");
	scratch_put("x.py", "x = 1\n");
	home_fd = file_open_dir(scratch_fd, "home");
	expect_calls(&call, 1, "\"yaml\":\"1\"");
	cr_expect_not(scratch_has("home/cache"), "there is no home");
	python_set_home(python, home_fd);
	expect_calls(&call, 2, "\"yaml\":\"1\"");
	cr_expect_not(scratch_has("home/cache"), "nobody has used it");
	scratch_make_dir("home/runs");
	expect_calls(&call, 3, "\"yaml\":\"1\"");
	expect_calls(&call, 3, "\"yaml\":\"1\"");
	expect_calls(&call, 3, "\"pip_freeze\":[");
	/* A file that is not as it should be is passed over, and made anew. */
	file = cached_file();
	scratch_put(file, "runfs flags 1 x\n{}");
	expect_calls(&call, 4, "\"yaml\":\"1\"");
	scratch_put(file, "");
	expect_calls(&call, 5, "\"yaml\":\"1\"");
	expect_calls(&call, 5, "\"yaml\":\"1\"");
	/* Another text, and the first again; touching it is no change. */
	scratch_put("x.py", "x = 2\n");
	expect_calls(&call, 6, "\"yaml\":\"2\"");
	scratch_put("x.py", "x = 1\n");
	expect_calls(&call, 6, "\"yaml\":\"1\"");
	/* Another question, and another Python. */
	call.dest = "dict:p";
	expect_calls(&call, 7, "\"dest\":\"dict:p\"");
	put_counted();
	expect_calls(&call, 8, "\"dest\":\"dict:p\"");
	/* One that can't be read is asked about each time. */
	scratch_put("x.py", "x = (\n");
	expect_calls(&call, 9, "\"error\":{");
	expect_calls(&call, 10, "\"error\":{");
}

Test(python, of_one_that_is_run_its_modules_count_too)
{
	_cleanup_free_ char *script = scratch_path("x.py");
	_cleanup_close_ int home_fd = -1;
	struct python_call call = { .script = script, .dest = "args", .run = true };

	put_counted();
	scratch_make_dir("home/runs");
	home_fd = file_open_dir(scratch_fd, "home");
	python_set_home(python, home_fd);
	scratch_put("x.py", "import options\noptions.parser.parse_args()\n");
	scratch_put("options.py", "import argparse\nparser = argparse.ArgumentParser()\n"
				  "parser.add_argument('--old')\n");
	expect_calls(&call, 1, "\"name\":\"old\"");
	expect_calls(&call, 1, "\"name\":\"old\"");
	scratch_put("options.py", "import argparse\nparser = argparse.ArgumentParser()\n"
				  "parser.add_argument('--newer')\n");
	expect_calls(&call, 2, "\"name\":\"newer\"");
}

Test(python, what_is_kept_ends_with_the_packages_and_is_bounded)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	_cleanup_close_ int home_fd = -1;
	json_auto_t *answer = NULL, *found = NULL, *big = NULL;
	struct dirent **entries = NULL;
	struct stat st;
	int n;

	scratch_make_dir("home/runs");
	scratch_make_dir("site");
	home_fd = file_open_dir(scratch_fd, "home");
	cr_assert_eq(fstatat(scratch_fd, "site", &st, 0), 0);
	strbuf_addf(&path, "%s/site", scratch);
	answer = json_pack(
		"{s:[{s:s, s:I}]}", "sites", "path", strbuf_cstr(&path), "mtime_ns",
		(json_int_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
	cr_expect_eq(python_cache_load(home_fd, "a", &found), -ENOENT);
	cr_assert_eq(python_cache_store(home_fd, "a", answer), 0);
	cr_assert_eq(python_cache_load(home_fd, "a", &found), 0);
	cr_expect(json_equal(found, answer));
	json_decref(found);
	found = NULL;
	scratch_put("site/new.dist-info/METADATA", "");
	cr_expect_eq(python_cache_load(home_fd, "a", &found), -ENOENT);

	for (int i = 0; i < PYTHON_CACHE_MAX_FILES + 10; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "k%d", i);
		cr_assert_eq(python_cache_store(home_fd, key, answer), 0);
	}
	n = scandirat(home_fd, "cache/runfs/flags", &entries, NULL, NULL);
	cr_expect_leq(n, PYTHON_CACHE_MAX_FILES + 2);
	cr_expect_geq(n, PYTHON_CACHE_MAX_FILES / 2);
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	cr_expect_not(scratch_has("home/cache/runfs/flags/k0"), "the oldest");

	strbuf_reset(&path);
	for (unsigned int i = 0; i < PYTHON_CACHE_MAX_LEN; i++)
		strbuf_addc(&path, 'x');
	big = json_pack("{s:s}", "x", strbuf_cstr(&path));
	cr_expect_eq(python_cache_store(home_fd, "big", big), -EFBIG);
}

Test(python, it_is_asked_apart_from_the_user_s_environment)
{
	put_python("#!/bin/sh\n"
		   "printf '[\"%s\", \"%s\", \"%s\", \"%s\"]' $1 $2 $4 $5\n"
		   "cat; echo noise >&2\n");
	(void)ask("/x.py");
	run_patiently(loop);
	expect_text(strbuf_str(&answered), "[\"-I\",\"-S\",\"--pip-freeze\",\"/x.py\"]",
		    "");
}

/* The words behind the helper's path. */
Test(python, each_helper_is_told_what_it_needs)
{
	static char train[] = "train", more[] = "x";
	static char *args[] = { train, more, NULL };
	static const struct {
		struct python_call call;
		const char *words;
	} rows[] = {
		{ { .script = "/x.py",
		    .dest = "dict:p",
		    .root = "/r",
		    .package = "a",
		    .args = args },
		  "--pip-freeze --dest dict:p /x.py" },
		{ { .script = "/x.py", .run = true }, "/x.py" },
		{ { .script = "/x.py",
		    .run = true,
		    .dest = "args:click",
		    .root = "/r",
		    .package = "a.b",
		    .args = args },
		  "--dest args:click --root /r --package a.b /x.py train x" },
	};

	put_python(
		"#!/bin/sh\nwhile case $1 in *-flags.py) false;; esac; do shift; done\n"
		"shift; printf '[\"%s\"]' \"$*\"\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf expected = STRBUF_INIT;

		strbuf_addf(&expected, "[\"%s\"]", rows[i].words);
		has_answer = false;
		strbuf_reset(&answered);
		(void)ask_call(&rows[i].call);
		run_patiently(loop);
		expect_text(strbuf_str(&answered), strbuf_cstr(&expected), rows[i].words);
	}
}

Test(python, the_python_that_is_required_is_asked)
{
	struct python_call call = { .script = "/x.py", .requires = "3.9" };

	scratch_put_program("bin/python3", "#!/bin/sh\necho '[3]'\n");
	scratch_put_program("bin/python3.9", "#!/bin/sh\necho '[3.5]'\n");
	set_path("PATH", "bin");
	(void)ask_call(&call);
	run_patiently(loop);
	expect_text(strbuf_str(&answered), "[3.5]", "");
}

Test(python, an_answer_that_is_none_gives_a_reason)
{
	static const struct {
		const char *script, *why;
	} rows[] = {
		{ "#!/bin/sh\n", "no answer that makes sense" },
		{ "#!/bin/sh\necho '{'\n", "no answer that makes sense" },
		{ "#!/bin/sh\nkill -9 $$\n", "no answer that makes sense" },
		{ "#!/bin/sh\nexec yes\n", "is too long" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put_python(rows[i].script);
		has_answer = false;
		strbuf_reset(&answered);
		(void)ask("/x.py");
		run_patiently(loop);
		expect_sentence(&answered, rows[i].why, rows[i].script);
	}
}

Test(python, an_answer_in_pieces_is_whole)
{
	put_python("#!/bin/sh\nprintf '[1, '\nsleep .2\nprintf '2]'\n");
	(void)ask("/x.py");
	run_patiently(loop);
	expect_text(strbuf_str(&answered), "[1,2]", "");
}

Test(python, who_has_cancelled_hears_nothing_and_nobody_works_on)
{
	_cleanup_(strbuf_done) struct strbuf script = STRBUF_INIT;

	strbuf_addf(&script, "#!/bin/sh\nsleep .2; echo 1 > '%s/done'; echo 1\n",
		    scratch);
	put_python(strbuf_cstr(&script));
	python_cancel(ask("/x.py"));
	run_for(loop, 600000);
	cr_expect_not(has_answer);
	cr_expect_not(scratch_has("done"), "it was not killed");
	python_cancel(NULL);
}
