/* What a supervisor does that holds no run. */
#include "engine/errand.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>

#include "engine/attrs.h"
#include "engine/lock.h"
#include "engine/trash-place.h"

static int write_attrs(const struct job *job, int guild_fd)
{
	int r = 0;

	for (size_t i = 0; i < job->n_attrs && r == 0; i++)
		r = attrs_replace(guild_fd, job->attrs[i].name,
				  str_from(job->attrs[i].text), true);
	return r;
}

static int sync_attrs(const struct job *job, int guild_fd)
{
	int r = 0;

	for (size_t i = 0; i < job->n_attrs && r == 0; i++)
		r = attrs_sync(guild_fd, job->attrs[i].name);
	return r;
}

/* Whoever has the lock has it for moments. */
static int amend(const struct job *job, int guild_fd)
{
	int r = flock(guild_fd, LOCK_EX) < 0 ? -errno : write_attrs(job, guild_fd);

	lock_leave(guild_fd);
	return r;
}

static int carry_out(const struct job *job, int home_fd, int guild_fd)
{
	if (job->kind == JOB_AMEND)
		return amend(job, guild_fd);
	if (job->kind == JOB_SYNC)
		return sync_attrs(job, guild_fd);
	return trash_place_sync(home_fd);
}

int errand_run(const struct job *job, int home_fd, int guild_fd, struct strbuf *ret_why)
{
	int r = carry_out(job, home_fd, guild_fd);

	if (r < 0)
		strbuf_addf(ret_why, "cannot write to the disk: %s", strerror(-r));
	return r;
}

void errand_finish(const struct job *job, int home_fd)
{
	if (job->kind == JOB_SWEEP)
		trash_place_sweep(home_fd);
}
