/* The job of a start: which attributes it writes, in Guild's form, order and meaning. */
#include "engine/prepare.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/prepare-source.h"
#include "expect.h"
#include "scratch.h"

#define ID "0123456789abcdef0123456789abcdef"

static void begin(void)
{
	scratch_make();
	setenv("HOST", "here", 1);
	setenv("USER", "me", 1);
	unsetenv("NO_PIP_FREEZE");
	unsetenv("NO_VCS_COMMIT");
}

TestSuite(prepare, .init = begin, .fini = scratch_remove);

/* What a start is made of: an operation that runs "p", its flags, and a request. */
struct start {
	struct operation *operation;
	struct flags flags;
	struct request request;
	struct flags written;
	struct command command;
	const char *project;
};

static void start_init(struct start *start, const char *flags, const char *request)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	*start = (struct start){ .operation = operation_new(), .project = "/p" };
	start->operation->name = strdup("op");
	start->operation->opspec = strdup("m:op");
	start->operation->opref = strdup("guildfile:/p/guild.yml v m op");
	value_of("{op-cmd: {cmd-args: [p], cmd-env: {GUILD_PLUGINS: 'cpu,disk'}}}",
		 &start->operation->attr);
	flags_of(flags, &start->flags);
	cr_assert_eq(request_parse(str_from(request), true, &start->request, &why), 0);
	cr_assert_eq(flags_copy(&start->request.flags, &start->written), 0);
	cr_assert_eq(strv_append(&start->command.argv, STR("p")), 0);
	cr_assert_eq(strv_append(&start->command.envp, STR("A=1")), 0);
	value_of("[p]", &start->command.cmd);
	value_of("{A: '1'}", &start->command.env);
}

static void start_done(struct start *start)
{
	operation_unref(start->operation);
	flags_done(&start->flags);
	request_done(&start->request);
	flags_done(&start->written);
	command_done(&start->command);
}

static struct preparation preparation_of(const struct start *start)
{
	return (struct preparation){
		.operation = start->operation,
		.request = &start->request,
		.written = &start->written,
		.flags = &start->flags,
		.command = &start->command,
		.id = ID,
		.project = start->project,
		.n_attempts = 7,
		.stop_timeout_us = 5,
	};
}

static void prepare(const struct start *start, struct job *ret)
{
	struct preparation preparation = preparation_of(start);

	cr_assert_eq(prepare_new(&preparation, ret), 0);
}

static void prepare_again(const struct start *start, struct job *ret)
{
	_cleanup_(run_freep) struct run *run = scratch_run(ID);
	struct preparation preparation = preparation_of(start);

	cr_assert_eq(prepare_restart(&preparation, run, ret), 0);
}

static const char *attr(const struct job *job, const char *name)
{
	for (size_t i = 0; i < job->n_attrs; i++) {
		if (strcmp(job->attrs[i].name, name) == 0)
			return job->attrs[i].text;
	}
	return "(none)";
}

static void expect_attr(const struct job *job, const char *name, const char *text)
{
	expect_text(str_from(attr(job, name)), text, name);
}

static void expect_names(const struct job *job, const char *expected)
{
	_cleanup_(strbuf_done) struct strbuf names = STRBUF_INIT;

	for (size_t i = 0; i < job->n_attrs; i++)
		strbuf_addf(&names, "%s ", job->attrs[i].name);
	expect_text(strbuf_str(&names), expected, "names");
}

static int64_t number(const struct job *job, const char *name)
{
	char *end;
	int64_t ret = strtoll(attr(job, name), &end, 10);

	cr_expect_str_eq(end, "\n", "%s is no number", name);
	return ret;
}

/* The order in which Guild writes them (1.6). */
Test(prepare, a_new_run_has_all_attributes_in_guild_s_order)
{
	_cleanup_(start_done) struct start start = { 0 };
	_cleanup_(job_done) struct job job = JOB_INIT;

	start_init(&start, "{x: 1, s: '1'}", "x=1");
	prepare(&start, &job);
	expect_names(&job,
		     "id initialized cmd label flags user_flags run_params random_seed "
		     "op host user platform plugins deps started env ");
	expect_attr(&job, "id", ID "\n");
	expect_attr(&job, "cmd", "- p\n");
	expect_attr(&job, "label", "s='1' x=1\n");
	expect_attr(&job, "flags", "s: '1'\nx: 1\n");
	expect_attr(&job, "user_flags", "x: 1\n");
	expect_attr(&job, "host", "here\n");
	expect_attr(&job, "user", "me\n");
	expect_attr(&job, "plugins", "- cpu\n- disk\n");
	expect_attr(&job, "deps", "{}\n");
	expect_attr(&job, "env", "A: '1'\n");
	expect_attr(&job, "op",
		    "op-cmd:\n  cmd-args:\n  - p\n  cmd-env:\n"
		    "    GUILD_PLUGINS: cpu,disk\n");
}

Test(prepare, a_new_run_s_job_says_what_to_start)
{
	_cleanup_(start_done) struct start start = { 0 };
	_cleanup_(job_done) struct job job = JOB_INIT;

	start_init(&start, "{}", "");
	start.operation->is_python = true;
	prepare(&start, &job);
	cr_expect(job.is_new);
	cr_expect_str_eq(job.id, ID);
	cr_expect_str_eq(job.opref, "guildfile:/p/guild.yml v m op");
	expect_words(job.argv, "p", "argv");
	expect_words(job.envp, "A=1", "envp");
	cr_expect_str_eq(job.source.root, "/p");
	cr_expect(job.source.python);
	cr_expect(job.source.vcs_commit);
	cr_expect_eq(job.n_attempts, 7);
	cr_expect_eq(job.stop_timeout_us, 5);
}

/* The rules in the words of guild.yml: +TYPE:PATTERN, with a blank after each. */
static void expect_rules(const struct job *job, const char *expected)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < job->source.rules.n_items; i++) {
		const struct source_rule *rule = &job->source.rules.items[i];
		const char *type = source_rule_type_name(rule->type);

		strbuf_addf(&text, "%c%s:", rule->include ? '+' : '-', type ? type : "");
		for (char **pattern = rule->patterns; pattern && *pattern; pattern++)
			strbuf_addf(&text, "%s ", *pattern);
	}
	cr_expect_str_eq(strbuf_cstr(&text), expected);
}

Test(prepare, the_source_is_what_the_operation_says)
{
	static const struct {
		const char *attr, *root, *prefix, *dest;
	} rows[] = {
		{ "{}", "/p", NULL, NULL },
		{ "{sourcecode: {dest: .}}", "/p", NULL, NULL },
		{ "{sourcecode: {dest: ./a//b, root: src/}}", "/p/src/", "src/", "a/b/" },
		{ "{sourcecode: {root: ../x/./y/../z}}", "/p/../x/./y/../z", "../x/z/",
		  NULL },
		{ "{sourcecode: {root: /else/where}}", "/else/where", "/else/where/",
		  NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(operation_unrefp) struct operation *operation = operation_new();
		_cleanup_(job_done) struct job job = JOB_INIT;

		value_of(rows[i].attr, &operation->attr);
		cr_assert_eq(prepare_source(operation, "/p", &job), 0);
		expect_text(str_from(job.source.root), rows[i].root, rows[i].attr);
		expect_text(str_from(job.source.prefix),
			    rows[i].prefix ? rows[i].prefix : "", rows[i].attr);
		expect_text(str_from(job.source.dest), rows[i].dest ? rows[i].dest : "",
			    rows[i].attr);
		cr_expect_str_eq(job.source.project, "/p");
		cr_expect_not(job.source.no_digest);
	}
}

Test(prepare, the_rules_of_the_source_go_with_it_and_are_recorded)
{
	static const char rules[] =
		"digest: false\nselect:\n- exclude:\n  - '*'\n- include:\n    dir:\n"
		"    - a\n    - b\n";
	_cleanup_(start_done) struct start start = { 0 };
	_cleanup_(job_done) struct job job = JOB_INIT;

	start_init(&start, "{}", "");
	value_of(rules, &start.operation->source);
	prepare(&start, &job);
	expect_rules(&job, "-:* +dir:a b ");
	cr_expect(job.source.no_digest);
	expect_attr(&job, OPERATION_SOURCE, rules);
}

Test(prepare, a_place_outside_a_run_is_refused)
{
	_cleanup_(operation_unrefp) struct operation *operation = operation_new();
	_cleanup_(job_done) struct job job = JOB_INIT;

	value_of("{sourcecode: {dest: ../x}}", &operation->attr);
	cr_expect_eq(prepare_source(operation, "/p", &job), -EINVAL);
}

Test(prepare, its_times_are_microseconds_of_now)
{
	_cleanup_(start_done) struct start start = { 0 };
	_cleanup_(job_done) struct job job = JOB_INIT;
	int64_t begin_us = (int64_t)time(NULL) * 1000000;

	start_init(&start, "{}", "");
	prepare(&start, &job);
	cr_expect_geq(number(&job, "initialized"), begin_us);
	cr_expect_geq(number(&job, "started"), number(&job, "initialized"));
	cr_expect_leq(number(&job, "started"), begin_us + 60000000);
	cr_expect_geq(number(&job, "random_seed"), 0);
	cr_expect_leq(number(&job, "random_seed"), INT64_C(1) << 32);
}

Test(prepare, a_run_without_flags_has_no_label)
{
	_cleanup_(start_done) struct start start = { 0 };
	_cleanup_(job_done) struct job job = JOB_INIT;

	start_init(&start, "{x: null}", "");
	prepare(&start, &job);
	expect_attr(&job, "label", "(none)");
	expect_attr(&job, "user_flags", "{}\n");
	expect_attr(&job, "flags", "x: null\n");
}

Test(prepare, the_options_are_recorded_as_guild_s_own)
{
	_cleanup_(start_done) struct start start = { 0 };
	_cleanup_(job_done) struct job job = JOB_INIT;
	_cleanup_(value_done) struct value params = VALUE_INIT;
	static const char *const rows[] = {
		"flags:\n- s='1'\n- t=yes\n- x=a b\n",
		"force_flags: true\n",
		"force_sourcecode: false\n",
		"needed: true\n",
		"opspec: m:op\n",
		"'yes': true\n",
		"additional_deps: []\n",
		"comment: null\n",
		"restart: null\n",
		"stage: false\n",
	};

	start_init(&start, "{x: a b}", "x='a b' s='1' t=yes --needed --force-flags");
	prepare(&start, &job);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_not_null(strstr(attr(&job, "run_params"), rows[i]), "%s in %s",
				   rows[i], attr(&job, "run_params"));
	value_of(attr(&job, "run_params"), &params);
	cr_expect_eq(params.map.n_pairs, 54, "Guild writes 54");
}

Test(prepare, the_environment_can_leave_parts_out)
{
	_cleanup_(start_done) struct start start = { 0 };
	_cleanup_(job_done) struct job with = JOB_INIT, without = JOB_INIT;

	start_init(&start, "{}", "");
	value_of("[a==1]", &start.operation->pip_freeze);
	prepare(&start, &with);
	expect_attr(&with, "pip_freeze", "- a==1\n");
	setenv("NO_PIP_FREEZE", "1", 1);
	setenv("NO_VCS_COMMIT", "1", 1);
	prepare(&start, &without);
	expect_attr(&without, "pip_freeze", "(none)");
	cr_expect_not(without.source.vcs_commit);
}

/* A run that was started before, as Guild leaves one. */
static void put_run(void)
{
	static const char *const rows[][2] = {
		{ "id", ID "\n" },
		{ "initialized", "1\n" },
		{ "random_seed", "7\n" },
		{ "deps", "{a: b}\n" },
		{ "started", "2\n" },
		{ "stopped", "3\n" },
		{ "exit_status", "0\n" },
		{ "label", "x=1\n" },
		{ "flags", "x: 1\n" },
		{ "tags", "[t]\n" },
		{ "run_params", "{needed: false, comment: c, 'yes': false}\n" },
	};

	scratch_delete("home/runs");
	scratch_put_run(ID);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		scratch_put_attr(ID, rows[i][0], rows[i][1]);
}

Test(prepare, a_restart_writes_only_what_changes)
{
	_cleanup_(start_done) struct start start = { 0 };
	_cleanup_(job_done) struct job job = JOB_INIT;

	put_run();
	start_init(&start, "{x: 2, 'y': 3}", "x=2");
	start.project = NULL;
	prepare_again(&start, &job);
	cr_expect_not(job.is_new);
	cr_expect_null(job.source.root);
	expect_names(&job, "cmd label flags user_flags run_params started env ");
	expect_attr(&job, "flags", "x: 2\n'y': 3\n");
	expect_attr(&job, "user_flags", "x: 2\n");
	expect_attr(&job, "label", "x=2 y=3\n");
	expect_attr(&job, "run_params", "comment: c\nneeded: false\n'yes': false\n");
}

Test(prepare, what_a_foreign_run_lacks_is_filled_in)
{
	_cleanup_(start_done) struct start start = { 0 };
	_cleanup_(job_done) struct job job = JOB_INIT;

	scratch_put_run(ID);
	start_init(&start, "{x: 1}", "");
	prepare_again(&start, &job);
	expect_names(&job, "id initialized random_seed deps cmd label flags user_flags "
			   "run_params started env ");
	expect_attr(&job, "id", ID "\n");
	expect_attr(&job, "deps", "{}\n");
	cr_expect_not_null(strstr(attr(&job, "run_params"), "opspec: m:op\n"));
}

Test(prepare, a_label_follows_the_flags_unless_the_user_has_set_it)
{
	static const struct {
		const char *label, *own, *flags, *expected; /* NULL: none */
	} rows[] = {
		{ "x=1\n", "{x: 1}\n", "{x: 2}", "x=2\n" },
		{ "x=1\n", "{x: 1}\n", "{x: 1}", "x=1\n" },
		{ "mine\n", "{x: 1}\n", "{x: 2}", "(none)" },
		{ "x=1 \n", "{x: 1}\n", "{x: 2}", "x=2\n" },
		{ "'x=1 '\n", "{x: 1}\n", "{x: 2}", "(none)" },
		{ "x=1\n", "{x: 5}\n", "{x: 2}", "(none)" },
		{ NULL, "{x: 1}\n", "{x: 2}", "(none)" },
		{ "''\n", "{x: 1}\n", "{x: 2}", "(none)" },
		{ NULL, "{x: null}\n", "{x: 2}", "x=2\n" },
		{ NULL, "{}\n", "{x: 2}", "x=2\n" },
		{ NULL, NULL, "{}", "(none)" },
		{ "x=1\n", "{x: 1}\n", "{x: null}", "''\n" },
		{ "''\n", "{x: null}\n", "{x: 2}", "x=2\n" },
		{ "a: [\n", "{x: 1}\n", "{x: 2}", "(none)" },
		{ "5\n", "{x: 1}\n", "{x: 2}", "(none)" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(start_done) struct start start = { 0 };
		_cleanup_(job_done) struct job job = JOB_INIT;

		scratch_delete("home/runs");
		scratch_put_run(ID);
		if (rows[i].label)
			scratch_put_attr(ID, "label", rows[i].label);
		if (rows[i].own)
			scratch_put_attr(ID, "flags", rows[i].own);
		start_init(&start, rows[i].flags, "");
		prepare_again(&start, &job);
		expect_text(str_from(attr(&job, "label")), rows[i].expected,
			    rows[i].label ? rows[i].label : rows[i].flags);
	}
}

Test(prepare, a_start_is_later_than_the_last_whatever_the_clock_says)
{
	static const struct {
		const char *last;
		int64_t started; /* 0: now */
	} rows[] = {
		{ "1000\n", 0 },
		{ "4000000000000000\n", 4000000000000001 },
		{ "9223372036854775806\n", INT64_MAX },
		{ "text\n", 0 },
		{ "null\n", 0 },
	};
	int64_t begin_us = (int64_t)time(NULL) * 1000000;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(start_done) struct start start = { 0 };
		_cleanup_(job_done) struct job job = JOB_INIT;

		scratch_put_run(ID);
		scratch_put_attr(ID, "started", rows[i].last);
		start_init(&start, "{}", "");
		prepare_again(&start, &job);
		if (rows[i].started)
			cr_expect_eq(number(&job, "started"), rows[i].started, "%s",
				     rows[i].last);
		else
			cr_expect(number(&job, "started") >= begin_us &&
					  number(&job, "started") < 4000000000000000,
				  "%s", rows[i].last);
	}
}

Test(prepare, a_time_that_can_not_grow_is_no_accident)
{
	_cleanup_(start_done) struct start start = { 0 };
	_cleanup_(job_done) struct job job = JOB_INIT;

	scratch_put_run(ID);
	scratch_put_attr(ID, "started", "9223372036854775807\n");
	start_init(&start, "{}", "");
	prepare_again(&start, &job);
	cr_expect_gt(number(&job, "started"), 0);
}

Test(prepare, options_of_a_restart_are_put_over_the_recorded_ones)
{
	_cleanup_(start_done) struct start start = { 0 };
	_cleanup_(job_done) struct job job = JOB_INIT;

	put_run();
	start_init(&start, "{x: 1}", "--needed --force-sourcecode");
	prepare_again(&start, &job);
	expect_attr(&job, "run_params",
		    "comment: c\nforce_sourcecode: true\nneeded: true\n'yes': false\n");
	cr_expect_str_eq(job.source.root, "/p");
}
