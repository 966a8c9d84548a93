/*
 * Bugs on purpose, one a test, for tests/lint/report-wrapper.sh: Criterion alone calls
 * each of them passed. The clean one shows that the wrapper itself fails nothing.
 */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdlib.h>

/* Hides from the compiler what would let it see, or drop, the bug. */
static volatile int one = 1;

Test(planted, clean)
{
	char *text = malloc(16);

	cr_assert_not_null(text);
	free(text);
}

Test(planted, leak)
{
	char *volatile text = malloc(16);

	cr_assert_not_null(text);
	text = NULL;
}

Test(planted, overflow)
{
	volatile int big = INT_MAX;

	big = big + one;
	cr_assert_neq(big, 0);
}

Test(planted, out_of_bounds)
{
	char *text = calloc(16, 1);

	cr_assert_not_null(text);
	cr_expect_neq(text[15 + one], 'x');
	free(text);
}
