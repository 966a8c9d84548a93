/* A directory of one test's own. */
#include "scratch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"

char scratch[PATH_MAX];
int scratch_fd = -1;

void scratch_make(void)
{
	const char *place = getenv("TMPDIR");
	_cleanup_(strbuf_done) struct strbuf template = STRBUF_INIT;

	strbuf_addf(&template, "%s/runfs-unit.XXXXXX",
		    place && place[0] ? place : "/tmp");
	cr_assert_not_null(mkdtemp(template.data));
	cr_assert_not_null(realpath(template.data, scratch));
	scratch_fd = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(scratch_fd, 0);
}

void scratch_remove(void)
{
	close_fd(take_fd(&scratch_fd));
	cr_expect_eq(file_remove_tree(AT_FDCWD, scratch), 0);
}

static void make_dirs_above(const char *path)
{
	const char *end = strrchr(path, '/');
	_cleanup_free_ char *above = NULL, *absolute = NULL;

	if (!end)
		return;
	above = str_dup((struct str){ path, (size_t)(end - path) });
	absolute = scratch_path(above); /* a test may have a mount in there */
	cr_assert_eq(file_make_dirs(AT_FDCWD, absolute, 0755), 0, "%s", above);
}

static void put(const char *path, const char *text, mode_t mode)
{
	_cleanup_close_ int fd = -1;

	make_dirs_above(path);
	fd = openat(scratch_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
	cr_assert_eq(file_write_fd(fd, str_from(text)), 0);
}

void scratch_put(const char *path, const char *text)
{
	put(path, text, 0644);
}

void scratch_put_program(const char *path, const char *text)
{
	put(path, text, 0755);
}

void scratch_put_link(const char *path, const char *target)
{
	make_dirs_above(path);
	cr_assert_eq(symlinkat(target, scratch_fd, path), 0, "%s", path);
}

void scratch_make_dir(const char *path)
{
	cr_assert_eq(file_make_dirs(scratch_fd, path, 0755), 0, "%s", path);
}

bool scratch_has(const char *path)
{
	return faccessat(scratch_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

char *scratch_get(const char *path)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	if (file_read(scratch_fd, path, RUN_ATTR_MAX_LEN, &text) < 0)
		return NULL;
	strbuf_adds(&text, "");
	return strbuf_take(&text);
}

char *scratch_path(const char *path)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	strbuf_addf(&text, "%s/%s", scratch, path);
	return strbuf_take(&text);
}

void scratch_delete(const char *path)
{
	cr_assert_eq(file_remove_tree(scratch_fd, path), 0, "%s", path);
}

void scratch_put_guild(const char *id, const char *name, const char *text)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

	strbuf_addf(&path, "home/runs/%s/.guild/%s", id, name);
	scratch_put(strbuf_cstr(&path), text);
}

void scratch_put_attr(const char *id, const char *name, const char *text)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

	strbuf_addf(&path, "attrs/%s", name);
	scratch_put_guild(id, strbuf_cstr(&path), text);
}

void scratch_put_run(const char *id)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

	strbuf_addf(&path, "home/runs/%s/.guild/attrs", id);
	scratch_make_dir(strbuf_cstr(&path));
	scratch_put_guild(id, "opref", "script:/p '' '' x.sh");
}

struct store *scratch_store(void)
{
	_cleanup_free_ char *path = scratch_path("home");
	struct store *store = NULL;

	scratch_make_dir("home");
	cr_assert_eq(store_open(path, &store), 0);
	return store;
}

struct run *scratch_run(const char *id)
{
	_cleanup_close_ int runs_fd = file_open_dir(scratch_fd, "home/runs");
	struct run *run = NULL;

	cr_assert_eq(run_open(runs_fd, id, &run), 0, "there is no run %s", id);
	return run;
}
