/* Looks for dead supervisors. */
#include "engine/sweeper.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/live.h"

#define LOOK_US	 2000000 /* a directory that is empty while no run goes on */
#define AGAIN_US 20000	 /* while something is being killed */

struct sweeper {
	struct loop_source *timer;
	int home_fd;
};

static void look(void *userdata, uint32_t events)
{
	struct sweeper *sweeper = userdata;

	loop_timer_set(sweeper->timer,
		       live_sweep_all(sweeper->home_fd) > 0 ? AGAIN_US : LOOK_US);
}

int sweeper_new(struct loop *loop, int home_fd, struct sweeper **ret)
{
	_cleanup_(sweeper_freep) struct sweeper *sweeper = calloc(1, sizeof(*sweeper));
	int r;

	if (!sweeper)
		return -ENOMEM;
	sweeper->home_fd = home_fd;
	r = loop_add_timer(loop, look, sweeper, &sweeper->timer);
	if (r < 0)
		return r;
	loop_timer_set(sweeper->timer, 1);
	*ret = take_ptr(sweeper);
	return 0;
}

void sweeper_free(struct sweeper *sweeper)
{
	if (!sweeper)
		return;
	loop_source_free(sweeper->timer);
	free(sweeper);
}
