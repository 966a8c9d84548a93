/* The earlier starts of a run. */
#include "engine/attempts.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "engine/file.h"
#include "scratch.h"

static int guild_fd;

static void make_guild(void)
{
	scratch_make();
	scratch_make_dir("guild");
	guild_fd = file_open_dir(scratch_fd, "guild");
	cr_assert_geq(guild_fd, 0);
}

static void remove_guild(void)
{
	close_fd(guild_fd);
	scratch_remove();
}

TestSuite(attempts, .init = make_guild, .fini = remove_guild);

/* What a start has replaced, and would file away. */
static void put_replaced(void)
{
	scratch_put("guild/start/attrs/started", "1\n");
	scratch_put("guild/start/output", "old\n");
	scratch_put("guild/start/source/x.py", "old\n");
}

static void add(int n_times)
{
	while (n_times-- > 0) {
		put_replaced();
		cr_assert_eq(attempts_add(guild_fd, "start"), 0);
	}
}

static bool has_attempt(const char *number)
{
	int fd = attempts_open(guild_fd, number);

	close_fd(fd);
	return fd >= 0;
}

Test(attempts, are_numbered_from_one)
{
	add(2);
	cr_expect(scratch_has("guild/attempts/1/output"));
	cr_expect(scratch_has("guild/attempts/2/output"));
	cr_expect_not(scratch_has("guild/start"));
	cr_expect(has_attempt("2"));
	cr_expect_not(has_attempt("3"));
}

Test(attempts, what_has_never_been_started_is_none)
{
	cr_expect_eq(attempts_add(guild_fd, "start"), -ENOENT);
	scratch_put("guild/start/attrs/flags", "x: 1\n");
	scratch_put("guild/start/output", "");
	cr_expect_eq(attempts_add(guild_fd, "start"), -ENOENT);
	/* Guild has staged it. */
	scratch_delete("guild/start/output");
	scratch_put("guild/start/attrs/started", "1\n");
	cr_expect_eq(attempts_add(guild_fd, "start"), -ENOENT);
	cr_expect_not(scratch_has("guild/attempts"));
}

Test(attempts, one_that_wrote_no_output_is_one_if_it_has_ended)
{
	scratch_put("guild/start/attrs/started", "1\n");
	scratch_put("guild/start/attrs/exit_status", "0\n");
	scratch_put("guild/STAGED", "");
	cr_expect_eq(attempts_add(guild_fd, "start"), -ENOENT, "its flags were written");
	scratch_delete("guild/STAGED");
	cr_expect_eq(attempts_add(guild_fd, "start"), 0);
}

Test(attempts, the_last_ones_are_kept)
{
	add(12);
	cr_expect_eq(attempts_prune(guild_fd, 10), 0);
	cr_expect_not(scratch_has("guild/attempts/2"));
	cr_expect(has_attempt("3"));
	cr_expect(has_attempt("12"));
	cr_expect_not(scratch_has("guild/attempts/12/source"));
	cr_expect_eq(attempts_prune(guild_fd, 100), 0);
	cr_expect(has_attempt("3"));
}

Test(attempts, no_number_is_given_twice)
{
	add(3);
	cr_expect_eq(attempts_prune(guild_fd, 0), 0);
	cr_expect_not(has_attempt("3"));
	cr_expect_not(scratch_has("guild/attempts/1"));
	add(1);
	cr_expect(has_attempt("4"));
	cr_expect_eq(attempts_prune(guild_fd, 1), 0);
	cr_expect(has_attempt("4"));
	cr_expect_not(scratch_has("guild/attempts/3"));
}

Test(attempts, after_the_largest_number_none_is_kept)
{
	scratch_put("guild/attempts/4294967293/attrs/started", "1\n");
	add(1);
	cr_expect(has_attempt("4294967294"));
	put_replaced();
	for (int i = 0; i < 2; i++)
		cr_expect_eq(attempts_add(guild_fd, "start"), -ENOENT);
	cr_expect_not(scratch_has("guild/attempts/4294967295"));
	cr_expect_not(attempts_is_number("4294967295"));
}

Test(attempts, other_names_are_none)
{
	static const char *const names[] = {
		"0", "01", "-1", "+1", "1x", "..", "", "x", " 1", "99999999999999999999"
	};

	add(1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		cr_expect_not(attempts_is_number(names[i]), "'%s'", names[i]);
		cr_expect_eq(attempts_open(guild_fd, names[i]), -ENOENT, "'%s'",
			     names[i]);
	}
}

Test(attempts, a_link_leads_nowhere)
{
	scratch_put("elsewhere/attrs/started", "1\n");
	scratch_make_dir("guild/attempts");
	scratch_put_link("guild/attempts/1", "../../elsewhere");
	cr_expect_not(has_attempt("1"));
}

static void count(void *userdata, const char *number)
{
	*(int *)userdata += number[0] - '0';
}

Test(attempts, each_is_told_of_once)
{
	int sum = 0;

	cr_expect_eq(attempts_each(guild_fd, count, &sum), 0);
	cr_expect_eq(sum, 0);
	add(3);
	scratch_make_dir("guild/attempts/4");
	scratch_put("guild/attempts/file", "");
	cr_expect_eq(attempts_each(guild_fd, count, &sum), 0);
	cr_expect_eq(sum, 6);
}
