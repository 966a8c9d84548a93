/* Starts runs: the decision, the job, the supervisor. */
#include "engine/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/assign.h"
#include "engine/command.h"
#include "engine/file.h"
#include "engine/list.h"
#include "engine/lock.h"
#include "engine/path.h"
#include "engine/prepare.h"
#include "engine/request.h"

/* Above every descriptor that a supervisor gets, so that no dup2 hits another's source.
 */
#define SPARE_FD 16

#define MANIFEST_MAX_LEN (16u << 20)

#define SKIPPED "Skipping run because flags have not changed (--needed specified)"

struct launcher {
	struct launcher_config config;
	int supervisor_fd; /* the program as it was at the start: one of our version */
	struct list launches;
};

/* A start under way: the supervisor has the job and has not answered yet. */
struct launch {
	struct list link;
	struct launcher *launcher;
	struct loop_source *source;
	int fd;
	struct strbuf answer;
	launch_fn fn; /* NULL: nobody waits any more */
	void *userdata;
	bool is_new;
	char *id;
};

/* What a request comes to. */
struct decision {
	struct request request;
	struct operation *operation;
	struct flags written; /* those of the request, typed */
	struct flags flags;
	struct command command;
	const char *source; /* borrowed: project to copy from, or NULL */
	bool skip;
};

int launcher_new(const struct launcher_config *config, struct launcher **ret)
{
	struct launcher *launcher = calloc(1, sizeof(*launcher));

	if (!launcher)
		return -ENOMEM;
	launcher->config = *config;
	list_init(&launcher->launches);
	launcher->supervisor_fd = open(config->supervisor, O_PATH | O_CLOEXEC);
	if (launcher->supervisor_fd < 0) {
		int r = -errno;

		free(launcher);
		return r;
	}
	*ret = launcher;
	return 0;
}

static void launch_free(struct launch *launch)
{
	if (!launch)
		return;
	list_unlink(&launch->link);
	loop_source_free(launch->source);
	close_fd(launch->fd);
	strbuf_done(&launch->answer);
	free(launch->id);
	free(launch);
}
DEFINE_CLEANUP(struct launch, launch_free);

void launcher_free(struct launcher *launcher)
{
	if (!launcher)
		return;
	list_for_each (link, &launcher->launches) {
		launch_free(list_entry(link, struct launch, link));
	}
	close_fd(launcher->supervisor_fd);
	free(launcher);
}

void launch_forget(struct launch *launch)
{
	if (launch)
		launch->fn = NULL;
}

static void decision_done(struct decision *decision)
{
	request_done(&decision->request);
	operation_unref(decision->operation);
	flags_done(&decision->written);
	flags_done(&decision->flags);
	command_done(&decision->command);
}

/* Paths that a user writes are seen from where the project is. */
static const char *user_dir(const struct launcher *launcher)
{
	return launcher->config.project ? launcher->config.project
					: store_path(launcher->config.store);
}

static int build_command(const struct launcher *launcher, const char *id,
			 struct decision *decision, struct strbuf *ret_why)
{
	const struct launcher_config *config = &launcher->config;
	_cleanup_(strbuf_done) struct strbuf python = STRBUF_INIT, why = STRBUF_INIT;
	struct command_context context = {
		.store = config->store,
		.id = id,
		.op_main = config->op_main,
		.cmd_dir = user_dir(launcher),
		.environ = environ,
		.force_flags = decision->request.force_flags,
	};
	const struct value *attr = &decision->operation->attr;
	int r = python_find(config->python, value_str(value_get(attr, "python-requires")),
			    &python, &why);

	if (r == 0)
		context.python_exe = strbuf_cstr(&python);
	else if (decision->operation->is_python) {
		strbuf_addstr(ret_why, strbuf_str(&why));
		return r;
	}
	return command_build(decision->operation, &decision->flags, &context,
			     &decision->command, ret_why);
}

static const char *search_path(char *const *envp)
{
	for (; envp && *envp; envp++) {
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	}
	return PATH_DEFAULT;
}

/* The file that guild.op_main would run: a.b and a/b are a/b.py (5.3). */
static int add_script_path(const struct operation *operation, struct strbuf *ret)
{
	const struct value *args =
		value_get(value_get(&operation->attr, "op-cmd"), "cmd-args");
	struct str module =
		args->list.n_items > 3 ? value_str(&args->list.items[3]) : str_from(NULL);

	for (size_t i = 0; i < module.len; i++)
		strbuf_addc(ret, module.data[i] == '.' ? '/' : module.data[i]);
	return strbuf_adds(ret, ".py");
}

/* A script that was copied into the run may have been deleted since. */
static int check_script(const struct operation *operation, const struct run *run,
			int dir_fd, struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf manifest = STRBUF_INIT, path = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf entry = STRBUF_INIT;
	int r;

	if (!operation->is_python || !run || add_script_path(operation, &path) < 0 ||
	    file_read(run_guild_fd(run), "manifest", MANIFEST_MAX_LEN, &manifest) < 0)
		return 0;
	strbuf_adds(&entry, "s ");
	strbuf_add_shell(&entry, strbuf_str(&path));
	strbuf_addc(&entry, ' ');
	if (strbuf_error(&entry) < 0 ||
	    !strstr(strbuf_cstr(&manifest), strbuf_cstr(&entry)))
		return 0;
	r = path_open(dir_fd, strbuf_cstr(&path));
	close_fd(r);
	if (r >= 0)
		return 0;
	strbuf_addf(ret_why,
		    "the script %s is not in the run's directory any more: put it"
		    " back, or write --force-sourcecode to take the project's",
		    strbuf_cstr(&path));
	return r == -ENOTDIR ? -ENOENT : r;
}

/* Is there something to run, seen from the directory @dir_fd? @run: NULL for a new one.
 */
static int check_command(const struct decision *decision, const struct run *run,
			 int dir_fd, struct strbuf *ret_why)
{
	int r = path_find_program(dir_fd, decision->command.argv[0],
				  search_path(decision->command.envp), NULL, ret_why);

	return r < 0 ? r : check_script(decision->operation, run, dir_fd, ret_why);
}

static int check_alive(const struct run *run, enum run_status status,
		       struct strbuf *ret_why)
{
	if (!run_status_is_live(status))
		return 0;
	strbuf_addf(ret_why,
		    "the run %s is %s: wait for its end (cat wait), or stop it first"
		    " (echo > stop)",
		    run_id(run), run_status_name(status));
	return -EBUSY;
}

/* --force-sourcecode takes the source of the mount's project, or of the run's own. */
static int find_source(const struct launcher *launcher, struct decision *decision,
		       struct strbuf *ret_why)
{
	const struct value *own = value_get(
		value_get(value_get(&decision->operation->attr, "op-cmd"), "cmd-env"),
		"PROJECT_DIR");
	_cleanup_close_ int fd = -1;

	if (!decision->request.force_sourcecode)
		return 0;
	decision->source = launcher->config.project;
	if (!decision->source && own && value_str(own).len > 0)
		decision->source = value_str(own).data;
	fd = decision->source ? path_open(AT_FDCWD, decision->source) : -ENOENT;
	if (fd >= 0)
		return 0;
	strbuf_adds(ret_why, "--force-sourcecode: ");
	if (decision->source)
		strbuf_addf(ret_why, "the project %s is not there any more",
			    decision->source);
	else
		strbuf_adds(ret_why, "there is no project to take the source from: mount"
				     " with -o project=DIR");
	return -ENOENT;
}

static int is_needed(const struct run *run, enum run_status status,
		     struct decision *decision, const struct flags *own)
{
	unsigned int statuses = 0;
	int r = run_needed(run, &statuses);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == -ENOENT && !decision->request.needed)
		return 0;
	if (r == -ENOENT)
		statuses = run_needed_default();
	decision->skip = statuses & 1u << status && flags_equal(own, &decision->flags);
	return 0;
}

static int decide_flags(const struct launcher *launcher, const struct flags *own,
			bool complete, struct decision *decision, struct strbuf *ret_why)
{
	const char *dir = user_dir(launcher);
	int r = operation_check_flags(decision->operation, &decision->request, ret_why);

	if (r == 0)
		r = assign_written(decision->operation, &decision->request, dir,
				   &decision->written, ret_why);
	if (r < 0)
		return r;
	return assign_flags(decision->operation, &decision->written, own, dir, complete,
			    decision->request.force_flags, &decision->flags, ret_why);
}

static int decide_again(const struct launcher *launcher, const struct run *run,
			enum run_status status, bool complete, struct decision *decision,
			struct strbuf *ret_why)
{
	_cleanup_(flags_done) struct flags own = FLAGS_INIT;
	int r = operation_of_run(run, &decision->operation, ret_why);

	if (r == 0)
		r = run_flags(run, &own);
	if (r == 0)
		r = decide_flags(launcher, &own, complete, decision, ret_why);
	return r < 0 ? r : is_needed(run, status, decision, &own);
}

static int decide_restart(const struct launcher *launcher, const struct run *run,
			  struct str text, bool complete, struct decision *decision,
			  struct strbuf *ret_why)
{
	_cleanup_close_ int dir_fd = run_open_dir(run);
	enum run_status status = run_status(run);
	const char *id = run_id(run);
	int source_fd, r;

	if (dir_fd < 0)
		return dir_fd;
	r = check_alive(run, status, ret_why);
	if (r == 0)
		r = request_parse(text, complete, &decision->request, ret_why);
	if (r == 0)
		r = decide_again(launcher, run, status, complete, decision, ret_why);
	if (r < 0 || decision->skip)
		return r;
	r = find_source(launcher, decision, ret_why);
	if (r == 0)
		r = build_command(launcher, id, decision, ret_why);
	if (r < 0)
		return r;

	source_fd = decision->source ? path_open(AT_FDCWD, decision->source) : -1;
	r = check_command(decision, decision->source ? NULL : run,
			  source_fd >= 0 ? source_fd : dir_fd, ret_why);
	close_fd(source_fd);
	return r;
}

static int decide_run(const struct launcher *launcher, const struct operation *operation,
		      const char *id, struct str text, bool complete,
		      struct decision *decision, struct strbuf *ret_why)
{
	_cleanup_close_ int dir_fd = -1;
	int r;

	if (operation->problem) {
		strbuf_adds(ret_why, operation->problem);
		return operation->problem_error;
	}
	decision->operation = operation_ref((struct operation *)(uintptr_t)operation);
	r = request_parse(text, complete, &decision->request, ret_why);
	if (r == 0)
		r = decide_flags(launcher, NULL, complete, decision, ret_why);
	if (r == 0)
		r = build_command(launcher, id, decision, ret_why);
	if (r < 0)
		return r;

	decision->source = operation->project;
	dir_fd = path_open(AT_FDCWD, operation->project);
	if (dir_fd < 0) {
		strbuf_addf(ret_why, "the project %s is not there any more",
			    operation->project);
		return dir_fd;
	}
	return check_command(decision, NULL, dir_fd, ret_why);
}

static int find_run(const struct launcher *launcher, const char *id, struct run **ret,
		    struct strbuf *ret_why)
{
	int r = store_find(launcher->config.store, id, ret);

	if (r == -ENOENT)
		strbuf_addf(ret_why, "the run %s is not there any more", id);
	return r;
}

int launch_check_restart(struct launcher *launcher, const char *id, struct str text,
			 struct strbuf *ret_why)
{
	_cleanup_(decision_done) struct decision decision = { 0 };
	_cleanup_(run_freep) struct run *run = NULL;
	int r = find_run(launcher, id, &run, ret_why);

	return r < 0 ? r : decide_restart(launcher, run, text, false, &decision, ret_why);
}

int launch_check_run(struct launcher *launcher, const struct operation *operation,
		     struct str text, struct strbuf *ret_why)
{
	_cleanup_(decision_done) struct decision decision = { 0 };

	return decide_run(launcher, operation, "", text, false, &decision, ret_why);
}

static void on_answer(void *userdata, uint32_t events)
{
	_cleanup_(launch_freep) struct launch *launch = NULL;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	struct launch *started = userdata;
	char *end = strbuf_reserve(&started->answer, 4096);
	ssize_t n = end ? read(started->fd, end, 4096) : 0;
	int r;

	if (n > 0) {
		strbuf_grew(&started->answer, (size_t)n);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;

	launch = started;
	r = job_parse_answer(strbuf_str(&launch->answer), &text);
	if (r == 0 && !launch->is_new)
		strbuf_adds(&text, "Restarting ");
	if (r == 0)
		strbuf_adds(&text, launch->id);
	index_run_changed(launch->launcher->config.index, launch->id);
	if (launch->fn)
		launch->fn(launch->userdata, r, strbuf_str(&text));
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

static int spawn(const struct launcher *launcher, const struct job *job, int guild_fd,
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
	home_fd = spare(store_fd(launcher->config.store));
	spare_guild_fd = spare(guild_fd);
	if (spare_job_fd < 0 || spare_answer_fd < 0 || home_fd < 0 || spare_guild_fd < -1)
		return -EMFILE;
	/* Seen from the new process, which has closed its own copy by then. */
	(void)snprintf(program, sizeof(program), "/proc/%d/fd/%d", (int)getpid(),
		       launcher->supervisor_fd);
	return spawn_with(program, spare_job_fd, spare_answer_fd, home_fd,
			  spare_guild_fd);
}

/* Hands @job, and with @guild_fd the lock, to a supervisor. */
static int start(struct launcher *launcher, const struct job *job, int guild_fd,
		 launch_fn fn, void *userdata, struct launch **ret)
{
	_cleanup_(launch_freep) struct launch *launch = calloc(1, sizeof(*launch));
	_cleanup_close_ int answer_fd = -1;
	int fds[2];
	int r;

	if (!launch)
		return -ENOMEM;
	list_init(&launch->link);
	launch->launcher = launcher;
	launch->fn = fn;
	launch->userdata = userdata;
	launch->is_new = job->is_new;
	launch->fd = -1;
	launch->id = strdup(job->id);
	if (!launch->id)
		return -ENOMEM;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	launch->fd = fds[0];
	answer_fd = fds[1];
	r = loop_add_fd(launcher->config.loop, launch->fd, EPOLLIN, on_answer, launch,
			&launch->source);
	if (r == 0)
		r = spawn(launcher, job, guild_fd, answer_fd);
	if (r < 0)
		return r;
	list_append(&launcher->launches, &launch->link);
	*ret = take_ptr(launch);
	return -EINPROGRESS;
}

static int explain(int r, const char *what, struct strbuf *ret_why)
{
	if (r < 0 && r != -EINPROGRESS)
		strbuf_addf(ret_why, "cannot %s: %s", what, strerror(-r));
	return r;
}

static struct preparation preparation_of(const struct launcher *launcher,
					 const struct decision *decision, const char *id)
{
	return (struct preparation){
		.operation = decision->operation,
		.request = &decision->request,
		.flags = &decision->flags,
		.written = &decision->written,
		.command = &decision->command,
		.id = id,
		.project = decision->source,
		.stop_timeout_us = launcher->config.stop_timeout_us,
		.n_files = launcher->config.n_files,
	};
}

/* With the lock: what was decided before may not hold any more. */
static int restart_locked(struct launcher *launcher, const struct run *run, int guild_fd,
			  struct str text, launch_fn fn, void *userdata,
			  struct launch **ret, struct strbuf *ret_answer)
{
	_cleanup_(decision_done) struct decision decision = { 0 };
	_cleanup_(job_done) struct job job = JOB_INIT;
	struct preparation preparation;
	int r;

	r = decide_restart(launcher, run, text, true, &decision, ret_answer);
	if (r < 0)
		return r;
	if (decision.skip)
		return strbuf_adds(ret_answer, SKIPPED);
	preparation = preparation_of(launcher, &decision, run_id(run));
	r = prepare_restart(&preparation, run, &job);
	if (r == 0)
		r = start(launcher, &job, guild_fd, fn, userdata, ret);
	return explain(r, "start the run", ret_answer);
}

int launch_restart(struct launcher *launcher, const char *id, struct str text,
		   launch_fn fn, void *userdata, struct launch **ret,
		   struct strbuf *ret_answer)
{
	_cleanup_(decision_done) struct decision decision = { 0 };
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_close_ int guild_fd = -1;
	int r;

	/* Who is skipped or refused takes no lock, and so is in nobody's way. */
	r = find_run(launcher, id, &run, ret_answer);
	if (r == 0)
		r = decide_restart(launcher, run, text, true, &decision, ret_answer);
	if (r < 0)
		return r;
	if (decision.skip)
		return strbuf_adds(ret_answer, SKIPPED);

	guild_fd = file_open_dir(run_guild_fd(run), ".");
	if (guild_fd < 0)
		return explain(guild_fd, "open the run", ret_answer);
	r = lock_try(guild_fd);
	if (r < 0) {
		strbuf_addf(ret_answer, "the run %s is being started by somebody else",
			    id);
		return r;
	}
	return restart_locked(launcher, run, guild_fd, text, fn, userdata, ret,
			      ret_answer);
}

static const char *find_match(const struct launcher *launcher,
			      const struct decision *decision, unsigned int needed)
{
	if (decision->request.needed && needed == 0)
		needed = run_needed_default();
	if (needed == 0)
		return NULL;
	return index_match(launcher->config.index, decision->operation->opref,
			   &decision->flags, needed);
}

int launch_run(struct launcher *launcher, const struct operation *operation,
	       unsigned int needed, struct str text, launch_fn fn, void *userdata,
	       struct launch **ret, struct strbuf *ret_answer)
{
	_cleanup_(decision_done) struct decision decision = { 0 };
	_cleanup_(job_done) struct job job = JOB_INIT;
	struct preparation preparation;
	char id[STORE_ID_LEN + 1];
	const char *match;
	int r;

	r = store_new_id(id);
	if (r == 0)
		r = decide_run(launcher, operation, id, text, true, &decision,
			       ret_answer);
	if (r < 0)
		return r;
	match = find_match(launcher, &decision, needed);
	if (match)
		return strbuf_adds(ret_answer, match);

	preparation = preparation_of(launcher, &decision, id);
	r = prepare_new(&preparation, &job);
	if (r == 0)
		r = start(launcher, &job, -1, fn, userdata, ret);
	return explain(r, "start a run", ret_answer);
}
