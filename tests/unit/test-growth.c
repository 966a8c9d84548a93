/*
 * What many of a thing cost: four times as many may cost a little more than four times as
 * much, and not sixteen times. Processor time is compared, the best of some rounds.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "engine/request.h"
#include "engine/yaml.h"

TestSuite(growth, .init = client_make, .fini = client_remove, .timeout = 120);

#define N      2000
#define ROUNDS 3
#define RATIO  9 /* 4 and room for noise; 16 is what a square costs */

typedef void (*work_fn)(size_t n);

static double seconds(work_fn work, size_t n)
{
	double best = 1e9;

	for (int i = 0; i < ROUNDS; i++) {
		struct timespec begin, end;
		double taken;

		(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
		work(n);
		(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
		taken = (double)(end.tv_sec - begin.tv_sec) +
			(double)(end.tv_nsec - begin.tv_nsec) / 1e9;
		best = taken < best ? taken : best;
	}
	return best;
}

static void expect_linear(work_fn work, size_t n)
{
	double one = seconds(work, n), four = seconds(work, 4 * n);

	cr_expect_lt(four, RATIO * one + 0.002, "%f s for %zu, and %f s for %zu", one, n,
		     four, 4 * n);
}

/* "n0=0 n7919=1 ...": @n names in no order. */
static void add_names(size_t n, const char *format, struct strbuf *ret)
{
	for (size_t i = 0; i < n; i++)
		strbuf_addf(ret, format, i * 7919 % n, i);
}

static void judge_names(size_t n)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, why = STRBUF_INIT;
	struct handle *handle = client_open("ops/tool/run", O_WRONLY);

	add_names(n, "n%zu=%zu\n", &text);
	cr_assert_eq(handle_write(handle, 1, strbuf_str(&text)), 0);
	(void)handle_write(handle, 1, STR("=\n")); /* so that nothing is started */
	handle_release(handle);
}

Test(growth, names_in_a_request)
{
	scratch_put_program("project/tool", "#!/bin/sh\n");
	expect_linear(judge_names, N);
}

static void write_in_small_pieces(size_t n)
{
	struct handle *handle = client_open("ops/tool/run", O_WRONLY);

	for (size_t i = 0; i < n; i++)
		cr_assert_eq(handle_write(handle, 1, STR("name=value_of_no_length\n")),
			     0);
	(void)handle_write(handle, 1, STR("=\n"));
	handle_release(handle);
}

Test(growth, writes_of_a_request)
{
	scratch_put_program("project/tool", "#!/bin/sh\n");
	expect_linear(write_in_small_pieces, N / 3);
}

static void read_map(size_t n)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, why = STRBUF_INIT;
	_cleanup_(value_done) struct value map = VALUE_INIT, copy = VALUE_INIT;
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;

	add_names(n, "n%zu: %zu\n", &text);
	cr_assert_eq(yaml_parse(strbuf_str(&text), &map, &why), 0);
	cr_assert_eq(flags_from_value(&map, &flags), 0);
	cr_assert_eq(flags.n_items, n);
	cr_assert_eq(flags_to_value(&flags, &copy), 0);
	for (size_t i = 0; i < n; i++)
		cr_assert_not_null(value_get(&copy, flags.items[i].name));
}

Test(growth, flags_of_a_run)
{
	expect_linear(read_map, N);
}

static void read_digits(size_t n)
{
	_cleanup_(request_done) struct request request = REQUEST_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, why = STRBUF_INIT;

	strbuf_adds(&text, "x=");
	for (size_t i = 0; i < 25 * n; i++)
		strbuf_addc(&text, '9');
	cr_assert_eq(request_parse(strbuf_str(&text), true, &request, &why), 0);
}

Test(growth, digits_of_a_number)
{
	expect_linear(read_digits, N);
}

static void list_operations(size_t n)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_free_ char *names = NULL;

	add_names(n, "op%zu:\n  exec: echo %zu\n", &text);
	scratch_put("project/guild.yml", strbuf_cstr(&text));
	(void)poll(NULL, 0, 150); /* until a change would show in its times */
	names = client_list("ops");
	cr_assert_not_null(strstr(names, "op1\n"));
	for (size_t i = 0; i < n; i += 5) {
		struct node *node;
		char path[48];

		(void)snprintf(path, sizeof(path), "ops/op%zu", i);
		cr_assert_eq(client_look(path, &node), 0);
		node_forget(nodes, node, 1);
	}
}

Test(growth, operations_of_a_guild_yml)
{
	expect_linear(list_operations, N / 10);
}

static void list_runs(size_t n)
{
	static size_t n_there;
	_cleanup_free_ char *names = NULL;

	for (; n_there < n; n_there++) {
		char id[32];

		(void)snprintf(id, sizeof(id), "run%zu", n_there);
		scratch_put_run(id);
		scratch_put_guild(id, "opref", "script:/p '' '' tool");
	}
	index_list_changed(view.index);
	names = client_list("runs");
	cr_assert_not_null(strstr(names, "run1\n"));
	for (size_t i = 0; i < n; i++) {
		struct node *node;
		char path[64];

		(void)snprintf(path, sizeof(path), "ops/tool/runs/run%zu", i);
		cr_assert_eq(client_look(path, &node), 0);
		node_forget(nodes, node, 1);
	}
}

Test(growth, runs_of_a_home)
{
	scratch_put_program("project/tool", "#!/bin/sh\n");
	expect_linear(list_runs, N / 8);
}
