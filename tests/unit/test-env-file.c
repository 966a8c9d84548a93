/* .guild/ENV of a staged run, as Guild writes it. */
#include "engine/env-file.h"

#include <criterion/criterion.h>

#include "engine/cleanup.h"
#include "expect.h"

TestSuite(env_file);

static void expect_env(const char *yaml, const char *expected)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_(value_done) struct value env = VALUE_INIT;

	value_of(yaml, &env);
	cr_assert_eq(env_file_format(&env, &text), 0);
	expect_text(strbuf_str(&text), expected, yaml);
}

Test(env_file, variables_are_sorted_and_quoted_for_a_shell)
{
	expect_env("{B: it's, A: x, C: ''}",
		   "export A=x\nexport B='it'\"'\"'s'\nexport C=\n");
	expect_env("{}", "");
}

Test(env_file, what_is_the_shells_own_is_left_out)
{
	expect_env("{PWD: /p, _: /bin/x, PWD2: a}", "export PWD2=a\n");
}
