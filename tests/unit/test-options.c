/* The command line of mount.runfs: each option of its manual, and what is refused. */
#include "fs/options.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "engine/cleanup.h"

#define ARGS_MAX 12

/* A command line in words, without the program's name. */
struct line {
	const char *words[ARGS_MAX];
};

static int parse(const struct line *line, struct options *ret, struct strbuf *ret_why)
{
	static char *argv[ARGS_MAX + 2];
	int argc = 0;

	argv[argc++] = (char *)(uintptr_t) "mount.runfs";
	for (size_t i = 0; line->words[i]; i++)
		argv[argc++] = (char *)(uintptr_t)line->words[i];
	argv[argc] = NULL;
	return options_parse(argc, argv, ret, ret_why);
}

/* Parses "HOME MNT -o @list" [-s]. */
static int parse_list(const char *list, bool sloppy, struct options *ret,
		      struct strbuf *ret_why)
{
	struct line line = { { "home", "mnt", "-o", list, sloppy ? "-s" : NULL } };

	return parse(&line, ret, ret_why);
}

static void expect_refused(const struct line *line, const char *part)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(options_done) struct options options;

	cr_expect_eq(parse(line, &options, &why), -EINVAL, "%s: accepted", part);
	cr_expect_not_null(strstr(strbuf_cstr(&why), part), "'%s' has no '%s'",
			   strbuf_cstr(&why), part);
}

static void expect_list_refused(const char *list, const char *part)
{
	struct line line = { { "home", "mnt", "-o", list } };

	expect_refused(&line, part);
}

Test(options, without_any_the_defaults_hold)
{
	static const struct line line = { { "home", "mnt" } };
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(options_done) struct options options;

	cr_assert_eq(parse(&line, &options, &why), 0, "%s", strbuf_cstr(&why));
	cr_expect_str_eq(options.home, "home");
	cr_expect_str_eq(options.mountpoint, "mnt");
	cr_expect_null(options.project);
	cr_expect_eq(options.stop_timeout_us, 30000000);
	cr_expect_eq(options.n_attempts, 10);
	cr_expect_not(options.nofollow || options.foreground || options.debug);
	cr_expect_not(options.fake || options.sloppy || options.verbose);
	cr_expect_not(options.has_uid || options.has_gid);
	cr_expect_eq(options.fuse.len, 0);
}

Test(options, operands_and_options_come_in_any_order)
{
	static const struct line lines[] = {
		{ { "home", "mnt", "-o", "nofollow", "-v" } },
		{ { "-v", "-o", "nofollow", "home", "mnt" } },
		{ { "home", "-vonofollow", "mnt" } },
		{ { "-v", "-o", "nofollow", "--", "home", "mnt" } },
		/* mount(8) and mount -a call it so. */
		{ { "home", "mnt", "-n", "-v", "-t", "runfs", "-o", "rw,nofollow" } },
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		_cleanup_(options_done) struct options options;

		cr_assert_eq(parse(&lines[i], &options, &why), 0, "%zu: %s", i,
			     strbuf_cstr(&why));
		cr_expect_str_eq(options.home, "home", "%zu", i);
		cr_expect_str_eq(options.mountpoint, "mnt", "%zu", i);
		cr_expect(options.nofollow && options.verbose, "%zu", i);
	}
}

Test(options, each_letter_means_what_mount_means_by_it)
{
	static const struct line line = { { "home", "mnt", "-fnsv" } };
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(options_done) struct options options;

	cr_assert_eq(parse(&line, &options, &why), 0);
	cr_expect(options.fake && options.sloppy && options.verbose);
}

Test(options, help_and_version_need_no_operands)
{
	static const struct line lines[] = {
		{ { "--help" } },
		{ { "-h" } },
		{ { "--version" } },
		{ { "-V" } },
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		_cleanup_(options_done) struct options options;

		cr_expect_eq(parse(&lines[i], &options, &why), 0, "%zu", i);
		cr_expect_eq(options.help, i < 2, "%zu", i);
		cr_expect_eq(options.version, i >= 2, "%zu", i);
	}
}

Test(options, our_own_are_taken_in)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(options_done) struct options options;

	cr_assert_eq(parse_list("project=/a "
				"b,stop_timeout=5,attempts=0,nofollow,foreground,uid=7,"
				"gid=8",
				false, &options, &why),
		     0, "%s", strbuf_cstr(&why));
	cr_expect_str_eq(options.project, "/a b");
	cr_expect_eq(options.stop_timeout_us, 5000000);
	cr_expect_eq(options.n_attempts, 0);
	cr_expect(options.nofollow && options.foreground && !options.debug);
	cr_expect(options.has_uid && options.uid == 7);
	cr_expect(options.has_gid && options.gid == 8);
	cr_expect_eq(options.fuse.len, 0, "libfuse gets %s", strbuf_cstr(&options.fuse));
}

Test(options, debug_stays_in_the_foreground)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(options_done) struct options options;

	cr_assert_eq(parse_list("debug", false, &options, &why), 0);
	cr_expect(options.debug && options.foreground);
}

Test(options, the_last_of_two_values_holds)
{
	static const struct line line = { { "home", "mnt", "-o", "project=a,project=b",
					    "-o", "project=c,stop_timeout=0" } };
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(options_done) struct options options;

	cr_assert_eq(parse(&line, &options, &why), 0);
	cr_expect_str_eq(options.project, "c");
	cr_expect_eq(options.stop_timeout_us, 0);
}

Test(options, those_of_mount_and_fuse_go_to_libfuse)
{
	static const char *const names[] = {
		"ro",	 "rw",	    "allow_other", "allow_root", "auto_unmount", "suid",
		"dev",	 "nosuid",  "nodev",	   "exec",	 "noexec",	 "sync",
		"async", "dirsync", "atime",	   "noatime",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		_cleanup_(options_done) struct options options;

		cr_expect_eq(parse_list(names[i], false, &options, &why), 0, "%s",
			     names[i]);
		cr_expect_eq(options.fuse.data[0], ',');
		cr_expect_str_eq(options.fuse.data + 1, names[i]);
	}
}

Test(options, those_that_are_for_mount_alone_are_dropped)
{
	static const char *const names[] = {
		"default_permissions",
		"nodiratime",
		"diratime",
		"relatime",
		"norelatime",
		"strictatime",
		"nostrictatime",
		"lazytime",
		"nolazytime",
		"user",
		"users",
		"nouser",
		"nousers",
		"owner",
		"group",
		"nofail",
		"_netdev",
		"auto",
		"noauto",
		"defaults",
		"user=me",
		"comment=a b",
		"x-systemd.automount",
		"X-mount.mkdir=0700",
		"",
		",,",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		_cleanup_(options_done) struct options options;

		cr_expect_eq(parse_list(names[i], false, &options, &why), 0, "%s: %s",
			     names[i], strbuf_cstr(&why));
		cr_expect_eq(options.fuse.len, 0, "%s goes to libfuse", names[i]);
	}
}

Test(options, a_comma_in_a_value_is_escaped)
{
	static const struct {
		const char *list, *project;
	} rows[] = {
		{ "project=/a\\,b", "/a,b" },
		{ "nofollow,project=/a\\,b\\,c,ro", "/a,b,c" },
		{ "project=/a\\\\b", "/a\\b" },
		{ "project=/a\\\\\\,b", "/a\\,b" },
		{ "project=/a=b", "/a=b" },
		{ "project=/a\\", "/a\\" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		_cleanup_(options_done) struct options options;

		cr_assert_eq(parse_list(rows[i].list, false, &options, &why), 0, "%s: %s",
			     rows[i].list, strbuf_cstr(&why));
		cr_expect_str_eq(options.project, rows[i].project, "%s gives %s",
				 rows[i].list, options.project);
	}
}

Test(options, an_unknown_one_is_refused_by_name)
{
	static const struct line lines[] = {
		{ { "home", "mnt", "-x" } },
		{ { "home", "mnt", "-vx" } },
		{ { "home", "mnt", "--frob" } },
		{ { "--frob", "home", "mnt" } },
	};
	static const char *const parts[] = { "-x", "x", "--frob", "--frob" };

	expect_list_refused("frobnicate", "unknown option 'frobnicate'");
	expect_list_refused("ro,frob=1,rw", "unknown option 'frob=1'");
	expect_list_refused("nofollo", "unknown option 'nofollo'");
	expect_list_refused("nofollows", "unknown option 'nofollows'");
	expect_list_refused("ro=1", "option ro takes no value");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		expect_refused(&lines[i], parts[i]);
}

Test(options, an_unknown_letter_is_named_and_not_its_neighbour)
{
	static const struct line line = { { "home", "mnt", "-x", "-v" } };
	static const struct line joined = { { "home", "mnt", "-vxn" } };
	static const struct line missing = { { "home", "mnt", "-o" } };

	expect_refused(&line, "unknown option '-x'");
	expect_refused(&joined, "unknown option '-x'");
	expect_refused(&missing, "-o");
}

Test(options, sloppy_passes_over_what_is_unknown)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(options_done) struct options options;

	cr_assert_eq(parse_list("frobnicate,nofollow,frob=1", true, &options, &why), 0);
	cr_expect(options.nofollow);
	cr_expect_eq(options.fuse.len, 0);
}

Test(options, a_value_of_the_wrong_kind_is_refused)
{
	static const struct {
		const char *list, *part;
	} rows[] = {
		{ "stop_timeout", "option stop_timeout takes a whole number" },
		{ "stop_timeout=", "option stop_timeout takes a whole number" },
		{ "stop_timeout=1.5", "option stop_timeout takes a whole number" },
		{ "stop_timeout=-1", "option stop_timeout takes a whole number" },
		{ "attempts=-1", "option attempts takes a whole number" },
		{ "stop_timeout=5s", "option stop_timeout takes a whole number" },
		{ "stop_timeout=99999999999999999999", "takes a whole number" },
		{ "uid=me", "option uid takes a whole number" },
		{ "gid=4294967295", "option gid takes a whole number" },
		{ "project", "option project takes a directory" },
		{ "project=", "option project takes a directory" },
		{ "nofollow=yes", "option nofollow takes no value" },
		{ "foreground=", "option foreground takes no value" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_list_refused(rows[i].list, rows[i].part);
}

Test(options, a_wrong_value_is_refused_with_sloppy_too)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(options_done) struct options options;

	cr_expect_eq(parse_list("stop_timeout=x", true, &options, &why), -EINVAL);
}

Test(options, a_missing_operand_is_said)
{
	static const struct line lines[] = {
		{ { NULL } },
		{ { "home" } },
		{ { "home", "mnt", "more" } },
		{ { "-o", "nofollow" } },
		{ { "-o", "nofollow", "home" } },
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		expect_refused(&lines[i], "mount.runfs HOME MOUNTPOINT");
}
