/* Job slots: the limit, and who has one. */
#include "engine/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "engine/claim.h"
#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/lock.h"
#include "engine/strv.h"

#define LIMIT_MAX_LEN 64
#define LOCK_TRIES    6000 /* half a minute, as Guild's timeout (1.8) */
#define LOCK_RETRY_NS 5000000

static int parse_number(struct str word, unsigned int *ret)
{
	unsigned long number = 0;

	if (word.len == 0 || word.len > 9)
		return -EINVAL;
	for (size_t i = 0; i < word.len; i++) {
		if (word.data[i] < '0' || word.data[i] > '9')
			return -EINVAL;
		number = number * 10 + (unsigned long)(word.data[i] - '0');
	}
	*ret = (unsigned int)number;
	return 0;
}

int jobs_parse(struct str text, bool complete, struct jobs *ret, struct strbuf *ret_why)
{
	bool goes_on = !complete && (text.len == 0 || text.data[text.len - 1] != '\n');
	struct jobs jobs = { .kind = JOBS_NUMBER };
	struct str word = str_strip(text);

	if (goes_on)
		return 0;
	if (str_is(word, "max"))
		jobs.kind = JOBS_MAX;
	else if (str_is(word, "pause"))
		jobs.kind = JOBS_PAUSE;
	else if (parse_number(word, &jobs.number) < 0) {
		strbuf_add_quoted(ret_why, word);
		strbuf_adds(ret_why,
			    " is no number of jobs: write how many runs may go on at"
			    " once (0 or max for no limit), or pause");
		return -EINVAL;
	}
	*ret = jobs;
	return 0;
}

int jobs_format(const struct jobs *jobs, struct strbuf *ret)
{
	if (jobs->kind == JOBS_MAX)
		return strbuf_adds(ret, "max\n");
	if (jobs->kind == JOBS_PAUSE)
		return strbuf_adds(ret, "pause\n");
	return strbuf_addf(ret, "%u\n", jobs->number);
}

int jobs_read(int home_fd, struct jobs *ret, struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, why = STRBUF_INIT;
	int r = file_read(home_fd, "runfs/jobs", LIMIT_MAX_LEN, &text);

	*ret = (struct jobs){ .kind = JOBS_NUMBER };
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		strbuf_addf(ret_why,
			    "runfs/jobs of the home can't be read: %s: write to the file"
			    " jobs how many runs may go on at once",
			    r == -EINVAL ? "it is no regular file" : strerror(-r));
		return r;
	}
	/* A hand-made file with other words sets nothing. */
	(void)jobs_parse(strbuf_str(&text), true, ret, &why);
	return 0;
}

int jobs_write(int home_fd, const struct jobs *jobs)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_close_ int dir_fd = -1;
	int r = jobs_format(jobs, &text);

	if (r == 0)
		r = file_make_dir(home_fd, "runfs", 0755);
	if (r < 0)
		return r;
	dir_fd = file_open_dir(home_fd, "runfs");
	return dir_fd < 0 ? dir_fd
			  : file_write(dir_fd, "jobs", strbuf_str(&text), 0644, false);
}

bool jobs_admit(const struct jobs *jobs, size_t n_live)
{
	if (jobs->kind == JOBS_PAUSE)
		return false;
	return jobs->kind == JOBS_MAX || jobs->number == 0 || n_live < jobs->number;
}

static int open_lock(int home_fd)
{
	int fd = openat(home_fd, "locks/run-status",
			O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : fd;
}

int jobs_lock(int home_fd)
{
	static const struct timespec pause = { .tv_nsec = LOCK_RETRY_NS };
	_cleanup_close_ int fd = open_lock(home_fd);

	if (fd == -ENOENT) {
		int r = file_make_dir(home_fd, "locks", 0755);

		fd = r < 0 ? r : open_lock(home_fd);
	}
	if (fd < 0)
		return fd;
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK || i == LOCK_TRIES)
			return errno == EWOULDBLOCK ? -EBUSY : -errno;
		(void)nanosleep(&pause, NULL);
	}
	return take_fd(&fd);
}

static void count_held(void *userdata, int dir_fd, const char *id)
{
	size_t *n = userdata;

	if (claim_is_held(dir_fd, id) == 1)
		++*n;
}

size_t jobs_count(int home_fd)
{
	size_t n = 0;

	(void)claim_each(home_fd, JOBS_SLOTS_DIR, count_held, &n);
	return n;
}

static bool has_slot(int home_fd, const char *id)
{
	_cleanup_close_ int dir_fd = file_open_dir(home_fd, JOBS_SLOTS_DIR);

	return dir_fd >= 0 && claim_is_held(dir_fd, id) == 1;
}

bool jobs_is_other(int home_fd, const char *id)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	_cleanup_close_ int guild_fd = -1;
	pid_t pid;

	if (has_slot(home_fd, id) || strbuf_addf(&path, "runs/%s/.guild", id) < 0)
		return false;
	guild_fd = file_open_dir(home_fd, strbuf_cstr(&path));
	return guild_fd >= 0 && lock_holder(guild_fd, &pid) > 0;
}

/* With the lock, what nobody holds is what a supervisor has left that was killed. */
static void count_or_clear(void *userdata, int dir_fd, const char *id)
{
	size_t *n = userdata;
	int r = claim_is_held(dir_fd, id);

	if (r == 1)
		++*n;
	else if (r == 0)
		(void)unlinkat(dir_fd, id, 0);
}

static size_t count_live(int home_fd, const struct job *job)
{
	size_t n = 0;

	(void)claim_each(home_fd, JOBS_SLOTS_DIR, count_or_clear, &n);
	for (size_t i = 0; i < strv_length(job->others); i++) {
		if (strcmp(job->others[i], job->id) != 0 &&
		    jobs_is_other(home_fd, job->others[i]))
			n++;
	}
	return n;
}

static void note_waiting(void *userdata, int dir_fd, const char *id)
{
	bool *is_waiting = userdata;

	*is_waiting = true;
}

static bool is_next(int home_fd, const struct job *job)
{
	bool others_wait = false;

	if (!job->in_turn)
		(void)claim_each(home_fd, JOBS_QUEUE_DIR, note_waiting, &others_wait);
	return !others_wait;
}

static int take_locked(int home_fd, const struct job *job, struct strbuf *ret_why)
{
	struct jobs jobs;
	int r = jobs_read(home_fd, &jobs, ret_why);

	if (r < 0)
		return r;
	if (!is_next(home_fd, job) || !jobs_admit(&jobs, count_live(home_fd, job)))
		return -EAGAIN;
	return claim_make(home_fd, JOBS_SLOTS_DIR, job->id, STR(""), false);
}

int jobs_take_slot(int home_fd, const struct job *job, struct strbuf *ret_why)
{
	_cleanup_close_ int lock_fd = jobs_lock(home_fd);
	int r = lock_fd < 0 ? lock_fd : take_locked(home_fd, job, ret_why);

	if (lock_fd == -EBUSY)
		strbuf_adds(ret_why, "somebody holds locks/run-status of the home");
	else if (r < 0 && r != -EAGAIN && ret_why->len == 0)
		strbuf_addf(ret_why, "cannot take a job slot: %s", strerror(-r));
	return r;
}

void jobs_leave_slot(int home_fd, const char *id, int slot_fd)
{
	if (slot_fd < 0)
		return;
	(void)claim_remove(home_fd, JOBS_SLOTS_DIR, id);
	close_fd(slot_fd);
}
