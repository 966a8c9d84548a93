/* What can be known of a home that takes nothing: as far as its permissions go. */
#include "engine/writable.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "scratch.h"

#define NOBODY 65534

static struct store *home;

static void make(void)
{
	scratch_make();
	scratch_put_run("r1");
	home = scratch_store();
}

static void finish(void)
{
	store_free(home);
	scratch_remove();
}

TestSuite(writable, .init = make, .fini = finish);

/* As somebody who has no more rights than the modes say. */
static int without_privileges(int (*check)(struct strbuf *ret_why),
			      struct strbuf *ret_why)
{
	bool is_root = geteuid() == 0;
	int r;

	cr_assert(!is_root || seteuid(NOBODY) == 0);
	r = check(ret_why);
	cr_assert(!is_root || seteuid(0) == 0);
	return r;
}

static void expect(int (*check)(struct strbuf *ret_why), int result, const char *sentence)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	int r = without_privileges(check, &why);

	cr_expect_eq(r, result, "%s: %d", sentence, r);
	cr_expect(strstr(strbuf_cstr(&why), sentence), "'%s' does not say '%s'",
		  strbuf_cstr(&why), sentence);
	cr_expect(r < 0 || why.len == 0);
}

static void set_mode(const char *path, mode_t mode)
{
	_cleanup_free_ char *full = scratch_path(path);

	cr_assert_eq(chmod(full, mode), 0);
}

static struct run *run;

static int check_run(struct strbuf *ret_why)
{
	return writable_run(run, NULL, true, ret_why);
}

static int check_attrs(struct strbuf *ret_why)
{
	return writable_run(run, "attrs", true, ret_why);
}

Test(writable, a_run_is_where_its_directory_is)
{
	run = scratch_run("r1");
	set_mode("home/runs/r1/.guild", 0777);
	expect(check_run, 0, "");
	set_mode("home/runs/r1/.guild", 0555);
	expect(check_run, -EACCES,
	       "the run r1 can't be written to: Permission denied: give");
	run_free(run);
}

Test(writable, what_people_say_of_a_run_is_where_its_attributes_are)
{
	run = scratch_run("r1");
	set_mode("home/runs/r1/.guild/attrs", 0777);
	expect(check_attrs, 0, "");
	set_mode("home/runs/r1/.guild/attrs", 0555);
	expect(check_attrs, -EACCES, "the run r1");
	scratch_delete("home/runs/r1/.guild/attrs");
	set_mode("home/runs/r1/.guild", 0777);
	expect(check_attrs, 0, "");
	run_free(run);
}

static int check_runs(struct strbuf *ret_why)
{
	return writable_runs(home, ret_why);
}

static int check_jobs(struct strbuf *ret_why)
{
	return writable_home(home, "runfs", ret_why);
}

Test(writable, the_home_is_where_there_is_no_directory_yet)
{
	_cleanup_free_ char *path = scratch_path("home");

	set_mode("home/runs", 0777);
	set_mode("home", 0555);
	expect(check_runs, 0, "");
	expect(check_jobs, -EACCES, path);
	set_mode("home", 0777);
	scratch_make_dir("home/runfs");
	set_mode("home/runfs", 0777);
	expect(check_jobs, 0, "");
	set_mode("home/runs", 0555);
	expect(check_runs, -EACCES, "can't be written to: Permission denied");
	scratch_delete("home/runs");
	expect(check_runs, 0, "");
}

Test(writable, who_may_write_anyway_is_not_kept_from_it)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	set_mode("home/runs", 0555);
	cr_expect_eq(check_runs(&why), geteuid() == 0 ? 0 : -EACCES);
	set_mode("home/runs", 0755);
}
