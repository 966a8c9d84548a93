/* rmdir, unlink and rename: what of a run each may take, and from whom. */
#include "fs/removal.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "expect.h"

static struct removal removal;

static void begin(void)
{
	client_make();
	scratch_put_run("r1");
	scratch_put_guild("r1", "needed", "");
}

static void end(void)
{
	removal_done(&removal);
	client_remove();
}

TestSuite(removal, .init = begin, .fini = end, .timeout = 60);

static void expect_unlink(pid_t pid, const char *dir, const char *name, int result)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	cr_expect_eq(removal_unlink(&removal, pid, client_node(dir), name, &why), result,
		     "%s/%s", dir, name);
}

static void expect_rmdir(pid_t pid, const char *dir, const char *name, int result)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	cr_expect_eq(removal_rmdir(&removal, pid, client_node(dir), name, &why), result,
		     "%s/%s: %s", dir, name, strbuf_cstr(&why));
}

static void expect_rename(const char *dir, const char *name, const char *new_dir,
			  const char *new_name, unsigned int flags, int result)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	cr_expect_eq(removal_rename(client_node(dir), name, client_node(new_dir),
				    new_name, flags, &why),
		     result, "%s/%s %s/%s", dir, name, new_dir, new_name);
}

Test(removal, rmdir_deletes_a_run_and_then_purges_it)
{
	expect_rmdir(1, "runs", "r1", 0);
	cr_expect(scratch_has("home/trash/runs/r1"));
	expect_rmdir(1, "trash", "r1", 0);
	cr_expect_not(scratch_has("home/trash/runs/r1"));
	expect_rmdir(1, "runs", "r1", -ENOENT);
	expect_rmdir(1, "trash", "r1", -ENOENT);
}

Test(removal, nothing_else_is_a_directory_to_be_removed)
{
	expect_rmdir(1, "", "runs", -EPERM);
	expect_rmdir(1, "", "trash", -EPERM);
	expect_rmdir(1, "runs/r1", "attrs", -EPERM);
}

Test(removal, who_was_refused_a_file_is_refused_the_run)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	cr_expect_eq(removal_unlink(&removal, 7, client_node("runs/r1"), "status", &why),
		     -EPERM);
	expect_sentence(&why, "rmdir runs/r1 moves the run to trash/", "status");
	expect_unlink(7, "runs/r1", "needed", -EPERM);
	expect_rmdir(7, "runs/r1", "attrs", -EPERM);
	expect_rmdir(7, "runs", "r1", -EPERM);
	cr_expect(scratch_has("home/runs/r1/.guild/needed"));

	/* Another process, or another run. */
	scratch_put_run("r2");
	expect_rmdir(7, "runs", "r2", 0);
	expect_unlink(8, "runs/r1", "needed", 0);
	cr_expect_not(scratch_has("home/runs/r1/.guild/needed"));
	expect_rmdir(8, "runs", "r1", 0);
}

Test(removal, a_refusal_is_explained_once)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	expect_unlink(7, "runs/r1", "status", -EPERM);
	cr_expect_eq(removal_unlink(&removal, 7, client_node("runs/r1"), "output", &why),
		     -EPERM);
	cr_expect_eq(why.len, 0);
}

Test(removal, in_the_trash_all_goes_but_only_the_run_itself_matters)
{
	expect_rmdir(1, "runs", "r1", 0);
	expect_unlink(1, "trash/r1", "status", 0);
	expect_unlink(1, "trash/r1", "needed", 0);
	expect_rmdir(1, "trash/r1", "attrs", 0);
	cr_expect(scratch_has("home/trash/runs/r1/.guild/needed"));
	cr_expect(scratch_has("home/trash/runs/r1/.guild/attrs"));
	expect_rmdir(1, "trash", "r1", 0);
	cr_expect_not(scratch_has("home/trash/runs/r1"));
}

Test(removal, rename_moves_a_run_between_the_two_under_its_name)
{
	expect_rename("runs", "r1", "runs", "r2", 0, -EPERM);
	expect_rename("runs", "r1", "trash", "r2", 0, -EPERM);
	expect_rename("runs", "r1", "", "r1", 0, -EPERM);
	expect_rename("runs/r1", "status", "runs/r1", "label", 0, -EPERM);
	expect_rename("runs/r1", "attrs", "trash", "attrs", 0, -EPERM);
	expect_rename("", "runs", "trash", "runs", 0, -EPERM);
	expect_rename("runs", "r1", "trash", "r1", RENAME_EXCHANGE, -EINVAL);
	expect_rename("runs", "r1", "trash", "r1", RENAME_WHITEOUT, -EINVAL);
	expect_rename("runs", "r1", "trash", "r1", RENAME_NOREPLACE, 0);
	cr_expect(scratch_has("home/trash/runs/r1"));
	expect_rename("trash", "r1", "runs", "r1", 0, 0);
	cr_expect(scratch_has("home/runs/r1"));
	scratch_put("home/trash/runs/r1/.guild/opref", "script:/p '' '' x.sh");
	expect_rename("trash", "r1", "runs", "r1", 0, -EEXIST);
	expect_rename("runs", "r1", "trash", "r1", 0, -EEXIST);
}
