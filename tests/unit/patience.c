/* Waiting in a test, but not for ever. */
#include "patience.h"

#include <criterion/criterion.h>
#include <poll.h>

#define PATIENCE_US 60000000

struct wait {
	struct loop *loop;
	bool is_over;
};

static void on_timer(void *userdata, uint32_t events)
{
	struct wait *wait = userdata;

	wait->is_over = true;
	loop_stop(wait->loop);
}

static bool run_at_most(struct loop *loop, int64_t us)
{
	_cleanup_(loop_source_freep) struct loop_source *timer = NULL;
	struct wait wait = { .loop = loop };

	cr_assert_eq(loop_add_timer(loop, on_timer, &wait, &timer), 0);
	loop_timer_set(timer, us);
	cr_assert_eq(loop_run(loop), 0);
	return !wait.is_over;
}

void run_patiently(struct loop *loop)
{
	cr_assert(run_at_most(loop, PATIENCE_US), "what was waited for does not come");
}

void run_for(struct loop *loop, int64_t us)
{
	(void)run_at_most(loop, us);
}

void await(bool (*is_so)(const void *userdata), const void *userdata, const char *what)
{
	for (int64_t us = 0; !is_so(userdata); us += 5000) {
		cr_assert_lt(us, PATIENCE_US, "%s does not come", what);
		(void)poll(NULL, 0, 5);
	}
}
