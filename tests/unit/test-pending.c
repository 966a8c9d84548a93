/* Runs that wait: the marker, whose it is, and the announcement. */
#include "engine/pending.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "engine/claim.h"
#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/jobs.h"
#include "expect.h"
#include "scratch.h"

#define MARKER "home/runs/r/.guild/PENDING"

static int guild_fd = -1;

static void begin(void)
{
	scratch_make();
	scratch_put_run("r");
	guild_fd = file_open_dir(scratch_fd, "home/runs/r/.guild");
}

static void end(void)
{
	close_fd(guild_fd);
	scratch_remove();
}

TestSuite(pending, .init = begin, .fini = end);

Test(pending, what_is_written_is_read_again)
{
	static const struct {
		const char *project, *request;
		unsigned int needed;
	} rows[] = {
		{ "/p", "x=1 y='a b'\n", 0 },
		{ NULL, "", 24 },
		{ "/a b", "\n\norder 1\n# x\n\xff\n", 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
		_cleanup_(pending_done) struct pending copy = PENDING_INIT;
		struct pending pending = {
			.order_us = 1795877959020358,
			.needed = rows[i].needed,
			.project = (char *)(uintptr_t)rows[i].project,
			.request = (char *)(uintptr_t)rows[i].request,
		};

		cr_assert_eq(pending_format(&pending, &text), 0);
		scratch_put(MARKER, strbuf_cstr(&text));
		cr_assert_eq(pending_read(guild_fd, &copy), 0);
		cr_expect_eq(copy.order_us, pending.order_us);
		cr_expect_eq(copy.needed, pending.needed);
		cr_expect_str_eq(copy.request, rows[i].request);
		if (rows[i].project)
			cr_expect_str_eq(copy.project, rows[i].project);
		else
			cr_expect_null(copy.project);
	}
}

Test(pending, a_marker_of_guilds_is_not_ours)
{
	_cleanup_(pending_done) struct pending pending = PENDING_INIT;

	cr_expect_eq(pending_read(guild_fd, &pending), -ENOENT);
	cr_expect_not(pending_exists(guild_fd));
	scratch_put(MARKER, "");
	cr_expect_eq(pending_read(guild_fd, &pending), -EBADMSG);
	cr_expect_not(pending_is_ours(guild_fd));
	cr_expect(pending_exists(guild_fd));
	scratch_put(MARKER, "something else\n\n");
	cr_expect_eq(pending_read(guild_fd, &pending), -EBADMSG);
}

/* As if it were from before the system was started. */
static void make_old(void)
{
	struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

	cr_assert_eq(utimensat(scratch_fd, MARKER, times, 0), 0);
}

Test(pending, a_restart_of_the_machine_ends_guilds_and_not_ours)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	struct pending pending = { .order_us = 1 };

	scratch_put(MARKER, "");
	make_old();
	cr_expect_not(pending_exists(guild_fd));
	cr_assert_eq(pending_format(&pending, &text), 0);
	scratch_put(MARKER, strbuf_cstr(&text));
	make_old();
	cr_expect(pending_exists(guild_fd));
}

Test(pending, an_announcement_is_held_until_its_maker_lets_go)
{
	_cleanup_close_ int home_fd = file_open_dir(scratch_fd, "home");
	_cleanup_close_ int dir_fd = -1;
	int fd = pending_announce(home_fd, "r", 42);
	int64_t order_us;

	cr_assert_geq(fd, 0);
	dir_fd = file_open_dir(home_fd, JOBS_QUEUE_DIR);
	cr_expect_eq(claim_is_held(dir_fd, "r"), 1);
	close_fd(fd);
	cr_expect_eq(claim_is_held(dir_fd, "r"), 0);
	cr_assert_eq(pending_order(dir_fd, "r", &order_us), 0);
	cr_expect_eq(order_us, 42);
	cr_expect_eq(pending_withdraw(home_fd, "r"), 0);
	cr_expect_eq(claim_is_held(dir_fd, "r"), -ENOENT);
	cr_expect_eq(pending_order(dir_fd, "r", &order_us), -ENOENT);
	cr_expect_eq(pending_withdraw(home_fd, "r"), 0, "twice does no harm");
	scratch_put("home/runfs/queue/x", "no number\n");
	cr_expect_eq(pending_order(dir_fd, "x", &order_us), -EBADMSG);
}
