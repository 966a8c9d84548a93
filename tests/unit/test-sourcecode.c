/* Source code: what Guild would take, how it is copied, and what is recorded of it. */
#include "engine/sourcecode.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/git.h"
#include "engine/strv.h"
#include "engine/text-file.h"

static char path[] = "/tmp/test-sourcecode.XXXXXX";
static int root_fd, home_fd;
static char home_path[64];
static char *envp[4] = { (char *)(uintptr_t) "PATH=/usr/local/bin:/usr/bin:/bin",
			 (char *)(uintptr_t) "HOME=/nonexistent" };
static struct job job;

static void make_project(void)
{
	cr_assert_not_null(mkdtemp(path));
	root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)snprintf(home_path, sizeof(home_path), "%s.home", path);
	cr_assert_eq(mkdir(home_path, 0755), 0);
	home_fd = open(home_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	job.source.root = path;
	job.envp = envp;
}

static void remove_project(void)
{
	close_fd(root_fd);
	close_fd(home_fd);
	cr_expect_eq(file_remove_tree(AT_FDCWD, path), 0);
	cr_expect_eq(file_remove_tree(AT_FDCWD, home_path), 0);
}

TestSuite(sourcecode, .init = make_project, .fini = remove_project);

/* The absolute path of @name in the project, until the next call. */
static char *absolute(const char *name)
{
	static char ret[128];

	(void)snprintf(ret, sizeof(ret), "%s/%s", path, name);
	return ret;
}

static void put(const char *name, const char *text)
{
	_cleanup_free_ char *dir = strdup(name);
	_cleanup_close_ int fd = -1;
	char *slash = strrchr(dir, '/');

	if (slash) {
		*slash = '\0';
		cr_assert_eq(file_make_dirs(root_fd, dir, 0755), 0);
	}
	fd = openat(root_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	cr_assert_geq(fd, 0, "%s", name);
	cr_assert_eq(file_write_fd(fd, str_from(text)), 0);
}

static void git(const char *a, const char *b, const char *c)
{
	const char *const args[] = { "-c", "user.name=x",
				     "-c", "user.email=x",
				     "-c", "init.defaultBranch=m",
				     a,	   b,
				     c,	   NULL };
	_cleanup_(strbuf_done) struct strbuf output = STRBUF_INIT;

	cr_assert_eq(git_run(&job, job.source.root, args, &output), 0, "git %s", a);
}

/* @paths: those selected, each with a blank after it. */
static void expect_selected(const char *paths)
{
	_cleanup_(sourcecode_done) struct sourcecode source = SOURCECODE_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf found = STRBUF_INIT;

	cr_assert_eq(sourcecode_select(&job, home_fd, &source, &why), 0);
	for (size_t i = 0; i < source.n_files; i++)
		strbuf_addf(&found, "%s ", source.files[i].path);
	cr_expect_str_eq(strbuf_cstr(&found), paths);
}

Test(sourcecode, text_is_taken_but_from_hidden_directories)
{
	put("a.py", "");
	put(".hidden", "x");
	put(".dir/x.py", "x");
	put("sub/b.txt", "x");
	put("sub/image.png", "x");
	put("none/.guild-nocopy", "");
	put("none/x.py", "");
	put(".guild", "x");
	cr_assert_eq(mkfifoat(root_fd, "fifo", 0644), 0);
	expect_selected(".hidden a.py sub/b.txt ");
}

Test(sourcecode, for_python_build_products_and_environments_are_none)
{
	put("a.py", "");
	put("__pycache__/x", "x");
	put("build/x", "x");
	put("dist/x", "x");
	put("sub/x.egg-info/x", "x");
	put("env/bin/activate", "x");
	put("winenv/Scripts/activate", "x");
	job.source.python = true;
	expect_selected("a.py ");
	job.source.python = false;
	expect_selected("__pycache__/x a.py build/x dist/x env/bin/activate "
			"sub/x.egg-info/x winenv/Scripts/activate ");
}

Test(sourcecode, a_file_of_a_mebibyte_is_the_biggest)
{
	put("fits.py", "x");
	put("big.py", "x");
	cr_assert_eq(truncate(absolute("fits.py"), 1048576), 0);
	cr_assert_eq(truncate(absolute("big.py"), 1048577), 0);
	expect_selected("fits.py ");
	envp[2] = (char *)(uintptr_t) "MAX_DEFAULT_SOURCECODE_FILE_SIZE=2000000";
	expect_selected("big.py fits.py ");
}

Test(sourcecode, the_first_hundred_are_files_before_directories)
{
	_cleanup_(sourcecode_done) struct sourcecode source = SOURCECODE_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	char name[32];

	put("a/x.py", "");
	for (int i = 0; i < 105; i++) {
		(void)snprintf(name, sizeof(name), "b%03d.py", i);
		put(name, "");
	}
	cr_assert_eq(sourcecode_select(&job, home_fd, &source, &why), 0);
	cr_assert_eq(source.n_files, 100);
	cr_expect_str_eq(source.files[99].path, "b099.py");
	envp[2] = (char *)(uintptr_t) "MAX_DEFAULT_SOURCECODE_COUNT=2";
	expect_selected("b000.py b001.py ");
}

Test(sourcecode, none_is_taken_when_none_is_wanted)
{
	put("a.py", "");
	envp[2] = (char *)(uintptr_t) "NO_SOURCECODE=1";
	expect_selected("");
}

Test(sourcecode, links_are_followed_but_not_in_circles)
{
	put("sub/a.py", "");
	cr_assert_eq(symlinkat("sub", root_fd, "link"), 0);
	cr_assert_eq(symlinkat("..", root_fd, "sub/up"), 0);
	cr_assert_eq(symlinkat("a.py", root_fd, "sub/b.py"), 0);
	cr_assert_eq(symlinkat("nowhere", root_fd, "broken"), 0);
	expect_selected("link/a.py link/b.py sub/a.py sub/b.py ");
}

Test(sourcecode, the_home_is_no_source_code)
{
	put("a.py", "");
	put("home/runs/x/a.py", "");
	close_fd(home_fd);
	home_fd = file_open_dir(root_fd, "home");
	expect_selected("a.py ");
}

Test(sourcecode, a_project_that_is_not_there_is_told)
{
	_cleanup_(sourcecode_done) struct sourcecode source = SOURCECODE_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	struct job other = { .source.root = (char *)(uintptr_t) "/no/such" };

	cr_expect_eq(sourcecode_select(&other, home_fd, &source, &why), -ENOENT);
	cr_expect_str_eq(strbuf_cstr(&why),
			 "cannot read the project /no/such: No such file or directory");
}

/* The rules as in test-prepare.c: +TYPE:PATTERN. */
static void set_rules(const char *text)
{
	struct str rest = str_from(text), word;

	source_rules_done(&job.source.rules);
	while (str_split(&rest, ' ', &word)) {
		bool include = str_starts(word, "+");
		enum source_rule_type type = SOURCE_RULE_FILE;
		char **patterns = NULL;
		struct str name;

		word.data++;
		word.len--;
		cr_assert(str_split(&word, ':', &name));
		for (int i = 0; i < SOURCE_RULE_N_TYPES; i++) {
			const char *known =
				source_rule_type_name((enum source_rule_type)i);

			if (known && str_is(name, known))
				type = (enum source_rule_type)i;
		}
		cr_assert_eq(strv_append(&patterns, word), 0);
		cr_assert_eq(source_rules_add(&job.source.rules, include, type, patterns),
			     0);
	}
}

Test(sourcecode, the_last_rule_that_matches_decides)
{
	static const struct {
		const char *rules, *paths;
	} rows[] = {
		{ "", "a.py a.txt sub/b.py " },
		{ "-:*.py", "a.txt " },
		{ "-:*.py +:a.*", "a.py a.txt " },
		{ "+:a.* -:*.py", "a.txt " },
		{ "-:*", "" },
		{ "-:* +:*.bin", "sub/x.bin " },
		{ "-:* +:sub", "sub/b.py sub/x.bin " },
		{ "-:sub", "a.py a.txt " },
		{ "-dir:sub", "a.py a.txt " },
		{ "-dir:* +dir:.h", ".h/c.txt a.py a.txt " },
		{ "+dir:none", "a.py a.txt none/.guild-nocopy none/d.py sub/b.py " },
		{ "-text:*", "" },
		{ "+binary:*", "a.py a.txt sub/b.py sub/x.bin " },
		{ "-binary:*", "a.py a.txt sub/b.py " },
		{ "-text:a.*", "sub/b.py " },
	};

	put("a.py", "");
	put("a.txt", "");
	put("sub/b.py", "");
	put("sub/x.bin", "");
	put(".h/c.txt", "");
	put("none/.guild-nocopy", "");
	put("none/d.py", "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_rules(rows[i].rules);
		expect_selected(rows[i].paths);
	}
	source_rules_done(&job.source.rules);
}

Test(sourcecode, no_rule_brings_back_the_home_or_a_run_s_own)
{
	put("home/runs/x/a.py", "");
	put("sub/.guild/attrs/id", "x");
	close_fd(home_fd);
	home_fd = file_open_dir(root_fd, "home");
	set_rules("+:* +dir:* +dir:.guild");
	expect_selected("");
	source_rules_done(&job.source.rules);
}

/* The warnings of a selection, each in a line. */
static void expect_warnings(const char *expected)
{
	_cleanup_(sourcecode_done) struct sourcecode source = SOURCECODE_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	cr_assert_eq(sourcecode_select(&job, home_fd, &source, &why), 0);
	cr_assert_eq(sourcecode_add_warnings(&source, &text), 0);
	cr_expect_str_eq(strbuf_cstr(&text), expected);
}

Test(sourcecode, a_limit_is_told_unless_there_are_rules)
{
#define ADVICE                                                                           \
	"To control which files are copied, define 'sourcecode' for the operation in a"  \
	" Guild file.\"\n"
	put("a.txt", "long");
	put("b.txt", "x");
	put("c.txt", "x");
	put("d \"e\".bin", "\0");
	envp[2] = (char *)(uintptr_t) "MAX_DEFAULT_SOURCECODE_FILE_SIZE=2";
	expect_warnings(
		"- \"Skipping source code file a.txt because it's too big. " ADVICE);
	envp[2] = (char *)(uintptr_t) "MAX_DEFAULT_SOURCECODE_COUNT=1";
	expect_warnings(
		"- \"Found more than 1 source code files but will only copy 1 as a"
		" safety measure. " ADVICE);
	set_rules("-dir:x");
	expect_warnings(
		"- \"Found more than 1 source code files but will only copy 1 as a"
		" safety measure. " ADVICE);
	set_rules("-:x");
	expect_warnings("");
	source_rules_done(&job.source.rules);
}

Test(sourcecode, in_git_rules_come_after_what_is_ignored)
{
	git("init", "-q", NULL);
	put(".gitignore", "*.log\nskipped/\n");
	put("a.py", "");
	put("x.log", "");
	put("skipped/x.log", "");
	put("sub/skipped/y.py", "");
	put("sub/z.bin", "\1");
	expect_selected("a.py sub/z.bin ");
	set_rules("+:*.log +:.gitignore");
	expect_selected(".gitignore a.py sub/z.bin x.log ");
	set_rules("+dir:skipped");
	expect_selected("a.py skipped/x.log sub/skipped/y.py sub/z.bin ");
	set_rules("-binary:*");
	expect_selected("a.py ");
	source_rules_done(&job.source.rules);
}

Test(sourcecode, in_git_what_it_does_not_ignore_is_taken)
{
	git("init", "-q", NULL);
	put(".gitignore", "*.log\nskipped/\n");
	put(".guildignore", "# comment\nprivate*\n");
	put("a.py", "");
	put("image.png", "\1\2");
	put("x.log", "");
	put("tracked.log", "");
	put("skipped/x", "");
	put("private.txt", "");
	put("gone.py", "");
	put(".hidden/x.py", "");
	put("none/.guild-nocopy", "");
	put("none/x.py", "");
	put("home/.guild/x", "");
	git("add", "-f", "tracked.log");
	git("add", "gone.py", "a.py");
	cr_assert_eq(unlinkat(root_fd, "gone.py", 0), 0);
	expect_selected(".hidden/x.py a.py image.png ");
}

Test(sourcecode, in_git_a_linked_directory_and_a_repository_within_are_taken)
{
	put("elsewhere/inner/x.py", "");
	put("elsewhere/.git", "gitdir: nowhere");
	put("project/a.py", "");
	cr_assert_eq(symlinkat("../elsewhere/inner", root_fd, "project/link"), 0);
	git("init", "-q", "project");
	git("init", "-q", "project/within");
	put("project/within/b.py", "");
	put("project/within/.gitignore", "");
	job.source.root = absolute("project");
	expect_selected("a.py link/x.py within/b.py ");
}

static void copy(struct sourcecode *source, const char *dest)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_close_ int dest_fd = -1;

	cr_assert_eq(mkdirat(home_fd, dest, 0755), 0);
	dest_fd = file_open_dir(home_fd, dest);
	cr_assert_eq(sourcecode_select(&job, home_fd, source, &why), 0);
	cr_assert_eq(sourcecode_copy(&job, source, dest_fd, &why), 0, "%s",
		     strbuf_cstr(&why));
	cr_assert_eq(sourcecode_sync(source, dest_fd), 0);
}

Test(sourcecode, a_copy_is_recorded_as_guild_does)
{
	_cleanup_(sourcecode_done) struct sourcecode source = SOURCECODE_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	struct stat st;

	put("sub/my file.txt", "text\n");
	put("a.sh", "#!/bin/sh\n");
	cr_assert_eq(fchmodat(root_fd, "a.sh", 0750, 0), 0);
	copy(&source, "run");

	cr_assert_eq(file_read(home_fd, "run/sub/my file.txt", 100, &text), 0);
	cr_expect_str_eq(strbuf_cstr(&text), "text\n");
	cr_assert_eq(fstatat(home_fd, "run/a.sh", &st, 0), 0);
	cr_expect_eq(st.st_mode & 0777, 0750);
	strbuf_reset(&text);
	cr_expect_eq(sourcecode_add_manifest(&job, &source, &text), 0);
	cr_expect_str_eq(strbuf_cstr(&text),
			 "s a.sh bd971bec88149956458a10fc9c5ecb3eb99dd452 a.sh\n"
			 "s 'sub/my file.txt' aa785adca3fcdfe1884ae840e13c6d294a2414e8 "
			 "'sub/my file.txt'\n");
	strbuf_reset(&text);
	cr_expect_eq(sourcecode_add_digest(&source, &text), 0);
	cr_expect_str_eq(strbuf_cstr(&text), "b54a7d268dc8048b31d0a5f632e11bbe\n");
}

Test(sourcecode, a_copy_elsewhere_is_recorded_where_it_is)
{
	_cleanup_(sourcecode_done) struct sourcecode source = SOURCECODE_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	put("src/a.sh", "#!/bin/sh\n");
	job.source.root = absolute("src");
	job.source.project = path;
	job.source.prefix = (char *)(uintptr_t) "src/";
	job.source.dest = (char *)(uintptr_t) "code/";
	copy(&source, "run");
	cr_assert_eq(file_read(home_fd, "run/code/a.sh", 100, &text), 0);
	strbuf_reset(&text);
	cr_expect_eq(sourcecode_add_manifest(&job, &source, &text), 0);
	cr_expect_str_eq(strbuf_cstr(&text),
			 "s code/a.sh bd971bec88149956458a10fc9c5ecb3eb99dd452"
			 " src/a.sh\n");
	strbuf_reset(&text);
	cr_expect_eq(sourcecode_add_digest(&source, &text), 0);
	/* md5 of "code/a.sh", NUL, the text and NUL */
	cr_expect_str_eq(strbuf_cstr(&text), "bed2835b60dd41a4c1e2648c8748bad9\n");
}

Test(sourcecode, a_digest_like_a_number_is_quoted)
{
	struct source_file file = { 0 };
	struct sourcecode source = { .files = &file, .n_files = 1 };
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	(void)snprintf(source.digest, sizeof(source.digest), "%032d", 12);
	source.digest[30] = 'e';
	cr_expect_eq(sourcecode_add_digest(&source, &text), 0);
	cr_expect_str_eq(strbuf_cstr(&text), "'000000000000000000000000000000e2'\n");
	strbuf_reset(&text);
	source.n_files = 0;
	cr_expect_eq(sourcecode_add_digest(&source, &text), 0);
	cr_expect_str_eq(strbuf_cstr(&text), "null\n");
}

Test(sourcecode, the_commit_says_whether_there_are_changes)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	job.source.vcs_commit = true;
	cr_expect_eq(sourcecode_add_commit(&job, &text), -ENOENT);
	git("init", "-q", NULL);
	cr_expect_eq(sourcecode_add_commit(&job, &text), -ENOENT);
	put("a.py", "");
	git("add", "a.py", NULL);
	git("commit", "-qm", "x");
	cr_assert_eq(sourcecode_add_commit(&job, &text), 0);
	cr_expect_eq(text.len, 4 + 40 + 1);
	put("a.py", "changed");
	strbuf_reset(&text);
	cr_assert_eq(sourcecode_add_commit(&job, &text), 0);
	cr_expect(str_ends(strbuf_str(&text), "*\n"));
	envp[2] = (char *)(uintptr_t) "NO_VCS_COMMIT=1";
	cr_expect_eq(sourcecode_add_commit(&job, &text), -ENOENT);
}

TestSuite(text_file);

Test(text_file, an_extension_decides)
{
	cr_expect_eq(text_file_by_name("x.py"), 1);
	cr_expect_eq(text_file_by_name("x.TXT"), 1);
	cr_expect_eq(text_file_by_name("x.tar.gz"), 0);
	cr_expect_eq(text_file_by_name("x"), -1);
	cr_expect_eq(text_file_by_name(".py"), -1, "a hidden file has no extension");
	cr_expect_eq(text_file_by_name("..py"), -1);
	cr_expect_eq(text_file_by_name("x.yml"), -1);
}

Test(text_file, else_its_first_bytes)
{
	cr_expect(text_file_by_sample(STR("")));
	cr_expect(text_file_by_sample(STR("plain\ttext\r\n")));
	cr_expect(text_file_by_sample(STR("gr\xfc\xdf"
					  "e")));
	cr_expect(text_file_by_sample(
		STR("\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xb8\x96\xe7\x95\x8c")));
	cr_expect(text_file_by_sample(STR("\xff\xfeh\0i\0")));
	cr_expect_not(text_file_by_sample(STR("\177ELF\2\1\1\0\0\0")));
	cr_expect_not(text_file_by_sample(STR("text with a \0 in it")));
	cr_expect_not(text_file_by_sample(STR("text with a \xff in it")));
	cr_expect_not(text_file_by_sample(STR("\x80\x81\x82\x83\x84\x85\x86\x87")));
}
