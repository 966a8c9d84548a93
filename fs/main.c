/*
 * mount.runfs: checks the command line, puts the parts together, mounts, and serves until
 * it is unmounted. Runs go on without it.
 */
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <libgen.h>
#include <mntent.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "engine/log.h"
#include "engine/path.h"
#include "engine/queue.h"
#include "engine/sweeper.h"
#include "engine/watch.h"
#include "fs/options.h"
#include "fs/session.h"
#include "fs/view.h"

/* As mount(8) has them. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_USAGE = 1,
	EXIT_SYSTEM = 2,
	EXIT_MOUNT = 32,
};

/* All that lives as long as the mount. */
struct program {
	struct options options;
	char *mountpoint; /* absolute */
	char *project;	  /* absolute, or NULL */
	char *supervisor, *op_main, *flags_helper;
	struct loop *loop;
	struct loop_source *signals;
	struct store *store;
	struct index *index;
	struct watch *watch;
	struct python *python;
	struct project *operations;
	struct launcher *launcher;
	struct queue *queue; /* none for a mount that may not write */
	struct stopper *stopper;
	struct sweeper *sweeper;
	struct scalars *scalars;
	struct spawner *spawner;
	struct trash *trash;
	struct amender *amender;
	struct view view;
	struct session *session;
	struct fuse_args args;
};

static const char usage[] =
	"usage: mount.runfs HOME MOUNTPOINT [-fnsv] [-o OPTION,...]\n"
	"\n"
	"Mounts a home of experiment runs (Guild AI's) as directories.\n"
	"\n"
	"  -o project=DIR           where operations come from (default: the parent of\n"
	"                           HOME, when HOME is called .guild)\n"
	"  -o jobs=N                how many runs of the home may go on at once (0: "
	"any)\n"
	"  -o stop_timeout=SECONDS  between SIGTERM and SIGKILL (30)\n"
	"  -o attempts=N            how many earlier starts of a run are kept (10)\n"
	"  -o nofollow              reading output never waits\n"
	"  -o foreground, debug     stay in the foreground; log every request\n"
	"  -o ro, allow_other, ...  as in mount(8) and fuse(8)\n"
	"  -f  check everything, mount nothing\n"
	"  -s  pass over unknown options\n";

static void program_done(struct program *program)
{
	session_free(program->session);
	queue_free(program->queue);
	launcher_free(program->launcher);
	stopper_free(program->stopper);
	sweeper_free(program->sweeper);
	scalars_free(program->scalars);
	trash_free(program->trash);
	amender_free(program->amender);
	spawner_free(program->spawner);
	project_free(program->operations);
	python_free(program->python);
	watch_free(program->watch);
	index_free(program->index);
	store_free(program->store);
	view_done(&program->view);
	loop_source_free(program->signals);
	loop_free(program->loop);
	fuse_opt_free_args(&program->args);
	free(program->mountpoint);
	free(program->project);
	free(program->supervisor);
	free(program->op_main);
	free(program->flags_helper);
	options_done(&program->options);
}

/* Is @path the directory @dir, or in it? Both absolute, without links. */
static bool is_within(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return true;
	return strncmp(path, dir, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* Without asking what is at @path, which may be dead: its parent is resolved. */
static char *absolute_path(const char *path)
{
	_cleanup_free_ char *copy = strdup(path), *other = strdup(path), *parent = NULL;
	_cleanup_(strbuf_done) struct strbuf absolute = STRBUF_INIT;

	if (!copy || !other)
		return NULL;
	parent = realpath(dirname(copy), NULL);
	if (!parent)
		return NULL;
	strbuf_addf(&absolute, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent,
		    basename(other));
	return strbuf_take(&absolute);
}

/* Is what is mounted on @mountpoint, as given, a mount of ours? */
static bool is_own_mount(const char *mountpoint)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;
	bool found = false;

	while (mounts && (entry = getmntent(mounts)))
		found |= strcmp(entry->mnt_dir, mountpoint) == 0 &&
			 strcmp(entry->mnt_type, "fuse.runfs") == 0;
	if (mounts)
		(void)endmntent(mounts);
	return found;
}

/* As fusermount3 does it for who is not root. */
static void unmount_as_user(const char *mountpoint)
{
	char *const argv[] = { (char *)(uintptr_t) "fusermount3",
			       (char *)(uintptr_t) "-uz", (char *)(uintptr_t) "--",
			       (char *)(uintptr_t)mountpoint, NULL };
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) == 0)
		(void)waitpid(pid, NULL, 0);
}

/*
 * After a crash of a daemon its mount stays and answers ENOTCONN. Taking it away is what
 * whoever mounts again would have to do first.
 */
static void remove_dead_mount(const char *mountpoint)
{
	_cleanup_free_ char *absolute = NULL;
	struct statfs fs;

	/* Not stat(2), which the kernel may answer for the dead out of its memory. */
	if (statfs(mountpoint, &fs) == 0 || (errno != ENOTCONN && errno != ECONNABORTED))
		return;
	absolute = absolute_path(mountpoint);
	if (!absolute || !is_own_mount(absolute))
		return;
	if (umount2(absolute, MNT_DETACH) < 0)
		unmount_as_user(absolute);
}

static int find_mountpoint(struct program *program)
{
	const char *given = program->options.mountpoint;
	struct stat st;

	remove_dead_mount(given);
	program->mountpoint = realpath(given, NULL);
	if (!program->mountpoint || stat(program->mountpoint, &st) < 0) {
		log_error("%s: %s: make the directory to mount on first", given,
			  strerror(errno));
		return EXIT_USAGE;
	}
	if (is_own_mount(program->mountpoint)) {
		log_error("%s has runs mounted on it already: umount it first", given);
		return EXIT_MOUNT;
	}
	if (!S_ISDIR(st.st_mode)) {
		log_error("%s is no directory: runs can only be mounted on one", given);
		return EXIT_USAGE;
	}
	if (is_within(program->mountpoint, store_path(program->store)) ||
	    is_within(store_path(program->store), program->mountpoint)) {
		log_error("%s is the home %s, or lies in it or above it: mount somewhere "
			  "else",
			  given, program->options.home);
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

/*
 * Such a home or project would be looked into by asking that mount's daemon, which may
 * look into ours.
 */
static int refuse_runfs(const char *given, const char *path)
{
	int fd = path_open(AT_FDCWD, path);

	close_fd(fd);
	if (fd != -EXDEV)
		return EXIT_OK;
	log_error("%s lies on a mount of runfs: give the directory itself (what a run "
		  "has in files is one)",
		  given);
	return EXIT_USAGE;
}

static int find_home(struct program *program)
{
	int r = store_open(program->options.home, &program->store);

	if (r == 0)
		return refuse_runfs(program->options.home, store_path(program->store));
	log_error("%s: %s: the home must be a directory that exists",
		  program->options.home, strerror(-r));
	return EXIT_USAGE;
}

/* project=DIR, or where a home called .guild lies. */
static int find_project(struct program *program)
{
	const char *home = store_path(program->store);
	const char *name = strrchr(home, '/') + 1;
	struct stat st;

	if (program->options.project)
		program->project = realpath(program->options.project, NULL);
	else if (strcmp(name, ".guild") == 0)
		program->project =
			str_dup((struct str){ home, (size_t)(name - home - 1) });
	else
		return EXIT_OK;
	if (program->project && program->project[0] == '\0') {
		free(program->project);
		program->project = strdup("/");
	}
	if (!program->project || stat(program->project, &st) < 0 ||
	    !S_ISDIR(st.st_mode)) {
		log_error("%s: the project must be a directory that exists",
			  program->options.project);
		return EXIT_USAGE;
	}
	if (is_within(program->project, program->mountpoint)) {
		log_error("%s lies in the mount point: mount somewhere else",
			  program->options.project ? program->options.project
						   : program->project);
		return EXIT_USAGE;
	}
	return refuse_runfs(program->options.project ? program->options.project
						     : program->project,
			    program->project);
}

/* RUNFS_LIBEXEC is for a build that has not been installed. */
static char *find_helper(const char *name)
{
	const char *libexec = getenv("RUNFS_LIBEXEC");
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	char *absolute;

	strbuf_addf(&path, "%s/%s", libexec && libexec[0] ? libexec : RUNFS_LIBEXEC,
		    name);
	absolute = realpath(strbuf_cstr(&path), NULL);
	if (!absolute)
		log_error("%s: %s: runfs is not installed whole", strbuf_cstr(&path),
			  strerror(errno));
	return absolute;
}

static int find_helpers(struct program *program)
{
	program->supervisor = find_helper("runfs-supervisor");
	program->op_main = program->supervisor ? find_helper("op-main.py") : NULL;
	program->flags_helper = program->op_main ? find_helper("python-flags.py") : NULL;
	return program->flags_helper ? EXIT_OK : EXIT_SYSTEM;
}

static void on_home_changed(void *userdata, const char *id, bool listed)
{
	struct program *program = userdata;

	if (id)
		index_run_changed(program->index, id);
	else
		index_list_changed(program->index);
	if (id && listed)
		scalars_run_listed(program->scalars, id);
	session_run_changed(program->session, id);
}

static void on_answer(void *userdata)
{
	struct program *program = userdata;

	session_ask_again(program->session);
}

static void on_index(void *userdata)
{
	struct program *program = userdata;

	launcher_ask_again(program->launcher);
	session_ask_again(program->session);
	if (program->queue)
		queue_look(program->queue);
}

static void on_signal(void *userdata, const struct signalfd_siginfo *info)
{
	struct program *program = userdata;

	if (info->ssi_signo != SIGCHLD) {
		loop_stop(program->loop);
		return;
	}
	/* Supervisors tell through the home how their runs went. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* Every reader of an output has a descriptor here. Returns the limit as it was. */
static uint64_t raise_file_limit(void)
{
	struct rlimit limit;
	uint64_t before;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	before = limit.rlim_cur;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : before;
}

static int make_parts(struct program *program)
{
	struct launcher_config config = { .n_attempts = program->options.n_attempts,
					  .stop_timeout_us =
						  program->options.stop_timeout_us,
					  .n_files = raise_file_limit() };
	int r;

	r = loop_new(&program->loop);
	if (r == 0)
		r = index_new(program->loop, program->store, on_index, program,
			      &program->index);
	if (r == 0)
		r = python_new(program->loop, program->flags_helper, &program->python);
	if (r == 0)
		python_set_home(program->python, store_fd(program->store));
	if (r == 0 && program->project)
		r = python_set_project(program->python, program->project);
	if (r == 0)
		r = project_new(program->python, program->project, on_answer, program,
				&program->operations);
	if (r == 0)
		r = stopper_new(program->loop, program->options.stop_timeout_us,
				&program->stopper);
	if (r == 0)
		r = sweeper_new(program->loop, store_fd(program->store),
				&program->sweeper);
	if (r == 0)
		r = scalars_new(program->loop, program->store, on_answer, program,
				&program->scalars);
	if (r == 0)
		r = spawner_new(program->loop, store_fd(program->store),
				program->supervisor, &program->spawner);
	if (r == 0)
		r = trash_new(program->store, program->spawner, &program->trash);
	if (r == 0)
		r = amender_new(program->loop, program->store, program->spawner,
				&program->amender);
	if (r < 0)
		return r;
	config.loop = program->loop;
	config.store = program->store;
	config.index = program->index;
	config.python = program->python;
	config.project = program->project;
	config.supervisor = program->supervisor;
	config.op_main = program->op_main;
	return launcher_new(&config, &program->launcher);
}

static void fill_view(struct program *program)
{
	struct view *view = &program->view;

	view->store = program->store;
	view->index = program->index;
	view->project = program->operations;
	view->launcher = program->launcher;
	view->stopper = program->stopper;
	view->scalars = program->scalars;
	view->trash = program->trash;
	view->amender = program->amender;
	view->op_main = program->op_main;
	view->nofollow = program->options.nofollow;
	view->uid = program->options.has_uid ? program->options.uid : geteuid();
	view->gid = program->options.has_gid ? program->options.gid : getegid();
}

static int add_fuse_options(struct program *program)
{
	_cleanup_(strbuf_done) struct strbuf options = STRBUF_INIT;

	/* A backslash keeps a comma in the path from ending the option. */
	strbuf_adds(&options, "default_permissions,subtype=runfs,fsname=");
	for (const char *c = store_path(program->store); *c; c++) {
		if (*c == ',' || *c == '\\')
			strbuf_addc(&options, '\\');
		strbuf_addc(&options, *c);
	}
	strbuf_addstr(&options, strbuf_str(&program->options.fuse));
	if (program->options.debug)
		strbuf_adds(&options, ",debug");
	if (strbuf_error(&options) < 0 ||
	    fuse_opt_add_arg(&program->args, "mount.runfs") < 0 ||
	    fuse_opt_add_arg(&program->args, "-o") < 0 ||
	    fuse_opt_add_arg(&program->args, strbuf_cstr(&options)) < 0)
		return -ENOMEM;
	return 0;
}

static int make_session(struct program *program)
{
	struct session_config config = { .loop = program->loop,
					 .view = &program->view,
					 .args = &program->args };
	int r = add_fuse_options(program);

	return r < 0 ? r : session_new(&config, &program->session);
}

static int add_signals(struct program *program)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	(void)signal(SIGPIPE, SIG_IGN);
	return loop_add_signals(program->loop, &set, on_signal, program,
				&program->signals);
}

static void on_turn(void *userdata, const char *id, int r, struct str answer)
{
	struct program *program = userdata;
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT, text = STRBUF_INIT;

	strbuf_addf(&path, "runs/%s/restart", id);
	strbuf_adds(&text, r < 0 ? "error: " : "");
	strbuf_addstr(&text, answer);
	strbuf_addc(&text, '\n');
	if (strbuf_error(&path) == 0)
		view_set_answer(&program->view, strbuf_cstr(&path), strbuf_str(&text));
}

static int start_queue(struct program *program)
{
	struct queue_config config = { .loop = program->loop,
				       .store = program->store,
				       .index = program->index,
				       .launcher = program->launcher,
				       .fn = on_turn,
				       .userdata = program };

	return program->options.read_only ? 0 : queue_new(&config, &program->queue);
}

/* What is made after the fork belongs to the process that serves. */
static int serve(struct program *program)
{
	int r;

	if (!program->options.foreground)
		log_use_syslog();
	/* Not sooner: to epoll, a signalfd tells of the process that added it. */
	r = add_signals(program);
	if (r == 0)
		r = session_start(program->session, program->watch);
	if (r == 0)
		r = start_queue(program);
	if (r == 0)
		trash_recover(program->trash);
	if (r == 0)
		r = loop_run(program->loop);
	if (r < 0)
		log_error("cannot serve %s: %s", program->mountpoint, strerror(-r));
	return r < 0 ? EXIT_SYSTEM : EXIT_OK;
}

static int check(struct program *program)
{
	int r = find_home(program);

	if (r == EXIT_OK)
		r = find_mountpoint(program);
	if (r == EXIT_OK)
		r = find_project(program);
	return r == EXIT_OK ? find_helpers(program) : r;
}

/* Such a mount serves all the same, a moment later. */
static void warn_of_watch(const struct watch *watch)
{
	const char *limit = NULL;

	switch (-watch_problem(watch)) {
	case EMFILE:
		limit = "instances";
		break;
	case ENOSPC:
		limit = "watches";
		break;
	}
	if (limit)
		log_error("no inotify %s left: changes are looked for twice a second"
			  " (raise fs.inotify.max_user_%s)",
			  limit, limit);
}

static int assemble(struct program *program)
{
	int r = make_parts(program);

	fill_view(program);
	if (r == 0)
		r = watch_new(program->loop, program->store, on_home_changed, program,
			      &program->watch);
	if (r == 0)
		r = make_session(program);
	if (r == 0)
		return EXIT_OK;
	log_error("cannot start: %s", strerror(-r));
	return EXIT_SYSTEM;
}

/* The limit is the home's, for all its mounts. */
static int set_jobs(struct program *program)
{
	int r = program->options.has_jobs
			? jobs_write(store_fd(program->store), &program->options.jobs)
			: 0;

	if (r == 0)
		return EXIT_OK;
	log_error("cannot write %s/runfs/jobs: %s", store_path(program->store),
		  strerror(-r));
	return EXIT_SYSTEM;
}

static int mount_and_serve(struct program *program)
{
	int r = check(program);

	if (r != EXIT_OK || program->options.fake)
		return r;
	r = assemble(program);
	if (r != EXIT_OK)
		return r;
	r = set_jobs(program);
	if (r != EXIT_OK)
		return r;
	store_clean(program->store);
	if (session_mount(program->session, program->mountpoint) < 0)
		return EXIT_MOUNT; /* libfuse has said why */
	warn_of_watch(program->watch);
	if (program->options.verbose) {
		printf("%s mounted on %s\n", store_path(program->store),
		       program->mountpoint);
		(void)fflush(stdout); /* fuse_daemonize() would lose it */
	}
	if (fuse_daemonize(program->options.foreground) < 0) {
		log_error("cannot go into the background: %s", strerror(errno));
		return EXIT_SYSTEM;
	}
	r = serve(program);
	/* umount -f kills a mount that is in use, and leaves it there. */
	session_free(take_ptr(program->session));
	remove_dead_mount(program->mountpoint);
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_(program_done) struct program program = { 0 };
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	int r;

	log_init("mount.runfs");
	view_init(&program.view);
	r = options_parse(argc, argv, &program.options, &why);
	if (r < 0) {
		log_error("%s", why.len > 0 ? strbuf_cstr(&why) : strerror(-r));
		return EXIT_USAGE;
	}
	if (program.options.help) {
		(void)fputs(usage, stdout);
		return EXIT_OK;
	}
	if (program.options.version) {
		(void)puts("mount.runfs " RUNFS_VERSION);
		return EXIT_OK;
	}
	return mount_and_serve(&program);
}
