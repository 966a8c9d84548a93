/* Spawning the supervisor on a temporary home. */
#include "supervised.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/lock.h"

#define HIGH_FD	    100 /* out of the way of the descriptors that the job wants */
#define PATIENCE_MS 20000

char home_path[] = "/tmp/test-supervisor.XXXXXX";
int home_fd = -1;
static bool is_mounted;

static void open_home(void)
{
	home_fd = open(home_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(home_fd, 0);
}

void home_make(void)
{
	cr_assert_not_null(mkdtemp(home_path));
	open_home();
}

void home_make_on_small_disk(unsigned int size_kib)
{
	char options[32];

	(void)snprintf(options, sizeof(options), "size=%uk", size_kib);
	if (mount("tmpfs", home_path, "tmpfs", 0, options) < 0)
		cr_skip_test("can't mount: %s", strerror(errno));
	is_mounted = true;
	close_fd(home_fd);
	open_home();
}

void home_remove(void)
{
	close_fd(home_fd);
	if (is_mounted)
		cr_expect_eq(umount2(home_path, MNT_DETACH), 0);
	cr_expect_eq(file_remove_tree(AT_FDCWD, home_path), 0);
}

static char **words(const char *first, const char *second, const char *third)
{
	char **ret = calloc(4, sizeof(*ret));

	ret[0] = strdup(first);
	ret[1] = second ? strdup(second) : NULL;
	ret[2] = third ? strdup(third) : NULL;
	return ret;
}

void job_init(struct job *job, bool is_new, const char *script)
{
	*job = JOB_INIT;
	job->id = strdup(RUN_ID);
	job->is_new = is_new;
	job->opref = strdup("script:/p '' '' x.sh");
	job->argv = words("sh", "-c", script);
	job->envp = words("PATH=/usr/local/bin:/usr/bin:/bin", "RUNFS_TEST=1", NULL);
	job->n_attempts = 10;
	job->stop_timeout_us = 10000000;
	cr_assert_eq(job_add_attr(job, "started", STR("1000\n")), 0);
}

void job_set_argv(struct job *job, const char *first, const char *second)
{
	for (char **word = job->argv; *word; word++)
		free(*word);
	free(job->argv);
	job->argv = words(first, second, NULL);
}

static int high(int fd)
{
	int ret = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);

	cr_assert_geq(ret, HIGH_FD);
	close_fd(fd);
	return ret;
}

/* The job as its descriptor 0. */
static int job_file(const struct job *job)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int fd = high(memfd_create("job", MFD_CLOEXEC));

	cr_assert_eq(job_format(job, &text), 0);
	cr_assert_eq(file_write_fd(fd, strbuf_str(&text)), 0);
	return fd;
}

static pid_t spawn(int job_fd, int answer_fd, int guild_fd)
{
	const char *path = getenv("RUNFS_SUPERVISOR");
	char *argv[] = { strdup("runfs-supervisor"), NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	pid_t pid;

	cr_assert_not_null(path, "RUNFS_SUPERVISOR must name the program");
	cr_assert_eq(posix_spawn_file_actions_init(&actions), 0);
	cr_assert_eq(posix_spawnattr_init(&attr), 0);
	cr_assert_eq(posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID), 0);
	posix_spawn_file_actions_adddup2(&actions, job_fd, JOB_FD);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, answer_fd, JOB_ANSWER_FD);
	posix_spawn_file_actions_adddup2(&actions, home_fd, JOB_HOME_FD);
	if (guild_fd >= 0)
		posix_spawn_file_actions_adddup2(&actions, guild_fd, JOB_GUILD_FD);
	cr_assert_eq(posix_spawn(&pid, path, &actions, &attr, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	free(argv[0]);
	return pid;
}

static void read_answer(int fd, struct supervised *supervised)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	ssize_t n;

	do {
		n = read(fd, strbuf_reserve(&text, 4096), 4096);
		cr_assert_geq(n, 0);
		strbuf_grew(&text, (size_t)n);
	} while (n > 0);
	supervised->result = job_parse_answer(strbuf_str(&text), &supervised->why);
}

void supervised_start(struct supervised *supervised, const struct job *job)
{
	_cleanup_close_ int job_fd = job_file(job);
	_cleanup_close_ int guild_fd = -1;
	_cleanup_close_ int read_fd = -1;
	int fds[2];

	if (!job->is_new) {
		guild_fd = high(run_open_guild());
		cr_assert_eq(lock_try(guild_fd), 0);
	}
	home_fd = high(home_fd);
	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	read_fd = fds[0];
	fds[1] = high(fds[1]);
	supervised->pid = spawn(job_fd, fds[1], guild_fd);
	close_fd(fds[1]);
	close_fd(take_fd(&guild_fd));
	read_answer(read_fd, supervised);
}

int supervised_wait(struct supervised *supervised)
{
	int status;

	cr_assert_eq(waitpid(supervised->pid, &status, 0), supervised->pid);
	supervised->pid = 0;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void supervised_done(struct supervised *supervised)
{
	if (supervised->pid > 0) {
		(void)kill(supervised->pid, SIGKILL);
		(void)supervised_wait(supervised);
	}
	strbuf_done(&supervised->why);
}

void run_through(const struct job *job)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;

	supervised_start(&supervised, job);
	cr_assert_eq(supervised.result, 0, "%s", strbuf_cstr(&supervised.why));
	cr_assert_eq(supervised_wait(&supervised), 0);
}

void run_script(bool is_new, const char *script)
{
	_cleanup_(job_done) struct job job = JOB_INIT;

	job_init(&job, is_new, script);
	run_through(&job);
}

static int open_run(void)
{
	int fd = file_open_dir(home_fd, "runs/" RUN_ID);

	cr_assert_geq(fd, 0, "there is no run");
	return fd;
}

char *run_read(const char *path)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_close_ int run_fd = open_run();

	if (file_read(run_fd, path, 1u << 30, &text) < 0)
		return NULL;
	return strbuf_take(&text);
}

void run_write(const char *path, const char *text)
{
	_cleanup_close_ int run_fd = open_run();
	_cleanup_close_ int fd = -1;

	fd = openat(run_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	cr_assert_eq(file_write_fd(fd, str_from(text)), 0);
}

bool run_has(const char *path)
{
	_cleanup_close_ int run_fd = open_run();

	return faccessat(run_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

ino_t run_inode(const char *path)
{
	_cleanup_close_ int run_fd = open_run();
	struct stat st;

	cr_assert_eq(fstatat(run_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_ino;
}

int run_open_guild(void)
{
	int fd = file_open_dir(home_fd, "runs/" RUN_ID "/.guild");

	cr_assert_geq(fd, 0);
	return fd;
}

void expect_file(const char *path, const char *content)
{
	_cleanup_free_ char *text = run_read(path);

	cr_assert_not_null(text, "there is no %s", path);
	cr_expect_str_eq(text, content, "%s is '%s' instead of '%s'", path, text,
			 content);
}

void await_file(const char *path)
{
	for (int ms = 0; !run_has(path); ms += 5) {
		cr_assert_lt(ms, PATIENCE_MS, "%s does not come", path);
		(void)poll(NULL, 0, 5);
	}
}
