/* Into the queue and out of it. */
#include "engine/queueing.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/jobs.h"
#include "engine/lock.h"
#include "engine/pending.h"

#define LOCK_TRIES    2000 /* ten seconds, which no start takes */
#define LOCK_RETRY_NS 5000000

static int why(struct strbuf *ret_why, int r, const char *what)
{
	strbuf_addf(ret_why, "%s: %s", what, strerror(-r));
	return r;
}

static int enter_new(struct record *record, struct strbuf *ret_why)
{
	int r = record_prepare(record, ret_why);

	return r < 0 ? r : record_commit(record, ret_why);
}

/* Also Guild may start the run, and takes the same lock. */
static int enter_old(struct record *record, struct strbuf *ret_why)
{
	_cleanup_close_ int status_fd = jobs_lock(record->home_fd);
	pid_t pid;
	int r;

	if (status_fd < 0)
		return why(ret_why, status_fd, "cannot lock locks/run-status");
	r = pending_exists(record->guild_fd);
	if (r == 0)
		r = lock_holder(record->guild_fd, &pid);
	if (r < 0)
		return why(ret_why, r, "cannot see whether the run is alive");
	if (r > 0) {
		strbuf_adds(ret_why, "the run is being started by somebody else");
		return -EBUSY;
	}
	r = file_write(record->guild_fd, "PENDING", str_from(record->job->pending), 0644,
		       true);
	if (r < 0)
		return why(ret_why, r, "cannot write .guild/PENDING");
	record->is_committed = true;
	return 0;
}

int queueing_enter(struct record *record, struct strbuf *ret_why)
{
	struct job *job = record->job;
	_cleanup_close_ int announced_fd = -1;
	int r;

	job->kind = JOB_QUEUE;
	announced_fd = pending_announce(record->home_fd, job->id, job->order_us);
	if (announced_fd < 0)
		return why(ret_why, announced_fd, "cannot write to runfs/queue");
	r = job->is_new ? enter_new(record, ret_why) : enter_old(record, ret_why);
	if (r < 0)
		(void)pending_withdraw(record->home_fd, job->id);
	else
		record_settle(record);
	return r;
}

static int wait_for_transition(int guild_fd)
{
	static const struct timespec pause = { .tv_nsec = LOCK_RETRY_NS };
	int r;

	for (int i = 0; (r = lock_try(guild_fd)) == -EBUSY && i < LOCK_TRIES; i++)
		(void)nanosleep(&pause, NULL);
	return r;
}

static int leave_locked(int home_fd, int guild_fd, const char *id, struct strbuf *ret_why)
{
	_cleanup_close_ int status_fd = -1;
	int r;

	status_fd = jobs_lock(home_fd);
	if (status_fd < 0)
		return why(ret_why, status_fd, "cannot lock locks/run-status");
	r = pending_is_ours(guild_fd);
	if (r <= 0)
		return r < 0 ? why(ret_why, r, "cannot read .guild/PENDING") : -EAGAIN;
	r = file_remove(guild_fd, "PENDING");
	if (r < 0)
		return why(ret_why, r, "cannot remove .guild/PENDING");
	/* It is out of the queue: an error of the disk can't be helped any more. */
	(void)fsync(guild_fd);
	(void)pending_withdraw(home_fd, id);
	return 0;
}

int queueing_leave(int home_fd, int guild_fd, const char *id, struct strbuf *ret_why)
{
	int r = wait_for_transition(guild_fd);

	if (r < 0)
		return why(ret_why, r, "cannot lock the run");
	r = leave_locked(home_fd, guild_fd, id, ret_why);
	/* Before the answer: whoever has it may start the run. */
	lock_leave(guild_fd);
	return r;
}
