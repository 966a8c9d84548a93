/* A job and its answer: what goes in comes out, and nothing else is taken for one. */
#include "engine/job.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "engine/strv.h"

TestSuite(job);

static char *no_words[] = { NULL };

/* What comes out of the JSON of @job. */
static void pass_on(const struct job *job, struct job *ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	cr_assert_eq(job_format(job, &text), 0);
	cr_assert_eq(job_parse(strbuf_str(&text), ret), 0, "%s", strbuf_cstr(&text));
}

static struct job sample(char **argv)
{
	static char id[] = "x";

	return (struct job){ .id = id, .argv = argv, .envp = no_words };
}

Test(job, all_of_a_job_comes_through)
{
	_cleanup_(job_done) struct job job = JOB_INIT;
	_cleanup_(job_done) struct job copy = JOB_INIT;
	char **patterns = NULL;

	job.kind = JOB_STAGE;
	job.id = strdup("0123");
	job.is_new = true;
	job.env_file = strdup("export A=1\n");
	job.pending = strdup("waits");
	job.order_us = 1795877959020358;
	job.in_turn = true;
	job.others = calloc(2, sizeof(char *));
	job.others[0] = strdup("other");
	job.opref = strdup("script:/p '' '' x.sh");
	job.argv = calloc(3, sizeof(char *));
	job.argv[0] = strdup("python");
	job.argv[1] = strdup("");
	job.envp = calloc(2, sizeof(char *));
	job.envp[0] = strdup("HOME=/root");
	job.source.root = strdup("/p");
	job.source.python = true;
	job.config.path = strdup("c/f.yml");
	job.config.text = strdup("x: 1\n");
	job.config.source = strdup("c/f.yml.in");
	job.config.uri = strdup("config:c/f.yml.in");
	job.delete_on_success = true;
	job.source.dest = strdup("code/");
	job.source.no_digest = true;
	cr_assert_eq(strv_append(&patterns, STR("*.p\xff")), 0);
	cr_assert_eq(source_rules_add(&job.source.rules, true, SOURCE_RULE_BINARY,
				      patterns),
		     0);
	job.n_attempts = 3;
	job.stop_timeout_us = 30000000000;
	cr_assert_eq(job_add_attr(&job, "flags", STR("x: 1\n")), 0);
	cr_assert_eq(job_add_attr(&job, "label", STR("a\tb\n")), 0);

	pass_on(&job, &copy);
	cr_expect_eq(copy.kind, JOB_STAGE);
	cr_expect_str_eq(copy.id, "0123");
	cr_expect_str_eq(copy.env_file, "export A=1\n");
	cr_expect_str_eq(copy.pending, "waits");
	cr_expect_eq(copy.order_us, 1795877959020358);
	cr_expect(copy.in_turn);
	cr_expect_str_eq(copy.others[0], "other");
	cr_expect_null(copy.others[1]);
	cr_expect(copy.is_new);
	cr_expect_str_eq(copy.opref, job.opref);
	cr_expect_str_eq(copy.argv[0], "python");
	cr_expect_str_eq(copy.argv[1], "");
	cr_expect_null(copy.argv[2]);
	cr_expect_str_eq(copy.envp[0], "HOME=/root");
	cr_expect_str_eq(copy.source.root, "/p");
	cr_expect(copy.source.python);
	cr_expect_not(copy.source.vcs_commit);
	cr_expect_str_eq(copy.config.path, "c/f.yml");
	cr_expect_str_eq(copy.config.text, "x: 1\n");
	cr_expect_str_eq(copy.config.source, "c/f.yml.in");
	cr_expect_str_eq(copy.config.uri, "config:c/f.yml.in");
	cr_expect(copy.delete_on_success);
	cr_expect_str_eq(copy.source.dest, "code/");
	cr_expect_null(copy.source.prefix);
	cr_expect(copy.source.no_digest);
	cr_assert_eq(copy.source.rules.n_items, 1);
	cr_expect(copy.source.rules.items[0].include);
	cr_expect_eq(copy.source.rules.items[0].type, SOURCE_RULE_BINARY);
	cr_expect_str_eq(copy.source.rules.items[0].patterns[0], "*.p\xff");
	cr_expect_null(copy.source.rules.items[0].patterns[1]);
	cr_expect_eq(copy.n_attempts, 3);
	cr_expect_eq(copy.stop_timeout_us, 30000000000);
	cr_assert_eq(copy.n_attrs, 2);
	cr_expect_str_eq(copy.attrs[1].name, "label");
	cr_expect_str_eq(copy.attrs[1].text, "a\tb\n");
}

Test(job, what_a_job_does_not_have_it_has_not_afterwards)
{
	char *argv[] = { (char[]){ "x" }, NULL };
	struct job job = sample(argv);
	_cleanup_(job_done) struct job copy = JOB_INIT;

	pass_on(&job, &copy);
	cr_expect_null(copy.opref);
	cr_expect_null(copy.source.root);
	cr_expect_null(copy.config.path);
	cr_expect_eq(copy.n_attrs, 0);
	cr_expect_null(copy.envp[0]);
}

Test(job, a_file_that_leads_out_of_the_run_makes_it_no_job)
{
	static const char *const paths[] = { "",     "/etc/x",	     "../x", "a/../x",
					     "a//x", ".guild/attrs", "./x" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char *argv[] = { (char[]){ "x" }, NULL };
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
		struct job job = sample(argv);
		struct job copy = JOB_INIT;

		job.config.path = (char *)(uintptr_t)paths[i];
		job.config.text = job.config.source = job.config.uri = (char[]){ "x" };
		cr_assert_eq(job_format(&job, &text), 0);
		cr_expect_eq(job_parse(strbuf_str(&text), &copy), -EBADMSG, "%s",
			     paths[i]);
	}
}

Test(job, only_a_start_needs_a_command_and_a_run)
{
	const struct job amend = { .kind = JOB_AMEND }, sweep = { .kind = JOB_SWEEP };
	const struct job start = { .kind = JOB_START };
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_(job_done) struct job copy = JOB_INIT;

	pass_on(&amend, &copy);
	cr_expect_eq(copy.kind, JOB_AMEND);
	job_done(&copy);
	pass_on(&sweep, &copy);
	cr_expect_eq(copy.kind, JOB_SWEEP);
	cr_assert_eq(job_format(&start, &text), 0);
	cr_expect_eq(job_parse(strbuf_str(&text), &copy), -EBADMSG);
}

Test(job, any_byte_survives)
{
	char word[256];
	char *argv[] = { word, NULL };
	struct job job = sample(argv);
	_cleanup_(job_done) struct job copy = JOB_INIT;

	for (int i = 0; i < 255; i++)
		word[i] = (char)(i + 1);
	word[255] = '\0';
	pass_on(&job, &copy);
	cr_expect_str_eq(copy.argv[0], word);
}

Test(job, a_variable_is_found_by_its_whole_name)
{
	char *envp[] = { (char[]){ "PATHS=1" }, (char[]){ "PATH=2" }, NULL };
	struct job job = { .envp = envp };

	cr_expect_str_eq(job_getenv(&job, "PATH"), "2");
	cr_expect_null(job_getenv(&job, "PAT"));
	cr_expect_null(job_getenv(&(struct job){ 0 }, "PATH"));
}

static void expect_no_job(const char *text)
{
	struct job job = JOB_INIT;

	cr_expect_eq(job_parse(str_from(text), &job), -EBADMSG, "%s", text);
	cr_expect_null(job.id, "%s", text);
}

#define REST_WITH_DEST(dest)                                                             \
	"\"new\":false,\"opref\":null,\"envp\":[],\"source\":{\"root\":null,"            \
	"\"project\":null,\"prefix\":null,\"dest\":" dest                                \
	",\"also\":null,\"rules\":[]},\"stop_timeout_us\":0,\"env_file\":null,"          \
	"\"turn\":{\"pending\":null,\"failure\":null,\"others\":[]},"                    \
	"\"config\":{"                                                                   \
	"\"path\":null,\"text\":null,\"source\":null,\"uri\":null}"
#define REST REST_WITH_DEST("null")

Test(job, the_least_of_a_job_is_one)
{
	_cleanup_(job_done) struct job job = JOB_INIT;

	cr_expect_eq(
		job_parse(STR("{\"id\":\"x\",\"argv\":[\"a\"],\"attrs\":[]," REST "}"),
			  &job),
		0);
}

Test(job, what_is_no_job_is_refused)
{
	expect_no_job("");
	expect_no_job("[]");
	expect_no_job("{}");
	expect_no_job("{\"id\":\"x\",\"argv\":[],\"attrs\":[]," REST "}");
	expect_no_job("{\"id\":\"x\",\"argv\":[\"\"],\"attrs\":[]," REST "}");
	expect_no_job("{\"id\":\"x\",\"argv\":[1],\"attrs\":[]," REST "}");
	expect_no_job("{\"id\":\"x\",\"argv\":[\"\\u0100\"],\"attrs\":[]," REST "}");
	expect_no_job("{\"id\":\"x\",\"argv\":[\"a\"],\"attrs\":[[\"x\"]]," REST "}");
	expect_no_job("{\"id\":\"x\",\"argv\":[\"a\"]," REST "}");
}

Test(job, nothing_leads_out_of_the_home)
{
	expect_no_job("{\"id\":\"..\",\"argv\":[\"a\"],\"attrs\":[]," REST "}");
	expect_no_job("{\"id\":\"a/b\",\"argv\":[\"a\"],\"attrs\":[]," REST "}");
	expect_no_job("{\"id\":\"\",\"argv\":[\"a\"],\"attrs\":[]," REST "}");
	expect_no_job("{\"id\":\"x\",\"argv\":[\"a\"],\"attrs\":[[\"../x\",\"\"]]," REST
		      "}");
	expect_no_job("{\"id\":\"x\",\"argv\":[\"a\"],\"attrs\":[]," REST_WITH_DEST(
		"\"../x\"") "}");
	expect_no_job("{\"id\":\"x\",\"argv\":[\"a\"],\"attrs\":[]," REST_WITH_DEST(
		"\"/x\"") "}");
}

Test(job, an_answer_comes_through)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	cr_assert_eq(job_format_answer(-ENOSPC, STR("no \"room\" for \xff"), &text), 0);
	cr_expect_eq(job_parse_answer(strbuf_str(&text), &why), -ENOSPC);
	cr_expect_str_eq(strbuf_cstr(&why), "no \"room\" for \xff");

	strbuf_reset(&text);
	strbuf_reset(&why);
	cr_assert_eq(job_format_answer(0, STR(""), &text), 0);
	cr_expect_eq(job_parse_answer(strbuf_str(&text), &why), 0);
	cr_expect_eq(why.len, 0);
}

Test(job, no_answer_is_an_error)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	cr_expect_eq(job_parse_answer(STR(""), &why), -EIO);
	cr_expect_str_eq(strbuf_cstr(&why),
			 "the supervisor of the run ended without an answer");
}
