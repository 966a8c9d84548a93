/*
 * ops/OP/: what each file says of an operation, and the runs that it starts; the handlers
 * are called from the table, without a mount.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#include "client.h"

TestSuite(op_dir, .init = client_make, .fini = client_remove, .timeout = 120);

static const char guildfile[] = "t:\n"
				"  description: Says hello\n"
				"  exec: echo ${x} ${y}\n"
				"  flags:\n"
				"    x: {description: How many, default: 1}\n"
				"    long-name: {description: Nothing}\n"
				"    y: a b\n"
				"quiet:\n"
				"  exec: /bin/true\n"
				"broken:\n"
				"  exec: [1, {}]\n";

static void put_project(void)
{
	scratch_put("project/guild.yml", guildfile);
	scratch_put_program("project/p.sh", "#!/bin/sh\necho \"$FLAG_A\"\n");
	scratch_put_program("project/dir/q.sh", "#!/bin/sh\n");
}

/* Starts a run; the caller frees the path of its directory. */
static char *run(const char *op_name, const char *text)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT, id = STRBUF_INIT;
	int r;

	strbuf_addf(&path, "ops/%s/run", op_name);
	r = client_ask(strbuf_cstr(&path), text, &id);
	cr_assert_eq(r, 0, "%s < %s: %s", strbuf_cstr(&path), text, strerror(-r));
	strbuf_reset(&path);
	strbuf_addf(&path, "runs/%.32s", strbuf_cstr(&id));
	cr_expect_eq(id.len, 33, "no ID: '%s'", strbuf_cstr(&id));
	return strbuf_take(&path);
}

static void expect_file(const char *dir, const char *name, const char *content)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	_cleanup_free_ char *text = NULL;

	strbuf_addf(&path, "%s/%s", dir, name);
	text = client_cat(strbuf_cstr(&path));
	cr_expect_str_eq(text, content, "%s: '%s' instead of '%s'", strbuf_cstr(&path),
			 text, content);
}

static void expect_link(const char *path, const char *before, const char *after)
{
	_cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT, expected = STRBUF_INIT;
	const struct node *node = client_node(path);

	cr_assert_eq(node->type->link(node, &target), 0, "%s", path);
	strbuf_addf(&expected, "%s%s", before, after);
	cr_expect_str_eq(strbuf_cstr(&target), strbuf_cstr(&expected), "%s", path);
}

static void expect_refused(const char *path, const char *text, int result,
			   const char *part)
{
	_cleanup_free_ char *answer = NULL;
	int r = client_print(path, text);

	cr_expect_eq(r, result, "%s < %s: %d instead of %d", path, text, r, result);
	answer = client_cat(path);
	cr_expect_not_null(strstr(answer, part), "%s < %s: '%s' has no '%s'", path, text,
			   answer, part);
}

Test(op_dir, flags_are_the_defaults_as_a_request)
{
	put_project();
	expect_content("ops/t/flags", "long-name=null\nx=1\ny='a b'\n");
	expect_content("ops/quiet/flags", "");
	expect_content("ops/p.sh/flags", "");
}

Test(op_dir, help_shows_each_flag)
{
	put_project();
	expect_content("ops/t/help", "Says hello\n"
				     "\n"
				     "flag       default  description\n"
				     "long-name  null     Nothing\n"
				     "x          1        How many\n"
				     "y          'a b'\n");
	expect_content("ops/quiet/help", "It takes no flags.\n");
	expect_content("ops/p.sh/help",
		       "A program that declares no flags: name=value reaches it as"
		       " FLAG_NAME in its environment.\n");
}

Test(op_dir, what_can_not_be_run_says_why)
{
	_cleanup_free_ char *help = NULL;

	put_project();
	help = client_cat("ops/broken/help");
	cr_expect_eq(strncmp(help, "error: ", 7), 0, "%s", help);
	expect_refused("ops/broken/run", "\n", -EINVAL, "exec is no command");
}

Test(op_dir, run_starts_a_new_run_and_tells_its_id)
{
	_cleanup_free_ char *dir = NULL, *other = NULL;

	put_project();
	dir = run("t", "x=2\n");
	expect_file(dir, "output", "2 a b\n");
	expect_file(dir, "wait", "completed 0\n");
	expect_file(dir, "flags", "long-name=null\nx=2\ny='a b'\n");
	expect_file(dir, "op", "t\n");
	other = run("t", "\n");
	cr_expect_str_neq(dir, other);
	expect_file(other, "output", "1 a b\n");
}

Test(op_dir, a_later_open_reads_the_last_id)
{
	_cleanup_free_ char *dir = NULL, *id = NULL;

	put_project();
	expect_content("ops/quiet/run", "");
	dir = run("quiet", "\n");
	id = client_cat("ops/quiet/run");
	cr_expect_eq(strncmp(id, dir + strlen("runs/"), 32), 0, "%s, %s", id, dir);
}

Test(op_dir, a_program_takes_any_flag)
{
	_cleanup_free_ char *dir = NULL;

	put_project();
	dir = run("p.sh", "a='b c'\n");
	expect_file(dir, "output", "b c\n");
}

Test(op_dir, latest_and_runs_lead_to_the_runs_of_the_operation)
{
	_cleanup_free_ char *dir = NULL, *deep = NULL, *path = NULL, *names = NULL;
	struct node *node;

	put_project();
	cr_expect_eq(client_look("ops/quiet/latest", &node), -ENOENT);
	dir = run("quiet", "\n");
	index_list_changed(view.index);
	expect_link("ops/quiet/latest", "../../", dir);
	expect_link("latest", "", dir);
	names = client_list("ops/quiet/runs");
	cr_expect_eq(strncmp(names, dir + strlen("runs/"), 32), 0, "%s", names);
	path = strdup("ops/quiet/runs/00000000000000000000000000000000");
	memcpy(strrchr(path, '/') + 1, dir + strlen("runs/"), 32);
	expect_link(path, "../../../", dir);
	cr_expect_eq(client_look("ops/quiet/runs/none", &node), -ENOENT);
	cr_expect_eq(client_look("ops/t/latest", &node), -ENOENT);

	deep = run("dir/q.sh", "\n");
	index_list_changed(view.index);
	expect_link("ops/dir/q.sh/latest", "../../../", deep);
	expect_file(dir, "wait", "completed 0\n");
	expect_file(deep, "wait", "completed 0\n");
}

Test(op_dir, needed_gives_the_run_that_matches)
{
	_cleanup_free_ char *first = NULL, *same = NULL, *other = NULL, *again = NULL;
	const struct node *dir;

	put_project();
	first = run("t", "x=2\n");
	expect_file(first, "wait", "completed 0\n");
	index_list_changed(view.index);
	same = run("t", "--needed x=2.0\n");
	cr_expect_str_eq(same, first);
	other = run("t", "--needed x=3\n");
	cr_expect_str_neq(other, first);
	dir = client_node("ops/t");
	cr_assert_eq(node_creatable(dir, "needed")->create(dir), 0);
	again = run("t", "x=2\n");
	cr_expect_str_eq(again, first);
	expect_file(other, "wait", "completed 0\n");
}

Test(op_dir, needed_is_created_written_and_removed)
{
	const struct node_type *type;
	const struct node *dir;
	struct node *node;

	put_project();
	dir = client_node("ops/t");
	cr_expect_eq(client_look("ops/t/needed", &node), -ENOENT);
	type = node_creatable(dir, "needed");
	cr_assert_eq(type->create(dir), 0);
	expect_content("ops/t/needed", "completed terminated\n");
	cr_expect_eq(client_look("ops/quiet/needed", &node), -ENOENT);
	cr_expect_eq(client_print("ops/t/needed", "completed\n"), 0);
	expect_content("ops/t/needed", "completed\n");
	cr_expect_eq(client_print("ops/t/needed", "error\n"), -EINVAL);
	expect_content("ops/t/needed", "completed\n");
	cr_assert_eq(type->remove(dir), 0);
	cr_expect_eq(client_look("ops/t/needed", &node), -ENOENT);
}

Test(op_dir, a_run_that_can_not_be_says_why_and_starts_nothing)
{
	static const struct {
		const char *op_name, *request;
		int result;
		const char *part;
	} rows[] = {
		{ "t", "q=1\n", -EINVAL, "error: unsupported flag 'q'" },
		{ "t", "x\n", -EINVAL, "error: " },
		{ "t", "x=[\n", -EINVAL, "error: " },
		{ "quiet", "x=1\n", -EINVAL, "error: unsupported flag 'x'" },
		{ "gone", "\n", -ENOENT, "error: " },
	};
	_cleanup_free_ char *runs = NULL;

	put_project();
	scratch_put("project/guild.yml", "t: {exec: 'true ${x}', flags: {x: 1}}\n"
					 "quiet: {exec: /bin/true}\n"
					 "gone: {exec: no-such-command-here}\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "ops/%s/run", rows[i].op_name);
		expect_refused(path, rows[i].request, rows[i].result, rows[i].part);
	}
	index_list_changed(view.index);
	runs = client_list("runs");
	cr_expect_str_eq(runs, "");
}

Test(op_dir, the_operation_is_fixed_when_it_is_opened)
{
	_cleanup_(strbuf_done) struct strbuf id = STRBUF_INIT, path = STRBUF_INIT;
	_cleanup_(handle_releasep) struct handle *handle = NULL;

	put_project();
	handle = client_open("ops/t/run", O_RDWR);
	scratch_put("project/guild.yml", "t: {exec: /bin/false}\n");
	cr_expect_eq(handle_write(handle, 1, STR("x=5\n")), 0);
	cr_assert_eq(client_read_all(handle, 4096, &id), 0);
	strbuf_addf(&path, "runs/%.32s", strbuf_cstr(&id));
	expect_file(strbuf_cstr(&path), "output", "5 a b\n");
}

Test(op_dir, an_operation_that_went_is_gone)
{
	struct handle *handle = NULL;
	struct node *node;

	put_project();
	node = client_node("ops/p.sh/run");
	scratch_delete("project/p.sh");
	cr_expect_eq(handle_open(node, O_WRONLY, 1, NULL, NULL, &handle), -ENOENT);
	cr_expect_eq(client_look("ops/p.sh", &node), -ENOENT);
}

Test(op_dir, python_says_what_a_script_takes)
{
	_cleanup_free_ char *dir = NULL;

	scratch_put("project/e.py", "x = 1.0\ny = 2\nz = 'a'\n"
				    "print(repr(x), repr(y), repr(z))\n");
	expect_content("ops/e.py/flags", "x=1.0\ny=2\nz=a\n");
	dir = run("e.py", "x=10 z=b\n");
	expect_file(dir, "output", "10 2 'b'\n");
	expect_refused("ops/e.py/run", "q=1\n", -EINVAL, "x, y, z");
}
