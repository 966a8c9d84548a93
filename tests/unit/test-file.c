/* Files relative to a held directory: whole reads, and writes that leave no half. */
#include "engine/file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/cleanup.h"

static char path[] = "/tmp/test-file.XXXXXX";
static int dir = -1;

static void make_directory(void)
{
	cr_assert_not_null(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(dir, 0);
}

static void remove_directory(void)
{
	close_fd(dir);
	cr_expect_eq(file_remove_tree(AT_FDCWD, path), 0);
	cr_expect_eq(access(path, F_OK), -1, "the tree is still there");
}

TestSuite(file, .init = make_directory, .fini = remove_directory);

static void put(const char *name, const char *text)
{
	_cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	cr_assert_eq(file_write_fd(fd, str_from(text)), 0);
}

static void replace(const char *name, const char *text)
{
	cr_assert_eq(file_write(dir, name, str_from(text), 0644, false), 0);
}

static void expect_content(const char *name, const char *text)
{
	_cleanup_(strbuf_done) struct strbuf content = STRBUF_INIT;

	cr_assert_eq(file_read(dir, name, 4096, &content), 0);
	cr_expect_str_eq(strbuf_cstr(&content), text);
}

static bool exists(const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static size_t n_entries(void)
{
	_cleanup_closedir_ DIR *entries = opendir(path);
	size_t n = 0;

	cr_assert_not_null(entries);
	while (readdir(entries))
		n++;
	return n - 2; /* without . and .. */
}

static void expect_closed_on_exec(int fd)
{
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

Test(file, a_read_appends_the_whole_content)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	put("note", "all of it");
	strbuf_adds(&text, "before ");
	cr_expect_eq(file_read(dir, "note", 4096, &text), 0);
	cr_expect_str_eq(strbuf_cstr(&text), "before all of it");
}

Test(file, a_read_takes_max_len_bytes_and_not_one_more)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	put("note", "12345");
	cr_expect_eq(file_read(dir, "note", 5, &text), 0);
	cr_expect_eq(text.len, 5);
	cr_expect_eq(file_read(dir, "note", 4, &text), -EFBIG);
	cr_expect_str_eq(strbuf_cstr(&text), "12345", "a refused read added something");
}

Test(file, a_read_longer_than_one_step_is_whole)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, back = STRBUF_INIT;

	for (int i = 0; i < 5000; i++)
		strbuf_addf(&text, "%d\n", i);
	cr_assert_eq(file_write(dir, "long", strbuf_str(&text), 0644, false), 0);
	cr_expect_eq(file_read(dir, "long", text.len, &back), 0);
	cr_expect(str_eq(strbuf_str(&text), strbuf_str(&back)));
}

Test(file, what_has_no_size_is_read_to_its_end)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, name = STRBUF_INIT;

	strbuf_addf(&name, "/proc/%d/smaps", (int)getpid());
	cr_assert_eq(file_read(AT_FDCWD, strbuf_cstr(&name), 1 << 20, &text), 0);
	cr_expect_not_null(strstr(strbuf_cstr(&text), "[stack]"));
	cr_expect_eq(text.data[text.len - 1], '\n');
}

Test(file, a_read_keeps_nul_bytes)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	cr_assert_eq(file_write(dir, "raw", STR("a\0b"), 0644, false), 0);
	cr_expect_eq(file_read(dir, "raw", 16, &text), 0);
	cr_expect(str_eq(strbuf_str(&text), STR("a\0b")));
}

Test(file, a_read_of_what_is_not_there_is_enoent)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	cr_expect_eq(file_read(dir, "none", 16, &text), -ENOENT);
}

Test(file, a_read_follows_no_link)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	put("note", "text");
	cr_assert_eq(symlinkat("note", dir, "link"), 0);
	cr_expect_eq(file_read(dir, "link", 16, &text), -ELOOP);
}

Test(file, a_fifo_or_a_directory_is_an_error_and_no_hang, .timeout = 120)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	cr_assert_eq(mkfifoat(dir, "fifo", 0644), 0);
	cr_assert_eq(mkdirat(dir, "dir", 0755), 0);
	cr_expect_eq(file_read(dir, "fifo", 16, &text), -EINVAL);
	cr_expect_eq(file_read(dir, "dir", 16, &text), -EINVAL);
}

Test(file, a_descriptor_is_read_from_its_start)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_close_ int fd = -1;

	put("note", "from the start");
	fd = openat(dir, "note", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(lseek(fd, 5, SEEK_SET), 5);
	cr_expect_eq(file_read_fd(fd, 4096, &text), 0);
	cr_expect_str_eq(strbuf_cstr(&text), "from the start");
}

Test(file, a_write_makes_and_replaces_with_the_mode_given)
{
	struct stat st;

	(void)umask(022);
	put("note", "old and long");
	cr_expect_eq(file_write(dir, "note", STR("new"), 0600, true), 0);
	expect_content("note", "new");
	cr_assert_eq(fstatat(dir, "note", &st, 0), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_expect_eq(n_entries(), 1, "a temporary file was left");
}

Test(file, a_reader_of_the_old_content_keeps_it)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_close_ int fd = -1;

	put("note", "old");
	fd = openat(dir, "note", O_RDONLY | O_CLOEXEC);
	replace("note", "new");
	cr_expect_eq(file_read_fd(fd, 16, &text), 0);
	cr_expect_str_eq(strbuf_cstr(&text), "old");
}

Test(file, a_write_replaces_a_link_and_not_its_target)
{
	put("target", "kept");
	cr_assert_eq(symlinkat("target", dir, "link"), 0);
	replace("link", "new");
	expect_content("target", "kept");
	expect_content("link", "new");
}

Test(file, a_failed_write_leaves_everything_as_it_was)
{
	cr_assert_eq(mkdirat(dir, "dir", 0755), 0);
	cr_expect_eq(file_write(dir, "dir", STR("text"), 0644, false), -EISDIR);
	cr_expect_eq(n_entries(), 1, "a temporary file was left");
}

Test(file, a_temporary_has_a_dot_a_name_and_eight_digits)
{
	cr_expect(file_is_temporary(".needed.0123abcd"));
	cr_expect(file_is_temporary(".a.b.0123abcd"));
	cr_expect_not(file_is_temporary("needed.0123abcd"));
	cr_expect_not(file_is_temporary(".needed.0123abc"));
	cr_expect_not(file_is_temporary(".needed.0123abcde"));
	cr_expect_not(file_is_temporary(".needed.0123abcx"));
	cr_expect_not(file_is_temporary(".needed"));
	cr_expect_not(file_is_temporary(".0123abcd"));
	cr_expect_not(file_is_temporary("."));
}

Test(file, what_a_dead_writer_has_left_is_cleared_when_it_is_old)
{
	const struct timespec long_ago[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

	put(".needed.00000001", "");
	put(".needed.00000002", "");
	put(".other", "");
	cr_assert_eq(utimensat(dir, ".needed.00000001", long_ago, 0), 0);
	cr_assert_eq(utimensat(dir, ".other", long_ago, 0), 0);
	file_clear_temporaries(dir);
	cr_expect_eq(faccessat(dir, ".needed.00000001", F_OK, 0), -1);
	cr_expect_eq(faccessat(dir, ".needed.00000002", F_OK, 0), 0);
	cr_expect_eq(faccessat(dir, ".other", F_OK, 0), 0);
}

Test(file, a_write_to_a_descriptor_is_whole)
{
	_cleanup_close_ int fd = openat(dir, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	cr_expect_eq(file_write_fd(fd, STR("one ")), 0);
	cr_expect_eq(file_write_fd(fd, STR("two")), 0);
	expect_content("f", "one two");
	cr_expect_eq(file_write_fd(-1, STR("x")), -EBADF);
}

Test(file, a_directory_is_opened_but_no_link_to_one)
{
	_cleanup_close_ int fd = -1;

	cr_assert_eq(file_make_dir(dir, "dir", 0755), 0);
	cr_assert_eq(symlinkat("dir", dir, "link"), 0);
	put("note", "");
	fd = file_open_dir(dir, "dir");
	cr_assert_geq(fd, 0);
	expect_closed_on_exec(fd);
	cr_expect_eq(file_open_dir(dir, "link"), -ENOTDIR);
	cr_expect_eq(file_open_dir(dir, "note"), -ENOTDIR);
	cr_expect_eq(file_open_dir(dir, "none"), -ENOENT);
}

Test(file, a_directory_that_exists_may_be_made_again)
{
	cr_expect_eq(file_make_dir(dir, "a", 0755), 0);
	cr_expect_eq(file_make_dir(dir, "a", 0755), 0);
	cr_expect_eq(file_make_dir(dir, "none/a", 0755), -ENOENT);
}

Test(file, directories_are_made_down_to_the_last)
{
	_cleanup_(strbuf_done) struct strbuf absolute = STRBUF_INIT;

	cr_expect_eq(file_make_dirs(dir, "a/b/c", 0755), 0);
	cr_expect_eq(file_make_dirs(dir, "a/b/c", 0755), 0);
	cr_expect(exists("a/b/c"));
	strbuf_addf(&absolute, "%s/d/e", path);
	cr_expect_eq(file_make_dirs(AT_FDCWD, strbuf_cstr(&absolute), 0755), 0);
	cr_expect(exists("d/e"));
}

Test(file, a_directory_that_is_opened_may_have_to_be_made)
{
	for (int i = 0; i < 2; i++) {
		_cleanup_close_ int fd = file_open_made_dir(dir, "a/b");

		cr_expect_geq(fd, 0);
		cr_expect(exists("a/b"));
	}
	put("note", "");
	cr_expect_eq(file_open_made_dir(dir, "note/a"), -ENOTDIR);
}

Test(file, directories_are_not_made_below_a_file)
{
	put("note", "");
	cr_expect_eq(file_make_dirs(dir, "note/a", 0755), -ENOTDIR);
}

Test(file, removing_what_is_gone_succeeds)
{
	put("note", "");
	cr_expect_eq(file_remove(dir, "note"), 0);
	cr_expect(!exists("note"));
	cr_expect_eq(file_remove(dir, "note"), 0);
	cr_expect_eq(file_remove_tree(dir, "note"), 0);
}

Test(file, a_directory_is_not_removed_as_a_file)
{
	cr_assert_eq(file_make_dir(dir, "dir", 0755), 0);
	cr_expect_eq(file_remove(dir, "dir"), -EISDIR);
	cr_expect(exists("dir"));
}

Test(file, a_tree_is_removed_and_what_its_links_show_is_not)
{
	cr_assert_eq(file_make_dirs(dir, "tree/a/b", 0755), 0);
	cr_assert_eq(file_make_dir(dir, "kept", 0755), 0);
	put("kept/note", "kept");
	put("tree/a/b/note", "");
	cr_assert_eq(symlinkat("../kept", dir, "tree/link"), 0);
	cr_expect_eq(file_remove_tree(dir, "tree"), 0);
	cr_expect(!exists("tree"));
	expect_content("kept/note", "kept");
}

Test(file, a_link_to_a_tree_is_removed_alone)
{
	cr_assert_eq(file_make_dirs(dir, "tree/a", 0755), 0);
	cr_assert_eq(symlinkat("tree", dir, "link"), 0);
	cr_expect_eq(file_remove_tree(dir, "link"), 0);
	cr_expect(!exists("link"));
	cr_expect(exists("tree/a"));
}

Test(file, a_link_is_read_as_its_target)
{
	_cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT;

	cr_assert_eq(symlinkat("some/where", dir, "link"), 0);
	put("note", "");
	strbuf_adds(&target, "to ");
	cr_expect_eq(file_read_link(dir, "link", &target), 0);
	cr_expect_str_eq(strbuf_cstr(&target), "to some/where");
	cr_expect_eq(file_read_link(dir, "note", &target), -EINVAL);
	cr_expect_eq(file_read_link(dir, "none", &target), -ENOENT);
	cr_expect_str_eq(strbuf_cstr(&target), "to some/where");
}

static struct file_stamp stamp_of(const char *name)
{
	struct file_stamp stamp;
	struct stat st;

	cr_assert_eq(fstatat(dir, name, &st, 0), 0);
	file_stamp_of(&st, &stamp);
	return stamp;
}

Test(file, a_stamp_tells_a_replaced_file_from_the_old_one)
{
	struct file_stamp before, same, after;

	put("note", "one");
	before = stamp_of("note");
	same = stamp_of("note");
	cr_expect(file_stamp_equal(&before, &same));
	replace("note",
		"two"); /* the same length, perhaps in the same tick of the clock */
	after = stamp_of("note");
	cr_expect(!file_stamp_equal(&before, &after));
}

Test(file, a_stamp_differs_by_each_of_its_parts)
{
	struct file_stamp stamp, other;

	put("note", "one");
	stamp = stamp_of("note");
#define EXPECT_TOLD_APART_BY(change)                                                     \
	do {                                                                             \
		other = stamp;                                                           \
		change;                                                                  \
		cr_expect(!file_stamp_equal(&stamp, &other), #change);                   \
	} while (0)
	EXPECT_TOLD_APART_BY(other.dev++);
	EXPECT_TOLD_APART_BY(other.ino++);
	EXPECT_TOLD_APART_BY(other.size++);
	EXPECT_TOLD_APART_BY(other.mtime.tv_sec++);
	EXPECT_TOLD_APART_BY(other.mtime.tv_nsec++);
	EXPECT_TOLD_APART_BY(other.ctime.tv_sec++);
	EXPECT_TOLD_APART_BY(other.ctime.tv_nsec++);
}
