/* The variables of an R script as flags: found without R, and set in a copy of it. */
#include "engine/r-script.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "engine/cleanup.h"
#include "expect.h"

Test(r_script, a_script_is_known_by_its_name)
{
	cr_expect(r_script_is(STR("train.R")));
	cr_expect(r_script_is(STR("a/b.r")));
	cr_expect_not(r_script_is(STR("train.Rmd")));
	cr_expect_not(r_script_is(STR(".R")));
	cr_expect_not(r_script_is(STR("config:x.yml")));
	cr_expect_not(r_script_is(str_from(NULL)));
}

static void expect_flags(const char *text, const char *expected)
{
	_cleanup_(value_done) struct value flags = VALUE_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	cr_assert_eq(r_script_flags(str_from(text), &flags, &why), 0, "%s", text);
	expect_document(&flags, expected, text);
}

#define FLAG(name, default_, type) #name ":\n  default: " default_ "\n  type: " type "\n"

Test(r_script, what_is_set_to_a_constant_at_the_top_is_a_flag)
{
	static const struct {
		const char *text, *flags;
	} rows[] = {
		{ "", "{}\n" },
		{ "x <- 1\n", FLAG(x, "1", "number") },
		{ "x = 1.5 # note\n", FLAG(x, "1.5", "number") },
		{ "x<--2e-3\r\n", FLAG(x, "-0.002", "number") },
		{ "x <- 10L", FLAG(x, "10", "int") },
		{ "x <- 0x1fL\n", FLAG(x, "31", "int") },
		{ "x <- 010\n", FLAG(x, "10", "number") },
		{ "x <- TRUE; q <- 2\n", FLAG(x, "true", "boolean") },
		{ "a.b_c <- 'it\\'s \"1\"\\n'\n",
		  "a.b_c:\n  default: 'it''s \"1\"\n\n    '\n  type: string\n" },
		{ "x <- \"1\"\n", FLAG(x, "'1'", "string") },
		{ "x <- 1\nx <- 2\n", FLAG(x, "1", "number") },
		{ "f <- function(a) {\nx <- 1\n}\nz <- 2\n", FLAG(z, "2", "number") },
		{ "s <- \"\nx <- 1\n\"\n", "s:\n  default: '\n\n    x <- 1\n\n    '\n"
					   "  type: string\n" },
		{ "s <- r\"-(\n)\"\nx <- 1\n)-\"\nz <- 3\n", FLAG(z, "3", "number") },
		{ "# x <- 1\n`x` <- 2\n", "{}\n" },
		{ "  x <- 1\n", "{}\n" },
		{ "x <- 1 + 2\n", "{}\n" },
		{ "x <- c(1, 2)\n", "{}\n" },
		{ "x <- NULL\nz <- NA\n", "{}\n" },
		{ "x == 1\nif (x) z <- 1\n", "{}\n" },
		{ "x <- TRUEish\n", "{}\n" },
		{ "x <- '\\u00e9'\n", "{}\n" },
		{ "x <- 1.2.3\n", "{}\n" },
		{ "x$y <- 1\nx[1] <- 2\n1x <- 3\n_x <- 4\n", "{}\n" },
		{ "x <- '", "{}\n" },
		{ "x <- ((", "{}\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_flags(rows[i].text, rows[i].flags);
}

Test(r_script, notes_above_say_more_of_a_flag)
{
	expect_flags("#| description: how fast\n#| max: 1\nlr <- 0.1\n"
		     "#| choices: [a, b]\nk <- 'a'\n"
		     "#| description: of nothing\n\nz <- 1\n"
		     "#| [no, map\nw <- 2\n#|\n#|type: int\nv <- 3\n",
		     "k:\n  choices:\n  - a\n  - b\n  default: a\n  type: string\n"
		     "lr:\n  default: 0.1\n  description: how fast\n  max: 1\n"
		     "  type: number\n"
		     "v:\n  default: 3\n  type: int\n"
		     "w:\n  default: 2\n  type: number\n"
		     "z:\n  default: 1\n  type: number\n");
}

Test(r_script, what_is_no_script_is_refused)
{
	_cleanup_(value_done) struct value flags = VALUE_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT, text = STRBUF_INIT;

	cr_expect_eq(r_script_flags(STR("x <- '\xff'\n"), &flags, &why), -EINVAL);
	expect_sentence(&why, "no UTF-8 text", "");
	strbuf_reset(&why);
	for (int i = 0; i <= R_SCRIPT_MAX_FLAGS; i++)
		strbuf_addf(&text, "x%d <- 1\n", i);
	cr_expect_eq(r_script_flags(strbuf_str(&text), &flags, &why), -EINVAL);
	expect_sentence(&why, "more than 1000 flags", "");
}

Test(r_script, a_run_gets_it_with_its_own_values)
{
	static const struct {
		const char *text, *flags, *rendered;
	} rows[] = {
		{ "x <- 1\ny = 2L # two\n", "{x: 2.5, y: 3}",
		  "x <- 2.5\ny = 3L # two\n" },
		{ "x <- 1\nx <- 1\n", "{x: 2}", "x <- 2\nx <- 1\n" },
		{ "x <- 1e-3", "{x: 0.001}", "x <- 1e-3" },
		{ "x <- 1\n", "{x: null, z: 5}", "x <- 1\n" },
		{ "b <- TRUE\n", "{b: no}", "b <- FALSE\n" },
		{ "s <- 'a'\n", "{s: \"a\\\"b\\\\c\\nd\\t\\u20ac\"}",
		  "s <- \"a\\\"b\\\\c\\nd\\x09\xe2\x82\xac\"\n" },
		{ "x <- 1\n", "{x: .inf}", "x <- Inf\n" },
		{ "x <- 1\n", "{x: .nan}", "x <- NaN\n" },
		{ "x <- 1\n", "{x: [1, a]}", "x <- \"[1, a]\"\n" },
		{ "x <- '\\u1'\nx <- 1\n", "{x: 2}", "x <- '\\u1'\nx <- 2\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf rendered = STRBUF_INIT;
		_cleanup_(flags_done) struct flags flags = FLAGS_INIT;

		flags_of(rows[i].flags, &flags);
		cr_assert_eq(r_script_render(str_from(rows[i].text), &flags, &rendered),
			     0);
		expect_text(strbuf_str(&rendered), rows[i].rendered, rows[i].flags);
	}
}
