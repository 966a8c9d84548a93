/* Paths of others: walked to the end, but never into the mount that is avoided. */
#include "engine/path.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "expect.h"
#include "scratch.h"

TestSuite(path, .init = scratch_make, .fini = scratch_remove);

static ino_t inode_of(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

/* @path leads to the same file as the kernel's own walk, and is only a place. */
static void expect_same(int dir_fd, const char *path)
{
	_cleanup_close_ int ours = path_open(dir_fd, path);
	_cleanup_close_ int theirs = openat(dir_fd, path, O_PATH | O_CLOEXEC);

	cr_assert_geq(theirs, 0, "%s", path);
	cr_assert_geq(ours, 0, "%s: %s", path, strerror(-ours));
	cr_expect_eq(inode_of(ours), inode_of(theirs), "%s", path);
	cr_expect(fcntl(ours, F_GETFL) & O_PATH);
	cr_expect(fcntl(ours, F_GETFD) & FD_CLOEXEC);
}

static void make_places(void)
{
	scratch_put("a/b/file", "x");
	scratch_put_link("a/up", "..");
	scratch_put_link("relative", "a/b/../b/file");
	scratch_put_link("chain", "a/up/relative");
	scratch_put_link("directory", "a/b/");
	scratch_put_link("nowhere", "none");
	scratch_put_link("loop", "loop");
}

Test(path, a_walk_ends_where_the_kernel_s_does)
{
	static const char *const rows[] = {
		"a",
		"a/b/file",
		"a//b/./file",
		"a/b/../../relative",
		"chain",
		"relative",
		"directory/file",
		"directory",
		".",
		"a/b/",
		"..",
		"/",
		"/..",
		"/etc/../",
		"a/up/a/up/a/b",
	};

	make_places();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_same(scratch_fd, rows[i]);
}

Test(path, an_absolute_path_and_link_leave_the_directory)
{
	_cleanup_free_ char *path = scratch_path("a/b/file");

	make_places();
	scratch_put_link("a/absolute", path);
	expect_same(scratch_fd, path);
	expect_same(AT_FDCWD, path);
	expect_same(scratch_fd, "a/absolute");
}

Test(path, what_can_not_be_reached_says_why)
{
	static const struct {
		const char *path;
		int r;
	} rows[] = {
		{ "none", -ENOENT },	    { "a/none/file", -ENOENT },
		{ "nowhere", -ENOENT },	    { "a/b/file/x", -ENOTDIR },
		{ "relative/x", -ENOTDIR }, { "loop", -ELOOP },
	};

	make_places();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(path_open(scratch_fd, rows[i].path), rows[i].r, "%s",
			     rows[i].path);
}

Test(path, a_name_that_no_file_can_have_is_enametoolong)
{
	char name[NAME_MAX + 2];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	cr_expect_eq(path_open(scratch_fd, name), -ENAMETOOLONG);
}

Test(path, what_a_link_leads_to_is_read_if_it_is_a_file)
{
	static const struct {
		const char *path;
		int r;
	} rows[] = {
		{ "a/b/file", 0 },	  { "chain", 0 },
		{ "directory", -EINVAL }, { "nowhere", -ENOENT },
		{ "/dev/null", -EINVAL }, { "fifo", -EINVAL },
	};

	make_places();
	cr_assert_eq(mkfifoat(scratch_fd, "fifo", 0644), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

		cr_expect_eq(path_read(scratch_fd, rows[i].path, 1, &text), rows[i].r,
			     "%s", rows[i].path);
		expect_text(strbuf_str(&text), rows[i].r == 0 ? "x" : "", rows[i].path);
		cr_expect_eq(path_read(scratch_fd, rows[i].path, 0, &text),
			     rows[i].r == 0 ? -EFBIG : rows[i].r, "%s", rows[i].path);
	}
}

/* A file system of its own at mnt/. */
static void mount_in_scratch(void)
{
	_cleanup_free_ char *path = NULL;

	scratch_make();
	scratch_make_dir("mnt");
	path = scratch_path("mnt");
	if (mount("tmpfs", path, "tmpfs", 0, NULL) < 0)
		return;
	scratch_put_program("mnt/bin/tool", "#!/bin/sh\n");
}

static void unmount_in_scratch(void)
{
	_cleanup_free_ char *path = scratch_path("mnt");

	(void)umount2(path, MNT_DETACH);
	scratch_remove();
}

TestSuite(path_mount, .init = mount_in_scratch, .fini = unmount_in_scratch);

/* Its device for path_avoid_device(). */
static dev_t mount_device(void)
{
	_cleanup_free_ char *path = scratch_path("mnt");
	struct stat st;

	if (!scratch_has("mnt/bin"))
		cr_skip_test("can't mount");
	cr_assert_eq(stat(path, &st), 0);
	return st.st_dev;
}

Test(path_mount, no_way_leads_into_the_avoided_one)
{
	static const char *const rows[] = {
		"mnt",	    "mnt/bin/tool", "link", "link/bin/tool", "a/../mnt/bin/tool",
		"absolute", "mnt/../file",
	};
	dev_t avoided = mount_device();
	_cleanup_free_ char *path = scratch_path("mnt/bin/tool");

	scratch_put("file", "x");
	scratch_make_dir("a");
	scratch_put_link("link", "mnt");
	scratch_put_link("absolute", path);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_same(scratch_fd, rows[i]);
	path_avoid_device(avoided);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(path_open(scratch_fd, rows[i]), -EXDEV, "%s", rows[i]);
	expect_same(scratch_fd, "file");
	path_avoid_device(0);
	expect_same(scratch_fd, "mnt/bin/tool");
}

Test(path_mount, not_even_the_root_of_the_avoided_one_is_a_start)
{
	dev_t avoided = mount_device();
	_cleanup_close_ int fd = openat(scratch_fd, "mnt", O_PATH | O_CLOEXEC);

	path_avoid_device(avoided);
	cr_expect_eq(path_open(fd, "bin"), -EXDEV);
	cr_expect_eq(path_open(fd, ".."), -EXDEV);
}

Test(path_mount, a_program_on_the_avoided_one_is_refused)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	dev_t avoided = mount_device();

	path_avoid_device(avoided);
	cr_expect_eq(path_find_program(scratch_fd, "mnt/bin/tool", NULL, NULL, &why),
		     -EACCES);
	expect_sentence(&why, "'mnt/bin/tool' lies on a mount of runfs", "");
}

static void make_programs(void)
{
	scratch_put_program("one/tool", "#!/bin/sh\n");
	scratch_put_program("two/tool", "#!/bin/sh -e \t\n");
	scratch_put_program("two/other", "#! /bin/sh -e -x\n");
	scratch_put_program("two/masked", "");
	scratch_put("one/masked", "");
	scratch_put("one/plain", "#!/bin/sh\n");
	scratch_make_dir("one/directory");
	scratch_put_program("two/directory", "");
	scratch_put_program("one/lost", "#!/none/interpreter -x\n");
	scratch_put_program("one/dos", "#!/bin/sh\r\necho\r\n");
	scratch_put_program("one/weak", "#!one/plain\n");
	scratch_put_program("one/own", "#!one/tool");
	scratch_put_link("one/link", "../two/other");
	scratch_put_link("one/dangling", "none");
}

Test(path, a_program_is_found_as_exec_finds_it)
{
	static const struct {
		const char *name;
		const char *found; /* below the scratch directory if it begins with @ */
	} rows[] = {
		{ "tool", "@/one/tool" },	{ "other", "@/two/other" },
		{ "masked", "@/two/masked" },	{ "directory", "@/two/directory" },
		{ "link", "@/one/link" },	{ "one/tool", "one/tool" },
		{ "./two/tool", "./two/tool" }, { "one/own", "one/own" },
		{ "/bin/sh", "/bin/sh" },
	};
	_cleanup_(strbuf_done) struct strbuf search = STRBUF_INIT;

	make_programs();
	/* An empty or relative place, seen from here, has the wrong ones. */
	cr_assert_eq(fchdir(scratch_fd), 0);
	scratch_put_program("tool", "");
	strbuf_addf(&search, "/none::two:%s/one:%s/two:", scratch, scratch);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf found = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf expected = STRBUF_INIT;
		bool is_below = rows[i].found[0] == '@';

		strbuf_addf(&expected, "%s%s", is_below ? scratch : "",
			    rows[i].found + is_below);
		cr_expect_eq(path_find_program(scratch_fd, rows[i].name,
					       strbuf_cstr(&search), &found, &why),
			     0, "%s: %s", rows[i].name, strbuf_cstr(&why));
		expect_text(strbuf_str(&found), strbuf_cstr(&expected), rows[i].name);
		cr_expect_eq(why.len, 0);
	}
}

Test(path, a_program_that_can_not_run_is_named)
{
	static const struct {
		const char *name;
		int r;
		const char *sentence;
	} rows[] = {
		{ "none", -ENOENT, "'none' is in no directory of PATH" },
		{ "plain", -EACCES, "'plain' is not executable" },
		{ "dangling", -ENOENT, "'dangling' is in no directory" },
		{ "./none", -ENOENT, "'./none' is not there" },
		{ "one/tool/x", -ENOENT, "'one/tool/x' is not there" },
		{ "one/plain", -EACCES, "'one/plain' is not executable: chmod +x" },
		{ "one/directory", -EACCES, "'one/directory' is a directory" },
		{ "/dev/null", -EACCES, "'/dev/null' is not executable" },
		{ "lost", -ENOENT,
		  "the interpreter of 'lost', '/none/interpreter' is not there" },
		{ "one/dos", -ENOENT, "the interpreter of 'one/dos', '/bin/sh\\x0d'" },
		{ "one/weak", -EACCES,
		  "the interpreter of 'one/weak', 'one/plain' is not executable" },
	};
	_cleanup_free_ char *search = scratch_path("one");

	make_programs();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		_cleanup_(strbuf_done) struct strbuf found = STRBUF_INIT;

		cr_expect_eq(path_find_program(scratch_fd, rows[i].name, search, &found,
					       &why),
			     rows[i].r, "%s", rows[i].name);
		expect_sentence(&why, rows[i].sentence, rows[i].name);
		cr_expect_eq(found.len, 0, "%s", rows[i].name);
	}
}

Test(path, without_a_path_only_a_name_with_a_slash_is_found)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	make_programs();
	cr_expect_eq(path_find_program(scratch_fd, "tool", NULL, NULL, &why), -ENOENT);
	cr_expect_eq(path_find_program(scratch_fd, "one/tool", NULL, NULL, &why), 0);
}
