/* What a request comes to. */
#include "engine/decide.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "engine/assign.h"
#include "engine/file.h"
#include "engine/path.h"
#include "engine/source-rule.h"

#define MANIFEST_MAX_LEN (16u << 20)

void decision_done(struct decision *decision)
{
	request_done(&decision->request);
	operation_unref(decision->operation);
	flags_done(&decision->written);
	flags_done(&decision->flags);
	command_done(&decision->command);
	rendering_done(&decision->rendering);
}

/* Paths that a user writes are seen from where the project is. */
static const char *user_dir(const struct decider *decider)
{
	return decider->project ? decider->project : store_path(decider->store);
}

static int build_command(const struct decider *decider, const char *id,
			 struct decision *decision, struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf python = STRBUF_INIT, why = STRBUF_INIT;
	struct command_context context = {
		.store = decider->store,
		.id = id,
		.op_main = decider->op_main,
		.cmd_dir = user_dir(decider),
		.environ = environ,
		.force_flags = decision->request.force_flags,
	};
	const struct value *attr = &decision->operation->attr;
	int r = 0;

	if (command_uses_python(decision->operation))
		r = python_find(decider->python,
				value_str(value_get(attr, "python-requires")), &python,
				&why);
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

	if (source_dest_normalize(operation_source_dest(operation), ret) == -ENOMEM)
		return -ENOMEM;
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

	if (!operation->is_python || add_script_path(operation, &path) < 0 ||
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
	if (r >= 0 || file_is_lack(r))
		return r >= 0 ? 0 : r;
	strbuf_addf(ret_why,
		    "the script %s is not in the run's directory any more: put it"
		    " back, or write --force-sourcecode to take the project's",
		    strbuf_cstr(&path));
	return r == -ENOTDIR ? -ENOENT : r;
}

/* Opens where the source code is taken from, in decision.source. */
static int open_source(const struct decision *decision, struct strbuf *ret_why)
{
	_cleanup_close_ int fd = path_open(AT_FDCWD, decision->source);
	struct str root = operation_source_root(decision->operation);
	int r;

	if (file_is_lack(fd))
		return fd;
	if (fd < 0) {
		strbuf_addf(ret_why, "the project %s is not there any more",
			    decision->source);
		return fd;
	}
	if (root.len == 0)
		return take_fd(&fd);
	r = path_open(fd, root.data);
	if (r < 0 && !file_is_lack(r))
		strbuf_addf(ret_why,
			    "the project %s has no directory %s to take the source code"
			    " from (sourcecode: root)",
			    decision->source, root.data);
	return r;
}

/*
 * What the program @name of a run is called in the source code; NULL when it is a path to
 * where the run has no source code.
 */
static const char *name_in_source(const struct operation *operation, const char *name)
{
	_cleanup_(strbuf_done) struct strbuf dest = STRBUF_INIT;

	if (name[0] == '/' || !strchr(name, '/') ||
	    source_dest_normalize(operation_source_dest(operation), &dest) < 0 ||
	    dest.len == 0)
		return name;
	while (str_starts(str_from(name), "./"))
		name += 2;
	if (!str_starts(str_from(name), strbuf_cstr(&dest)))
		return NULL;
	return name + dest.len;
}

/* Is the command's program @name there, seen from the directory @dir_fd? */
static int find_program(const struct decision *decision, int dir_fd, const char *name,
			struct strbuf *ret_why)
{
	int r = path_find_program(dir_fd, name, search_path(decision->command.envp), NULL,
				  ret_why);

	if (r == -ENOENT && strcmp(name, "Rscript") == 0)
		strbuf_adds(ret_why, "; it belongs to R, which runs .R files");
	return r;
}

/* Is there something to run in the source code that is to be copied? */
static int check_source(const struct decision *decision, struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT;
	_cleanup_close_ int dir_fd = open_source(decision, ret_why);
	const char *path = name_in_source(decision->operation, decision->command.argv[0]);

	if (dir_fd < 0)
		return dir_fd;
	if (!path) {
		strbuf_add_quoted(ret_why, str_from(decision->command.argv[0]));
		strbuf_addf(ret_why,
			    " is not there: the run has its source code in %s"
			    " (sourcecode: dest)",
			    operation_source_dest(decision->operation).data);
		return -ENOENT;
	}
	/* What has a path keeps one: the directories of PATH are not looked through. */
	strbuf_adds(&name, path == decision->command.argv[0] ? "" : "./");
	strbuf_adds(&name, path);
	if (strbuf_error(&name) < 0)
		return -ENOMEM;
	return find_program(decision, dir_fd, strbuf_cstr(&name), ret_why);
}

/* Is there something to run, seen from the directory @dir_fd of @run? */
static int check_command(const struct decision *decision, const struct run *run,
			 int dir_fd, struct strbuf *ret_why)
{
	int r = find_program(decision, dir_fd, decision->command.argv[0], ret_why);

	return r < 0 ? r : check_script(decision->operation, run, dir_fd, ret_why);
}

static int check_alive(const struct run *run, int status, struct strbuf *ret_why)
{
	if (!run_status_is_live(status))
		return status < 0 ? status : 0;
	strbuf_addf(ret_why,
		    "the run %s is %s: wait for its end (cat wait), or stop it first"
		    " (echo > stop)",
		    run_id(run), run_status_name(status));
	return -EBUSY;
}

/* --force-sourcecode takes the source of the mount's project, or of the run's own. */
static int find_source(const struct decider *decider, struct decision *decision,
		       struct strbuf *ret_why)
{
	const struct value *own = value_get(
		value_get(value_get(&decision->operation->attr, "op-cmd"), "cmd-env"),
		"PROJECT_DIR");
	_cleanup_close_ int fd = -1;

	if (!decision->request.force_sourcecode)
		return 0;
	decision->source = decider->project;
	if (!decision->source && own && value_str(own).len > 0)
		decision->source = value_str(own).data;
	fd = decision->source ? path_open(AT_FDCWD, decision->source) : -ENOENT;
	if (fd >= 0 || file_is_lack(fd))
		return fd >= 0 ? 0 : fd;
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
		     struct decision *decision, const struct flags *own,
		     struct strbuf *ret_why)
{
	unsigned int statuses = 0;
	int r = run_needed(run, &statuses);

	if (r < 0 && r != -ENOENT)
		return run_refuse(run, "needed", r,
				  "a file with completed, terminated or both", ret_why);
	if (r == -ENOENT && !decision->request.needed)
		return 0;
	if (r == -ENOENT)
		statuses = run_needed_default();
	decision->skip = statuses & 1u << status && flags_equal(own, &decision->flags);
	return 0;
}

static int merge_flags(const struct decider *decider, const struct flags *own,
		       bool complete, struct decision *decision, struct strbuf *ret_why)
{
	const char *dir = user_dir(decider);
	int r = operation_check_flags(decision->operation, &decision->request, ret_why);

	if (r == 0)
		r = assign_written(decision->operation, &decision->request, dir,
				   &decision->written, ret_why);
	if (r < 0)
		return r;
	return assign_flags(decision->operation, &decision->written, own, dir, complete,
			    decision->request.force_flags, &decision->flags, ret_why);
}

/* The flags of @run itself in @ret_own, and those that the request makes of them. */
static int merge_over_own(const struct decider *decider, const struct run *run,
			  bool complete, struct decision *decision, struct flags *ret_own,
			  struct strbuf *ret_why)
{
	int r = operation_of_run(run, &decision->operation, ret_why);

	if (r == 0)
		r = run_flags(run, ret_own);
	return r < 0 ? r : merge_flags(decider, ret_own, complete, decision, ret_why);
}

/* @status: as which the run counts for needed. */
static int decide_start(const struct decider *decider, const struct run *run,
			enum run_status status, struct str text, bool complete,
			struct decision *decision, struct strbuf *ret_why)
{
	_cleanup_(flags_done) struct flags own = FLAGS_INIT;
	_cleanup_close_ int dir_fd = run_open_dir(run);
	int r;

	if (dir_fd < 0) {
		strbuf_addf(ret_why, "the directory of the run %s can't be opened: %s",
			    run_id(run), strerror(-dir_fd));
		return dir_fd;
	}
	r = request_parse(text, complete, &decision->request, ret_why);
	if (r == 0)
		r = merge_over_own(decider, run, complete, decision, &own, ret_why);
	if (r == 0)
		r = is_needed(run, status, decision, &own, ret_why);
	if (r < 0 || decision->skip)
		return r;
	r = find_source(decider, decision, ret_why);
	if (r == 0)
		r = build_command(decider, run_id(run), decision, ret_why);
	if (r == 0)
		r = rendering_make(decision->operation, &decision->flags, run,
				   decision->source, &decision->rendering, ret_why);
	if (r < 0)
		return r;

	return decision->source ? check_source(decision, ret_why)
				: check_command(decision, run, dir_fd, ret_why);
}

int decide_restart(const struct decider *decider, const struct run *run, struct str text,
		   bool complete, struct decision *decision, struct strbuf *ret_why)
{
	int status = run_status(run);
	int r = check_alive(run, status, ret_why);

	return r < 0 ? r
		     : decide_start(decider, run, (enum run_status)status, text, complete,
				    decision, ret_why);
}

int decide_turn(const struct decider *decider, const struct run *run, struct str text,
		struct decision *decision, struct strbuf *ret_why)
{
	int status = run_status_behind(run);
	int r = check_alive(run, status, ret_why);

	return r < 0 ? r
		     : decide_start(decider, run, (enum run_status)status, text, true,
				    decision, ret_why);
}

static int check_staged(const struct run *run, struct strbuf *ret_why)
{
	int status = run_status(run);

	if (status == RUN_STAGED || status < 0)
		return status < 0 ? status : 0;
	strbuf_addf(ret_why,
		    "the run %s is %s: flags can be written only while it is staged;"
		    " write them to restart to run it again with them",
		    run_id(run), run_status_name(status));
	return -EBUSY;
}

/* How to start is for the start to say. */
static int check_no_options(const struct request *request, struct strbuf *ret_why)
{
	if (!request->needed && !request->force_sourcecode)
		return 0;
	strbuf_addf(ret_why,
		    "%s is for a start, write it to restart; here belong lines"
		    " name=value, and --force-flags",
		    request->needed ? "--needed" : "--force-sourcecode");
	return -EINVAL;
}

int decide_flags(const struct decider *decider, const struct run *run, struct str text,
		 bool complete, struct decision *decision, struct strbuf *ret_why)
{
	_cleanup_(flags_done) struct flags own = FLAGS_INIT;
	int r = check_staged(run, ret_why);

	if (r == 0)
		r = request_parse(text, complete, &decision->request, ret_why);
	if (r == 0)
		r = check_no_options(&decision->request, ret_why);
	if (r == 0)
		r = merge_over_own(decider, run, complete, decision, &own, ret_why);
	if (r == 0)
		r = build_command(decider, run_id(run), decision, ret_why);
	return r < 0 ? r
		     : rendering_make(decision->operation, &decision->flags, run, NULL,
				      &decision->rendering, ret_why);
}

int decide_run(const struct decider *decider, const struct operation *operation,
	       const char *id, struct str text, bool complete, struct decision *decision,
	       struct strbuf *ret_why)
{
	int r;

	if (operation->problem) {
		strbuf_adds(ret_why, operation->problem);
		return operation->problem_error;
	}
	decision->operation = operation_ref((struct operation *)(uintptr_t)operation);
	r = request_parse(text, complete, &decision->request, ret_why);
	if (r == 0)
		r = merge_flags(decider, NULL, complete, decision, ret_why);
	if (r == 0)
		r = build_command(decider, id, decision, ret_why);
	if (r < 0)
		return r;

	decision->source = operation->project;
	r = rendering_make(operation, &decision->flags, NULL, operation->project,
			   &decision->rendering, ret_why);
	return r < 0 ? r : check_source(decision, ret_why);
}
