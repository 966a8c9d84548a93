/* Supervisors: a job handed over, and its answer. */
#include "engine/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/file.h"
#include "engine/list.h"

/* Above every descriptor that a supervisor gets, so that no dup2 hits another's source.
 */
#define SPARE_FD 16

struct spawner {
	struct loop *loop;
	int home_fd;
	int program_fd; /* the program as it was at the start */
	struct list spawns;
};

/* A supervisor that has the job and has not answered yet. */
struct spawn {
	struct list link;
	struct loop_source *source;
	int fd;
	struct strbuf answer;
	spawn_fn fn; /* NULL: nobody waits any more */
	void *userdata;
};

int spawner_new(struct loop *loop, int home_fd, const char *supervisor,
		struct spawner **ret)
{
	struct spawner *spawner = calloc(1, sizeof(*spawner));

	if (!spawner)
		return -ENOMEM;
	spawner->loop = loop;
	spawner->home_fd = home_fd;
	list_init(&spawner->spawns);
	spawner->program_fd = open(supervisor, O_PATH | O_CLOEXEC);
	if (spawner->program_fd < 0) {
		int r = -errno;

		free(spawner);
		return r;
	}
	*ret = spawner;
	return 0;
}

static void spawn_free(struct spawn *spawn)
{
	if (!spawn)
		return;
	list_unlink(&spawn->link);
	loop_source_free(spawn->source);
	close_fd(spawn->fd);
	strbuf_done(&spawn->answer);
	free(spawn);
}
DEFINE_CLEANUP(struct spawn, spawn_free);

void spawner_free(struct spawner *spawner)
{
	if (!spawner)
		return;
	list_for_each (link, &spawner->spawns) {
		spawn_free(list_entry(link, struct spawn, link));
	}
	close_fd(spawner->program_fd);
	free(spawner);
}

void spawn_forget(struct spawn *spawn)
{
	if (spawn)
		spawn->fn = NULL;
}

static void on_answer(void *userdata, uint32_t events)
{
	_cleanup_(spawn_freep) struct spawn *spawn = NULL;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	struct spawn *spawned = userdata;
	char *end = strbuf_reserve(&spawned->answer, 4096);
	ssize_t n = end ? read(spawned->fd, end, 4096) : 0;
	int r;

	if (n > 0) {
		strbuf_grew(&spawned->answer, (size_t)n);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;

	spawn = spawned;
	r = job_parse_answer(strbuf_str(&spawn->answer), &why);
	if (spawn->fn)
		spawn->fn(spawn->userdata, r, strbuf_str(&why));
}

/* The job as a file in memory, which the supervisor reads from its start. */
static int open_job(const struct job *job)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_close_ int fd = -1;
	int r = job_format(job, &text);

	if (r < 0)
		return r;
	fd = memfd_create("runfs-job", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = file_write_fd(fd, strbuf_str(&text));
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? r : take_fd(&fd);
}

/* A copy of @fd out of the way of those that the supervisor gets; -1 stays -1. */
static int spare(int fd)
{
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, SPARE_FD);

	return fd >= 0 && copy < 0 ? -errno : copy;
}

static int spawn_with(const char *program, int job_fd, int answer_fd, int home_fd,
		      int guild_fd)
{
	char *const argv[] = { (char *)(uintptr_t) "runfs-supervisor", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	pid_t pid;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, job_fd, JOB_FD);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, answer_fd, JOB_ANSWER_FD);
	posix_spawn_file_actions_adddup2(&actions, home_fd, JOB_HOME_FD);
	if (guild_fd >= 0)
		posix_spawn_file_actions_adddup2(&actions, guild_fd, JOB_GUILD_FD);
	posix_spawn_file_actions_addclosefrom_np(
		&actions, guild_fd >= 0 ? JOB_GUILD_FD + 1 : JOB_HOME_FD + 1);
	r = -posix_spawn(&pid, program, &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return r;
}

static int spawn(const struct spawner *spawner, const struct job *job, int guild_fd,
		 int answer_fd)
{
	_cleanup_close_ int job_fd = -1, spare_answer_fd = -1, home_fd = -1;
	_cleanup_close_ int spare_job_fd = -1, spare_guild_fd = -1;
	char program[sizeof("/proc//fd/") + 6 * sizeof(int)];

	job_fd = open_job(job);
	if (job_fd < 0)
		return job_fd;
	spare_job_fd = spare(job_fd);
	spare_answer_fd = spare(answer_fd);
	home_fd = spare(spawner->home_fd);
	spare_guild_fd = spare(guild_fd);
	if (spare_job_fd < 0 || spare_answer_fd < 0 || home_fd < 0 || spare_guild_fd < -1)
		return -EMFILE;
	/* Seen from the new process, which has closed its own copy by then. */
	(void)snprintf(program, sizeof(program), "/proc/%d/fd/%d", (int)getpid(),
		       spawner->program_fd);
	return spawn_with(program, spare_job_fd, spare_answer_fd, home_fd,
			  spare_guild_fd);
}
int spawn_job(struct spawner *spawner, const struct job *job, int guild_fd, spawn_fn fn,
	      void *userdata, struct spawn **ret)
{
	_cleanup_(spawn_freep) struct spawn *spawned = calloc(1, sizeof(*spawned));
	_cleanup_close_ int answer_fd = -1;
	int fds[2];
	int r;

	if (!spawned)
		return -ENOMEM;
	list_init(&spawned->link);
	spawned->fn = fn;
	spawned->userdata = userdata;
	spawned->fd = -1;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	spawned->fd = fds[0];
	answer_fd = fds[1];
	r = loop_add_fd(spawner->loop, spawned->fd, EPOLLIN, on_answer, spawned,
			&spawned->source);
	if (r == 0)
		r = spawn(spawner, job, guild_fd, answer_fd);
	if (r < 0)
		return r;
	list_append(&spawner->spawns, &spawned->link);
	if (ret)
		*ret = spawned;
	spawned = NULL;
	return 0;
}
