/* The cgroup of a run; skipped where none can be made. */
#include "engine/cgroup.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"

TestSuite(cgroup, .timeout = 60);

static struct cgroup make(void)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	struct cgroup cgroup = CGROUP_INIT;
	char name[64];

	(void)snprintf(name, sizeof(name), "runfs-test-%d", (int)getpid());
	cr_assert_eq(cgroup_add_path(name, &path), 0);
	if (path.len == 0 || cgroup_make(strbuf_cstr(&path), &cgroup) < 0)
		cr_skip_test("no cgroup can be made here");
	return cgroup;
}

/* A child in @cgroup, with one of its own that has left its session. */
static pid_t fill(const struct cgroup *cgroup)
{
	_cleanup_close_ int fd = openat(cgroup->fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	int fds[2];
	pid_t pid;
	char c;

	cr_assert_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		if (file_write_fd(fd, STR("0")) == 0 && fork() == 0)
			(void)setsid();
		(void)!write(fds[1], "x", 1);
		while (true)
			pause();
	}
	cr_assert_eq(read(fds[0], &c, 1), 1);
	cr_assert_eq(read(fds[0], &c, 1), 1);
	return pid;
}

/* It takes a moment until the last is gone. */
static int remove_patiently(const struct cgroup *cgroup)
{
	int r;

	for (int i = 0; i < 1000 && (r = cgroup_remove(cgroup)) == -EBUSY; i++)
		(void)poll(NULL, 0, 5);
	return r;
}

Test(cgroup, what_is_in_it_is_killed_and_it_is_removed)
{
	_cleanup_(cgroup_done) struct cgroup cgroup = make();
	pid_t pid = fill(&cgroup);
	struct stat st;

	cr_expect_eq(cgroup_remove(&cgroup), -EBUSY);
	cr_expect_eq(cgroup_kill(&cgroup), 0);
	cr_expect_eq(waitpid(pid, NULL, 0), pid);
	cr_expect_eq(remove_patiently(&cgroup), 0);
	cr_expect_eq(stat(cgroup.path, &st), -1);
	cr_expect_eq(cgroup_remove(&cgroup), 0, "once more is no error");
}

Test(cgroup, what_was_made_below_goes_too)
{
	_cleanup_(cgroup_done) struct cgroup cgroup = make();

	cr_assert_eq(mkdirat(cgroup.fd, "a", 0755), 0);
	cr_assert_eq(mkdirat(cgroup.fd, "a/b", 0755), 0);
	cr_expect_eq(cgroup_remove(&cgroup), 0);
}

Test(cgroup, can_be_opened_by_its_path)
{
	_cleanup_(cgroup_done) struct cgroup cgroup = make();
	_cleanup_(cgroup_done) struct cgroup again = CGROUP_INIT;

	cr_assert_eq(cgroup_open(cgroup.path, &again), 0);
	cr_expect_str_eq(again.path, cgroup.path);
	cr_expect_eq(cgroup_remove(&cgroup), 0);
}

Test(cgroup, another_directory_is_none)
{
	_cleanup_(cgroup_done) struct cgroup cgroup = CGROUP_INIT;

	cr_expect_eq(cgroup_open("/tmp", &cgroup), -ENOENT);
	cr_expect_eq(cgroup_open("/no/such", &cgroup), -ENOENT);
	cr_expect_eq(cgroup_kill(&cgroup), -ENOENT);
}
