/* The command line of mount.runfs. */
#include "fs/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cleanup.h"

#define STOP_TIMEOUT_S 30 /* Guild's grace too */
#define N_ATTEMPTS     10

/* What becomes of one -o option. */
enum option_kind {
	OPTION_FUSE,  /* for the kernel or libfuse */
	OPTION_DROP,  /* for mount(8), not for us */
	OPTION_SET,   /* ours, without a value */
	OPTION_VALUE, /* ours, with one */
};

struct option_row {
	const char *name;
	enum option_kind kind;
	void (*set)(struct options *options);
	int (*value)(struct options *options, const char *text);
};

static void set_nofollow(struct options *options)
{
	options->nofollow = true;
}

static void set_foreground(struct options *options)
{
	options->foreground = true;
}

static void set_read_only(struct options *options)
{
	options->read_only = true;
}

static void set_read_write(struct options *options)
{
	options->read_only = false;
}

static void set_debug(struct options *options)
{
	options->foreground = options->debug = true;
}

static int read_project(struct options *options, const char *text)
{
	free(options->project);
	options->project = strdup(text);
	return options->project ? 0 : -ENOMEM;
}

static int read_number(const char *text, long max, long *ret)
{
	char *end;

	errno = 0;
	*ret = strtol(text, &end, 10);
	return errno || end == text || *end || *ret < 0 || *ret > max ? -EINVAL : 0;
}

static int read_stop_timeout(struct options *options, const char *text)
{
	long seconds;
	int r = read_number(text, INT_MAX, &seconds);

	if (r == 0)
		options->stop_timeout_us = (int64_t)seconds * 1000000;
	return r;
}

static int read_jobs(struct options *options, const char *text)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	options->has_jobs = true;
	return jobs_parse(str_from(text), true, &options->jobs, &why);
}

static int read_attempts(struct options *options, const char *text)
{
	long number;
	int r = read_number(text, INT_MAX, &number);

	if (r == 0)
		options->n_attempts = (unsigned int)number;
	return r;
}

static int read_uid(struct options *options, const char *text)
{
	long id;
	int r = read_number(text, UINT_MAX - 1, &id);

	options->uid = (uid_t)id;
	options->has_uid = true;
	return r;
}

static int read_gid(struct options *options, const char *text)
{
	long id;
	int r = read_number(text, UINT_MAX - 1, &id);

	options->gid = (gid_t)id;
	options->has_gid = true;
	return r;
}

static const struct option_row rows[] = {
	{ "project", OPTION_VALUE, .value = read_project },
	{ "stop_timeout", OPTION_VALUE, .value = read_stop_timeout },
	{ "jobs", OPTION_VALUE, .value = read_jobs },
	{ "attempts", OPTION_VALUE, .value = read_attempts },
	{ "nofollow", OPTION_SET, .set = set_nofollow },
	{ "foreground", OPTION_SET, .set = set_foreground },
	{ "debug", OPTION_SET, .set = set_debug },
	{ "uid", OPTION_VALUE, .value = read_uid },
	{ "gid", OPTION_VALUE, .value = read_gid },
	{ "ro", OPTION_FUSE, .set = set_read_only },
	{ "rw", OPTION_FUSE, .set = set_read_write },
	{ "allow_other", OPTION_FUSE },
	{ "allow_root", OPTION_FUSE },
	{ "auto_unmount", OPTION_FUSE },
	{ "suid", OPTION_FUSE },
	{ "nosuid", OPTION_FUSE },
	{ "dev", OPTION_FUSE },
	{ "nodev", OPTION_FUSE },
	{ "exec", OPTION_FUSE },
	{ "noexec", OPTION_FUSE },
	{ "sync", OPTION_FUSE },
	{ "async", OPTION_FUSE },
	{ "dirsync", OPTION_FUSE },
	{ "atime", OPTION_FUSE },
	{ "noatime", OPTION_FUSE },
	{ "default_permissions", OPTION_DROP }, /* always on */
	{ "nodiratime", OPTION_DROP },
	{ "diratime", OPTION_DROP },
	{ "relatime", OPTION_DROP },
	{ "norelatime", OPTION_DROP },
	{ "strictatime", OPTION_DROP },
	{ "nostrictatime", OPTION_DROP },
	{ "lazytime", OPTION_DROP },
	{ "nolazytime", OPTION_DROP },
	{ "user", OPTION_DROP },
	{ "users", OPTION_DROP },
	{ "nouser", OPTION_DROP },
	{ "nousers", OPTION_DROP },
	{ "owner", OPTION_DROP },
	{ "group", OPTION_DROP },
	{ "nofail", OPTION_DROP },
	{ "_netdev", OPTION_DROP },
	{ "auto", OPTION_DROP },
	{ "noauto", OPTION_DROP },
	{ "defaults", OPTION_DROP },
	{},
};

static const struct option_row *find_row(const char *name, size_t len)
{
	for (const struct option_row *row = rows; row->name; row++) {
		if (strlen(row->name) == len && memcmp(row->name, name, len) == 0)
			return row;
	}
	return NULL;
}

static bool is_comment(const char *option)
{
	/* mount(8) passes on user=NAME, too, and comments for other programs. */
	return strncmp(option, "x-", 2) == 0 || strncmp(option, "X-", 2) == 0 ||
	       strncmp(option, "comment=", 8) == 0 || strncmp(option, "user=", 5) == 0;
}

static int refuse_option(struct options *options, const char *option,
			 struct strbuf *ret_why)
{
	if (options->sloppy)
		return 0;
	strbuf_adds(ret_why, "unknown option ");
	strbuf_add_quoted(ret_why, str_from(option));
	strbuf_adds(ret_why, ": see mount.runfs(8)");
	return -EINVAL;
}

static int refuse_value(const struct option_row *row, struct strbuf *ret_why)
{
	if (row->kind == OPTION_VALUE && row->value == read_project)
		strbuf_adds(ret_why, "option project takes a directory: project=DIR");
	else if (row->kind == OPTION_VALUE && row->value == read_jobs)
		strbuf_adds(ret_why, "option jobs takes a whole number, max or pause:"
				     " jobs=N");
	else if (row->kind == OPTION_VALUE)
		strbuf_addf(ret_why, "option %s takes a whole number: %s=N", row->name,
			    row->name);
	else
		strbuf_addf(ret_why, "option %s takes no value", row->name);
	return -EINVAL;
}

static int parse_option(struct options *options, const char *option,
			struct strbuf *ret_why)
{
	const char *value = strchr(option, '=');
	const struct option_row *row;

	if (option[0] == '\0' || is_comment(option))
		return 0;
	row = find_row(option, value ? (size_t)(value - option) : strlen(option));
	if (!row)
		return refuse_option(options, option, ret_why);
	if ((row->kind == OPTION_VALUE) != (value != NULL))
		return refuse_value(row, ret_why);

	switch (row->kind) {
	case OPTION_FUSE:
		if (row->set)
			row->set(options);
		return strbuf_addf(&options->fuse, ",%s", option);
	case OPTION_SET:
		row->set(options);
		break;
	case OPTION_VALUE:
		if (value[1] == '\0' || row->value(options, value + 1) < 0)
			return refuse_value(row, ret_why);
		break;
	case OPTION_DROP:
		break;
	}
	return 0;
}

/* A comma in a value is written "\,", as libfuse and sshfs have it. */
static int parse_list(struct options *options, const char *list, struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf option = STRBUF_INIT;
	int r = 0;

	for (; r == 0 && *list; list++) {
		if (list[0] == '\\' && list[1]) {
			strbuf_addc(&option, *++list);
		} else if (list[0] == ',') {
			r = parse_option(options, strbuf_cstr(&option), ret_why);
			strbuf_reset(&option);
		} else {
			strbuf_addc(&option, list[0]);
		}
	}
	return r < 0 ? r : parse_option(options, strbuf_cstr(&option), ret_why);
}

/* The word or letter that getopt(3) has just stumbled over. */
static int refuse_word(const char *word, struct strbuf *ret_why)
{
	char letter[] = { '-', (char)optopt, '\0' };
	bool is_long = optopt == 0 || str_starts(str_from(word), "--");

	strbuf_adds(ret_why, "unknown option ");
	strbuf_add_quoted(ret_why, str_from(is_long ? word : letter));
	strbuf_adds(ret_why, ": see mount.runfs --help");
	return -EINVAL;
}

/* The lists, once it is known whether unknown options matter: -s may come last. */
static int parse_lists(struct options *options, int argc, char **argv,
		       const char *const *lists, size_t n_lists, struct strbuf *ret_why)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n_lists; i++)
		r = parse_list(options, lists[i], ret_why);
	if (r < 0 || options->help || options->version)
		return r;
	if (argc - optind != 2) {
		strbuf_adds(ret_why, "write mount.runfs HOME MOUNTPOINT [-o OPTION,...]");
		return -EINVAL;
	}
	if (options->has_jobs && options->read_only) {
		strbuf_adds(ret_why, "option jobs writes to the home, from which ro keeps"
				     " this mount: leave one of them out");
		return -EINVAL;
	}
	options->home = argv[optind];
	options->mountpoint = argv[optind + 1];
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret, struct strbuf *ret_why)
{
	static const struct option long_options[] = { { "help", no_argument, NULL, 'h' },
						      { "version", no_argument, NULL,
							'V' },
						      {} };
	_cleanup_free_ const char **lists = calloc((size_t)argc, sizeof(*lists));
	size_t n_lists = 0;
	int c;

	*ret = (struct options){ .n_attempts = N_ATTEMPTS,
				 .stop_timeout_us = STOP_TIMEOUT_S * 1000000ll };
	if (!lists)
		return -ENOMEM;
	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc, argv, ":o:t:N:sfnvhV", long_options, NULL)) != -1) {
		switch (c) {
		case 'o':
			lists[n_lists++] = optarg;
			break;
		case 's':
			ret->sloppy = true;
			break;
		case 'f':
			ret->fake = true;
			break;
		case 'v':
			ret->verbose = true;
			break;
		case 'h':
			ret->help = true;
			break;
		case 'V':
			ret->version = true;
			break;
		case 'n': /* there is no mtab to leave alone */
		case 't':
		case 'N':
			break;
		case ':':
			strbuf_addf(ret_why, "option -%c takes a value", optopt);
			return -EINVAL;
		default:
			return refuse_word(argv[optind - 1], ret_why);
		}
	}
	return parse_lists(ret, argc, argv, lists, n_lists, ret_why);
}

void options_done(struct options *options)
{
	free(options->project);
	strbuf_done(&options->fuse);
}
