/* Running git and reading what it prints. */
#include "engine/git.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/loop.h"

#define OUTPUT_MAX_LEN (256u << 20)
#define READ_STEP      65536
#define TIMEOUT_US     60000000

bool git_has_repository(const char *root)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	size_t len = strlen(root);

	while (len > 0) {
		strbuf_reset(&path);
		strbuf_add(&path, root, len);
		strbuf_adds(&path, "/.git");
		if (strbuf_error(&path) < 0)
			return false;
		if (access(strbuf_cstr(&path), F_OK) == 0)
			return true;
		while (len > 0 && root[len - 1] != '/')
			len--;
		while (len > 0 && root[len - 1] == '/')
			len--;
	}
	return access("/.git", F_OK) == 0;
}

static int find_git(const struct job *job, struct strbuf *ret)
{
	struct str rest = str_from(job_getenv(job, "PATH"));
	struct str dir;

	while (str_split(&rest, ':', &dir)) {
		strbuf_reset(ret);
		strbuf_addstr(ret, dir);
		strbuf_adds(ret, "/git");
		if (dir.len > 0 && access(strbuf_cstr(ret), X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

/* A new array of @words, with @first before and @last after them; the caller frees it. */
static char **extend(const char *first, const char *const words[], const char *last)
{
	size_t n_words = 0, n = 0;
	char **ret;

	while (words && words[n_words])
		n_words++;
	ret = calloc(n_words + 3, sizeof(*ret));
	if (!ret)
		return NULL;
	if (first)
		ret[n++] = (char *)(uintptr_t)first;
	for (size_t i = 0; i < n_words; i++)
		ret[n++] = (char *)(uintptr_t)words[i];
	if (last)
		ret[n++] = (char *)(uintptr_t)last;
	return ret;
}

/* Spawns with stdout @out_fd and nothing else of ours; signals as for any program. */
static int spawn(const char *path, const char *dir, char *const argv[],
		 char *const envp[], int out_fd, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (r != 0) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	(void)posix_spawnattr_setflags(&attr,
				       POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setsigdefault(&attr, &all);
	r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY,
						     0);
	if (r == 0)
		r = posix_spawn_file_actions_addchdir_np(&actions, dir);
	if (r == 0)
		r = posix_spawn(ret, path, &actions, &attr, argv, envp);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attr);
	return -r;
}

/* Reads @fd to its end. */
static int read_all(int fd, struct strbuf *ret)
{
	int64_t until_us = loop_now_us() + TIMEOUT_US;
	size_t start = ret->len;
	ssize_t n;

	do {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		int64_t left_us = until_us - loop_now_us();
		char *end = strbuf_reserve(ret, READ_STEP);

		if (!end)
			return -ENOMEM;
		if (left_us < 0 || poll(&wait, 1, (int)(left_us / 1000) + 1) == 0)
			return -ETIMEDOUT;
		n = read(fd, end, READ_STEP);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			strbuf_grew(ret, (size_t)n);
		if (ret->len - start > OUTPUT_MAX_LEN)
			return -EFBIG;
	} while (n != 0);
	return 0;
}

static int wait_status(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int git_run(const struct job *job, const char *dir, const char *const args[],
	    struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	_cleanup_free_ char **argv = extend("git", args, NULL);
	/* "git status" would else write what it found out into the user's repository. */
	_cleanup_free_ char **envp =
		extend(NULL, (const char *const *)job->envp, "GIT_OPTIONAL_LOCKS=0");
	_cleanup_close_ int read_fd = -1;
	int fds[2];
	pid_t pid;
	int r, status;

	if (!argv || !envp)
		return -ENOMEM;
	r = find_git(job, &path);
	if (r < 0)
		return r;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	read_fd = fds[0];
	r = spawn(strbuf_cstr(&path), dir, argv, envp, fds[1], &pid);
	close_fd(fds[1]);
	if (r < 0)
		return r;

	r = read_all(read_fd, ret);
	if (r < 0)
		(void)kill(pid, SIGKILL);
	status = wait_status(pid);
	return r < 0 ? r : status;
}

int git_commit(const struct job *job, const char *dir, struct strbuf *ret)
{
	static const char *const log[] = { "log", "-1", "--format=%H", ".", NULL };
	static const char *const changes[] = { "status", "--porcelain", NULL };
	_cleanup_(strbuf_done) struct strbuf commit = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf status = STRBUF_INIT;
	struct str hash;
	int r;

	r = git_run(job, dir, log, &commit);
	hash = str_strip(strbuf_str(&commit));
	if (r != 0 || hash.len == 0)
		return r < 0 ? r : -ENOENT;
	r = git_run(job, dir, changes, &status);
	if (r < 0)
		return r;
	strbuf_addstr(ret, hash);
	if (status.len > 0)
		strbuf_addc(ret, '*');
	return strbuf_error(ret);
}
