/* runs/ID/: one run, as files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/command.h"
#include "engine/file.h"
#include "engine/operation.h"
#include "engine/pending.h"
#include "engine/stop.h"
#include "engine/strv.h"
#include "engine/writable.h"
#include "fs/dirs.h"

static int restart_read(const struct node *node, struct strbuf *ret_text)
{
	return strbuf_addstr(ret_text, view_answer(node->view, node->path));
}

static int restart_check(const struct node *node, const struct operation *operation,
			 struct str text, struct strbuf *ret_why)
{
	return launch_check_restart(node->view->launcher, node->run_id, text, ret_why);
}

/* Starts the run again with the flags of @text over its own. */
static int restart_commit(const struct node *node, struct commit *commit, struct str text,
			  struct strbuf *ret_answer)
{
	return launch_restart(node->view->launcher, node->run_id, text, commit->done,
			      commit->userdata, &commit->launch, ret_answer);
}

static int needed_exists(const struct node *node)
{
	_cleanup_(run_freep) struct run *run = NULL;
	unsigned int statuses;
	int r = node_run(node, &run);

	return r < 0 ? r : run_needed(run, &statuses);
}

static int needed_read(const struct node *node, struct strbuf *ret_text)
{
	_cleanup_(run_freep) struct run *run = NULL;
	unsigned int statuses = 0;
	int r = node_run(node, &run);

	if (r == 0)
		r = run_needed(run, &statuses);
	return r < 0 ? r : run_needed_format(statuses, ret_text);
}

static int needed_check(const struct node *node, const struct operation *operation,
			struct str text, struct strbuf *ret_why)
{
	_cleanup_(run_freep) struct run *run = NULL;
	unsigned int statuses;
	int r = run_needed_parse(text, false, &statuses, ret_why);

	if (r == 0)
		r = node_run(node, &run);
	return r < 0 ? r : writable_run(run, NULL, true, ret_why);
}

static int set_needed(const struct node *node, unsigned int statuses)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r = node_run(node, &run);

	return r < 0 ? r : run_set_needed(run, statuses);
}

static int needed_commit(const struct node *node, struct commit *commit, struct str text,
			 struct strbuf *ret_answer)
{
	unsigned int statuses;
	int r = run_needed_parse(text, true, &statuses, ret_answer);

	return r < 0 ? r : set_needed(node, statuses);
}

static int needed_create(const struct node *node)
{
	return set_needed(node, run_needed_default());
}

static int needed_remove(const struct node *node)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r = node_run(node, &run);

	return r < 0 ? r : file_remove(run_guild_fd(run), "needed");
}

static int flags_read(const struct node *node, struct strbuf *ret_text)
{
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	int r = node_run(node, &run);

	if (r == 0)
		r = run_flags(run, &flags);
	return r < 0 ? r : flags_format(&flags, ret_text);
}

static int flags_check(const struct node *node, const struct operation *operation,
		       struct str text, struct strbuf *ret_why)
{
	return launch_check_flags(node->view->launcher, node->run_id, text, ret_why);
}

/* Writes the flags of @text over those of a staged run. */
static int flags_commit(const struct node *node, struct commit *commit, struct str text,
			struct strbuf *ret_answer)
{
	return launch_flags(node->view->launcher, node->run_id, text, commit->done,
			    commit->userdata, &commit->launch, ret_answer);
}

static int status_read(const struct node *node, struct strbuf *ret_text)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r = node_run(node, &run);

	if (r == 0)
		r = run_status(run);
	return r < 0 ? r : strbuf_addf(ret_text, "%s\n", run_status_name(r));
}

static int exit_status_read(const struct node *node, struct strbuf *ret_text)
{
	struct run_moment moment;
	int r = node_look(node, &moment);

	if (r < 0 || !moment.has_exit_status)
		return r;
	return strbuf_addf(ret_text, "%" PRId64 "\n", moment.exit_status);
}

/* "completed 0", "error 3", "terminated -15"; without a number where there is none. */
static int wait_read(const struct node *node, struct strbuf *ret_text)
{
	struct run_moment moment;
	int r = node_look(node, &moment);

	if (r < 0)
		return r;
	strbuf_adds(ret_text, run_status_name(moment.status));
	if (moment.has_exit_status)
		strbuf_addf(ret_text, " %" PRId64, moment.exit_status);
	return strbuf_addc(ret_text, '\n');
}

static int stop_check(const struct node *node, const struct operation *operation,
		      struct str text, struct strbuf *ret_why)
{
	int signal;

	return stop_parse(text, false, &signal, ret_why);
}

/* A run that was taken out of the queue may have been started just before. */
struct leaving {
	struct stopper *stopper;
	struct store *store;
	char *id;
	int signal;
	launch_fn done;
	void *userdata;
};

static void leaving_free(struct leaving *leaving)
{
	free(leaving->id);
	free(leaving);
}
DEFINE_CLEANUP(struct leaving, leaving_free);

static void on_left(void *userdata, int r, struct str answer)
{
	_cleanup_(leaving_freep) struct leaving *leaving = userdata;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(run_freep) struct run *run = NULL;

	strbuf_addstr(&why, answer);
	if (r == -EAGAIN)
		r = store_find(leaving->store, leaving->id, &run);
	if (run)
		r = stop_run(leaving->stopper, run, leaving->signal, &why);
	leaving->done(leaving->userdata, r, strbuf_str(&why));
}

static int leave_queue(const struct node *node, struct commit *commit, int signal,
		       struct strbuf *ret_answer)
{
	struct leaving *leaving = calloc(1, sizeof(*leaving));
	int r;

	if (!leaving)
		return -ENOMEM;
	leaving->stopper = node->view->stopper;
	leaving->store = node->view->store;
	leaving->id = strdup(node->run_id);
	leaving->signal = signal;
	leaving->done = commit->done;
	leaving->userdata = commit->userdata;
	r = leaving->id ? launch_leave(node->view->launcher, node->run_id, on_left,
				       leaving, &commit->launch, ret_answer)
			: -ENOMEM;
	if (r != -EINPROGRESS)
		leaving_free(leaving);
	return r;
}

/* Those that would end a process that has not asked for them. */
static bool is_ending(int signal)
{
	return signal == SIGTERM || signal == SIGINT || signal == SIGKILL ||
	       signal == SIGHUP || signal == SIGQUIT;
}

/*
 * Sends the signal that @text names; a run that is not alive needs none, and one that
 * waits for a job slot has no process: it does not wait any more.
 */
static int stop_commit(const struct node *node, struct commit *commit, struct str text,
		       struct strbuf *ret_answer)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int signal, ours = 0, r;

	r = stop_parse(text, true, &signal, ret_answer);
	if (r == 0)
		r = node_run(node, &run);
	if (r == 0)
		r = run_status(run);
	if (r == RUN_PENDING)
		ours = pending_is_ours(run_guild_fd(run));
	if (r < 0 || ours < 0)
		return r < 0 ? r : ours;
	if (ours > 0)
		return is_ending(signal) ? leave_queue(node, commit, signal, ret_answer)
					 : 0;
	return stop_run(node->view->stopper, run, signal, ret_answer);
}

/* A control file that tells nothing of its own: only errors can be read. */
static int answer_read(const struct node *node, struct strbuf *ret_text)
{
	return strbuf_addstr(ret_text, view_answer(node->view, node->path));
}

static int op_read(const struct node *node, struct strbuf *ret_text)
{
	_cleanup_(strbuf_done) struct strbuf opref = STRBUF_INIT;
	_cleanup_(run_freep) struct run *run = NULL;
	int r = node_run(node, &run);

	if (r == 0)
		r = file_read(run_guild_fd(run), "opref", RUN_OPREF_MAX_LEN, &opref);
	if (r < 0)
		return r;
	if (operation_name_of_opref(str_strip(strbuf_str(&opref)), ret_text) < 0)
		strbuf_addc(ret_text, '?');
	return strbuf_addc(ret_text, '\n');
}

static int cmd_read(const struct node *node, struct strbuf *ret_text)
{
	_cleanup_(strv_freep) char **argv = NULL;
	_cleanup_(run_freep) struct run *run = NULL;
	int r = node_run(node, &run);

	if (r == 0)
		r = command_of_run(run, node->view->op_main, &argv);
	if (r < 0)
		return run && r == -ENOENT ? 0 : r;
	for (size_t i = 0; argv && argv[i]; i++) {
		if (i > 0)
			strbuf_addc(ret_text, ' ');
		strbuf_add_shell(ret_text, str_from(argv[i]));
	}
	return strbuf_addc(ret_text, '\n');
}

static int env_read(const struct node *node, struct strbuf *ret_text)
{
	_cleanup_(value_done) struct value env = VALUE_INIT;
	_cleanup_(run_freep) struct run *run = NULL;
	int r = node_run(node, &run);

	if (r == 0)
		r = run_attr(run, "env", &env);
	if (r < 0)
		return run && r == -ENOENT ? 0 : r;
	for (size_t i = 0; env.type == VALUE_MAP && i < env.map.n_pairs; i++) {
		strbuf_addstr(ret_text, value_str(&env.map.pairs[i].key));
		strbuf_addc(ret_text, '=');
		strbuf_add_shell(ret_text, value_str(&env.map.pairs[i].value));
		strbuf_addc(ret_text, '\n');
	}
	return strbuf_error(ret_text);
}

static int pid_read(const struct node *node, struct strbuf *ret_text)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r = node_run(node, &run);

	if (r == 0)
		r = run_pid(run);
	return r > 0 ? strbuf_addf(ret_text, "%d\n", r) : r;
}

/* 2026-01-31T12:00:00.123456Z */
static int add_time(const struct node *node, const char *attr, struct strbuf *ret_text)
{
	_cleanup_(run_freep) struct run *run = NULL;
	char text[sizeof("2026-01-31T12:00:00")];
	struct tm tm;
	time_t seconds;
	int64_t us;
	int r = node_run(node, &run);

	if (r == 0)
		r = run_attr_int(run, attr, &us);
	if (r < 0)
		return run && r == -ENOENT ? 0 : r;
	seconds = (time_t)(us / 1000000);
	if (us < 0 || !gmtime_r(&seconds, &tm) ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return -EBADMSG;
	return strbuf_addf(ret_text, "%s.%06dZ\n", text, (int)(us % 1000000));
}

static int initialized_read(const struct node *node, struct strbuf *ret_text)
{
	return add_time(node, "initialized", ret_text);
}

static int started_read(const struct node *node, struct strbuf *ret_text)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r = node_run(node, &run);

	if (r < 0)
		return r;
	r = run_was_started(run);
	return r > 0 ? add_time(node, "started", ret_text) : r;
}

/* When the run stopped; 0 and its times, or -ENOENT while it has not. */
static int final_stopped(const struct run *run, int64_t *ret_started,
			 int64_t *ret_stopped)
{
	int r = run_status(run);

	if (r < 0 || run_status_is_live(r) || r == RUN_STAGED)
		return r < 0 ? r : -ENOENT;
	r = run_attr_int(run, "started", ret_started);
	if (r == 0)
		r = run_attr_int(run, "stopped", ret_stopped);
	return r == 0 && *ret_stopped < *ret_started ? -ENOENT : r;
}

static int stopped_read(const struct node *node, struct strbuf *ret_text)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int64_t started, stopped;
	int r = node_run(node, &run);

	if (r == 0)
		r = final_stopped(run, &started, &stopped);
	if (r < 0)
		return run && r == -ENOENT ? 0 : r;
	return add_time(node, "stopped", ret_text);
}

static int elapsed_read(const struct node *node, struct strbuf *ret_text)
{
	_cleanup_(run_freep) struct run *run = NULL;
	struct timespec now;
	int64_t started, stopped;
	int r = node_run(node, &run);

	if (r < 0)
		return r;
	r = final_stopped(run, &started, &stopped);
	if (r == -ENOENT && run_status(run) == RUN_RUNNING) {
		(void)clock_gettime(CLOCK_REALTIME, &now);
		stopped = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
		r = run_attr_int(run, "started", &started);
	}
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (stopped < started)
		stopped = started;
	return strbuf_addf(ret_text, "%" PRId64 ".%06d\n", (stopped - started) / 1000000,
			   (int)((stopped - started) % 1000000));
}

static int add_source(const struct run *run, const char *attr, const char *name,
		      struct strbuf *ret_text)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = run_attr_string(run, attr, &text);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return strbuf_addf(ret_text, "%s=%s\n", name, strbuf_cstr(&text));
}

/* What was left out of the source code, and why: Guild would have warned of it. */
static int add_source_warnings(const struct run *run, struct strbuf *ret_text)
{
	_cleanup_(value_done) struct value list = VALUE_INIT;
	int r = run_attr(run, "sourcecode_warnings", &list);

	if (r < 0 || list.type != VALUE_LIST)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; i < list.list.n_items; i++)
		strbuf_addf(ret_text, "warning=%s\n",
			    value_str(&list.list.items[i]).data);
	return strbuf_error(ret_text);
}

static int source_read(const struct node *node, struct strbuf *ret_text)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r = node_run(node, &run);

	if (r == 0)
		r = add_source(run, "vcs_commit", "commit", ret_text);
	if (r == 0)
		r = add_source(run, "sourcecode_digest", "digest", ret_text);
	return r < 0 ? r : add_source_warnings(run, ret_text);
}

static int attr_read(const struct node *node, struct strbuf *ret_text)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r = node_run(node, &run);

	return r < 0 ? r : run_attr_text(run, strrchr(node->path, '/') + 1, ret_text);
}

static const struct node_type attr_type = { NULL, S_IFREG | 0444, .read = attr_read };

static int attrs_lookup(const struct node *dir, const char *name, struct node *ret_child)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_(run_freep) struct run *run = NULL;
	int r = node_run(dir, &run);

	if (r == 0)
		r = run_id_is_valid(name) ? run_attr_text(run, name, &text) : -ENOENT;
	return r < 0 ? r : node_child(ret_child, &attr_type, dir->run_id, NULL);
}

static int attrs_list(const struct node *dir, node_list_fn fn, void *userdata)
{
	_cleanup_closedir_ DIR *attrs = NULL;
	_cleanup_(run_freep) struct run *run = NULL;
	int fd, r = node_run(dir, &run);

	if (r < 0)
		return r;
	fd = file_open_dir(run_guild_fd(run), "attrs");
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	attrs = fdopendir(fd);
	if (!attrs) {
		close_fd(fd);
		return -errno;
	}
	for (struct dirent *entry; (entry = readdir(attrs));) {
		if (run_id_is_valid(entry->d_name))
			fn(userdata, entry->d_name, S_IFREG | 0444);
	}
	return 0;
}

static int scalars_read(const struct node *node, struct strbuf *ret_text)
{
	return node_is_shadowed(node)
		       ? 0
		       : scalars_format(node->view->scalars, node->run_id, ret_text);
}

static int files_link(const struct node *node, struct strbuf *ret_target)
{
	return node->trashed
		       ? trash_path(node->view->store, node->run_id, ret_target)
		       : store_run_path(node->view->store, node->run_id, ret_target);
}

/* When it was last started, so that `ls -t runs` lists the newest first. */
static int run_mtime(const struct node *node, struct timespec *ret)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r = node_run(node, &run);

	return r < 0 ? r : run_time(run, ret);
}

/* What is told of an earlier start, in the words of the run itself. */
static const struct node_type attempt_entries[] = {
	{ "flags", S_IFREG | 0444, .read = flags_read, .backing = "attrs/flags" },
	{ "output", S_IFREG | 0444, NODE_OUTPUT, .backing = "output" },
	{ "status", S_IFREG | 0444, .read = status_read, .backing = "attrs" },
	{ "exit_status", S_IFREG | 0444, .read = exit_status_read,
	  .backing = "attrs/exit_status" },
	{ "started", S_IFREG | 0444, .read = started_read, .backing = "attrs/started" },
	{ "stopped", S_IFREG | 0444, .read = stopped_read, .backing = "attrs/stopped" },
	{},
};

const struct node_type attempt_type = { NULL, S_IFDIR | 0755, .entries = attempt_entries,
					.mtime = run_mtime };

static const struct node_type run_entries[] = {
	{ "restart", S_IFREG | 0644, .read = restart_read, .check = restart_check,
	  .commit = restart_commit },
	{ "needed", S_IFREG | 0644, .exists = needed_exists, .create = needed_create,
	  .remove = needed_remove, .read = needed_read, .check = needed_check,
	  .commit = needed_commit, .backing = "needed" },
	{ "flags", S_IFREG | 0644, .read = flags_read, .check = flags_check,
	  .commit = flags_commit, .backing = "attrs/flags" },
	{ "output", S_IFREG | 0444, NODE_OUTPUT, .backing = "output" },
	{ "status", S_IFREG | 0444, .read = status_read },
	{ "exit_status", S_IFREG | 0444, .read = exit_status_read,
	  .backing = "attrs/exit_status" },
	{ "wait", S_IFREG | 0444, NODE_WAIT, .read = wait_read },
	{ "stop", S_IFREG | 0644, .read = answer_read, .check = stop_check,
	  .commit = stop_commit },
	{ "op", S_IFREG | 0444, .read = op_read, .backing = "opref", .told = true },
	{ "label", S_IFREG | 0644, NODE_TEXT, .read = label_read, .check = label_check,
	  .commit = label_commit, .backing = "attrs/label" },
	{ "tags", S_IFREG | 0644, NODE_TEXT, .read = tags_read, .check = tags_check,
	  .commit = tags_commit, .backing = "attrs/tags" },
	{ "comment", S_IFREG | 0644, NODE_TEXT, .read = comment_read,
	  .check = comment_check, .commit = comment_commit, .backing = "attrs/comments" },
	{ "cmd", S_IFREG | 0444, .read = cmd_read, .backing = "attrs/cmd", .told = true },
	{ "env", S_IFREG | 0444, .read = env_read, .backing = "attrs/env", .told = true },
	{ "pid", S_IFREG | 0444, .read = pid_read },
	{ "initialized", S_IFREG | 0444, .read = initialized_read,
	  .backing = "attrs/initialized", .told = true },
	{ "started", S_IFREG | 0444, .read = started_read, .backing = "attrs/started",
	  .told = true },
	{ "stopped", S_IFREG | 0444, .read = stopped_read, .backing = "attrs/stopped",
	  .told = true },
	{ "elapsed", S_IFREG | 0444, .read = elapsed_read },
	{ "source", S_IFREG | 0444, .read = source_read,
	  .backing = "attrs/sourcecode_digest", .told = true },
	{ "scalars", S_IFREG | 0444, .read = scalars_read, .backing = "output" },
	{ "series", S_IFDIR | 0755, .lookup = series_dir_lookup, .list = series_dir_list,
	  .backing = "output", .told = true },
	{ "attempts", S_IFDIR | 0755, .lookup = attempts_dir_lookup,
	  .list = attempts_dir_list, .backing = "attempts" },
	{ "attrs", S_IFDIR | 0755, .lookup = attrs_lookup, .list = attrs_list,
	  .backing = "attrs", .told = true },
	{ "files", S_IFLNK | 0777, .link = files_link, .told = true },
	{},
};

const struct node_type run_type = { NULL, S_IFDIR | 0755, .entries = run_entries,
				    .mtime = run_mtime, .told = true };
