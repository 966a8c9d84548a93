/* A directory's operations. */
#include "engine/project.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "engine/definition.h"
#include "engine/file.h"
#include "engine/guildfile.h"
#include "engine/path.h"
#include "engine/r-script.h"
#include "engine/script.h"

/* A file that has not changed for so long gets another time when it does. */
#define SETTLED_NS 100000000

struct project {
	char *path;
	struct guildfile *guildfile; /* as it was when it had the stamp; or NULL */
	struct file_stamp stamp;
	bool is_settled; /* and can't have changed since without another stamp */
	struct scripts *scripts;
};

int project_new(struct python *python, const char *path, project_fn fn, void *userdata,
		struct project **ret)
{
	_cleanup_(project_freep) struct project *project = calloc(1, sizeof(*project));
	int r;

	if (!project)
		return -ENOMEM;
	project->path = path ? strdup(path) : NULL;
	if (path && !project->path)
		return -ENOMEM;
	r = scripts_new(python, path, fn, userdata, &project->scripts);
	if (r < 0)
		return r;
	*ret = take_ptr(project);
	return 0;
}

void project_free(struct project *project)
{
	if (!project)
		return;
	guildfile_free(project->guildfile);
	scripts_free(project->scripts);
	free(project->path);
	free(project);
}

const char *project_path(const struct project *project)
{
	return project->path;
}

/* A path below the project without places that are hidden, "." or "..". */
static bool is_plain_path(const char *name)
{
	struct str rest = str_from(name), place;

	if (name[0] == '\0')
		return false;
	while (str_split(&rest, '/', &place)) {
		if (place.len == 0 || place.data[0] == '.')
			return false;
	}
	return true;
}

enum file_kind {
	FILE_OTHER,
	FILE_PYTHON,
	FILE_R,
	FILE_EXECUTABLE,
	FILE_DIRECTORY,
};

/* What can't be reached is nothing to run, but who lacks a descriptor can't say so. */
static int nothing_for(int r)
{
	return file_is_lack(r) ? r : FILE_OTHER;
}

/* An enum file_kind, or -errno. */
static int look_at(int dir_fd, const char *name, struct stat *ret_st)
{
	_cleanup_close_ int fd = path_open(dir_fd, name);

	if (fd < 0)
		return nothing_for(fd);
	if (fstat(fd, ret_st) < 0)
		return nothing_for(-errno);
	if (S_ISDIR(ret_st->st_mode))
		return FILE_DIRECTORY;
	if (!S_ISREG(ret_st->st_mode))
		return FILE_OTHER;
	if (str_ends(str_from(name), ".py"))
		return FILE_PYTHON;
	if (r_script_is(str_from(name)))
		return FILE_R;
	return ret_st->st_mode & 0111 ? FILE_EXECUTABLE : FILE_OTHER;
}

static int look_in_project(const struct project *project, const char *name,
			   struct stat *ret_st)
{
	_cleanup_close_ int dir_fd = -1;

	if (!project->path || !is_plain_path(name))
		return FILE_OTHER;
	dir_fd = path_open(AT_FDCWD, project->path);
	return dir_fd < 0 ? nothing_for(dir_fd) : look_at(dir_fd, name, ret_st);
}

/* What guild.yml is now. 0; -ENOENT when there is none, or no project; or -errno. */
static int stat_guildfile(const struct project *project, struct stat *ret)
{
	_cleanup_close_ int dir_fd = -1, fd = -1;

	*ret = (struct stat){ 0 };
	if (!project->path)
		return -ENOENT;
	dir_fd = path_open(AT_FDCWD, project->path);
	if (dir_fd < 0)
		return file_is_lack(dir_fd) ? dir_fd : -ENOENT;
	fd = path_open(dir_fd, "guild.yml");
	if (fd == -ENOENT || file_is_lack(fd))
		return fd;
	/* One that can't be looked at has a mistake to tell. */
	if (fd >= 0)
		(void)fstat(fd, ret);
	return 0;
}

static bool is_settled(const struct stat *st)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return st->st_ino != 0 && (now.tv_sec - st->st_ctim.tv_sec) * 1000000000 +
						  now.tv_nsec - st->st_ctim.tv_nsec >
					  SETTLED_NS;
}

/*
 * guild.yml as it is now, borrowed until the next call; NULL when there is none. What
 * files it includes may have changed without it. 0 or -errno.
 */
static int load_guildfile(struct project *project, const struct guildfile **ret)
{
	struct file_stamp stamp;
	struct stat st;
	int r = stat_guildfile(project, &st);

	*ret = project->guildfile;
	if (r < 0) {
		guildfile_free(take_ptr(project->guildfile));
		*ret = NULL;
		return r == -ENOENT ? 0 : r;
	}
	file_stamp_of(&st, &stamp);
	if (project->guildfile && project->is_settled &&
	    file_stamp_equal(&stamp, &project->stamp) &&
	    !guildfile_has_includes(project->guildfile))
		return 0;
	guildfile_free(take_ptr(project->guildfile));
	project->stamp = stamp;
	project->is_settled = is_settled(&st);
	r = guildfile_load(project->path, &project->guildfile);
	*ret = project->guildfile;
	return file_is_lack(r) ? r : 0;
}

const char *project_mistake(struct project *project)
{
	const struct guildfile *guildfile;

	(void)load_guildfile(project, &guildfile);
	return guildfile ? guildfile_mistake(guildfile) : NULL;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts, and drops a script that has the name of an operation of guild.yml. */
static void sort_names(char **names)
{
	size_t n = strv_length(names), n_kept = 0;

	if (n == 0)
		return;
	qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0; i < n; i++) {
		if (n_kept > 0 && strcmp(names[n_kept - 1], names[i]) == 0)
			free(names[i]);
		else
			names[n_kept++] = names[i];
	}
	names[n_kept] = NULL;
}

static int list_directory(int dir_fd, bool is_top, char ***names)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t n = 0;
	int r = 0;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close_fd(fd);
		return -errno;
	}
	for (struct dirent *entry; r == 0 && (entry = readdir(dir));) {
		struct stat st;
		int kind;

		if (entry->d_name[0] == '.')
			continue;
		kind = look_at(dir_fd, entry->d_name, &st);
		if (kind < 0)
			r = kind;
		else if (kind != FILE_OTHER && (kind != FILE_DIRECTORY || !is_top))
			r = strv_take_at(names, n++, strdup(entry->d_name));
	}
	return r;
}

int project_list(struct project *project, const char *dir, char ***ret)
{
	const struct guildfile *guildfile = NULL;
	_cleanup_(strv_freep) char **names = NULL;
	_cleanup_close_ int top_fd = -1, dir_fd = -1;
	bool is_top = dir[0] == '\0';
	int r = 0;

	if (project->path && (is_top || is_plain_path(dir)))
		top_fd = path_open(AT_FDCWD, project->path);
	if (top_fd >= 0)
		dir_fd = path_open(top_fd, is_top ? "." : dir);
	if (dir_fd >= 0)
		r = list_directory(dir_fd, is_top, &names);
	else if (file_is_lack(top_fd) || file_is_lack(dir_fd))
		return top_fd < 0 ? top_fd : dir_fd;
	if (is_top && !file_is_lack(r))
		r = load_guildfile(project, &guildfile);
	if (guildfile && r == 0)
		r = guildfile_names(guildfile, &names);
	if (file_is_lack(r))
		return r;
	sort_names(names);
	*ret = take_ptr(names);
	return 0;
}

int project_look(struct project *project, const char *name)
{
	const struct guildfile *guildfile = NULL;
	struct stat st;
	int kind = look_in_project(project, name, &st);
	int r;

	if (kind < 0)
		return kind;
	if (kind != FILE_OTHER && kind != FILE_DIRECTORY)
		return PROJECT_OPERATION;
	r = strchr(name, '/') ? 0 : load_guildfile(project, &guildfile);
	if (r < 0)
		return r;
	if (guildfile && guildfile_has(guildfile, name))
		return PROJECT_OPERATION;
	return kind == FILE_DIRECTORY ? PROJECT_DIRECTORY : PROJECT_NOTHING;
}

/* Leaves out those with a name or type that no flag can have. */
static int add_flags(const struct value *flags, struct operation *operation,
		     struct definition *definition)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < flags->map.n_pairs; i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

		r = definition_read_flag(definition, operation,
					 value_str(&flags->map.pairs[i].key),
					 &flags->map.pairs[i].value, &why);
		if (r == -EINVAL)
			r = 0;
	}
	return r;
}

static int add_script_flags(const struct script *script, struct operation *operation,
			    struct definition *definition)
{
	_cleanup_(value_done) struct value flags = VALUE_INIT;
	int r = script_flags(script, &flags);

	return r < 0 ? r : add_flags(&flags, operation, definition);
}

static int describe(struct operation *operation, const struct script *script)
{
	const char *description = script_description(script);
	const char *version = script_python_version(script);

	if (description && !operation->description)
		operation->description = strdup(description);
	operation->python_version = version ? strdup(version) : NULL;
	if (version && !operation->python_version)
		return -ENOMEM;
	return script_packages(script, &operation->pip_freeze);
}

static int define_python(const struct script *script, const char *name,
			 struct operation *operation, struct definition *definition)
{
	struct str module = str_from(name);
	int r;

	operation->is_python = true;
	operation->problem = script_problem(script, name);
	operation->problem_error = script_error(script);
	definition->flags_dest = str_from(script_dest(script));
	module.len -= strlen(".py");
	r = definition_add_python(definition);
	if (r == 0)
		r = definition_add_word(definition, module);
	if (r == 0)
		r = add_script_flags(script, operation, definition);
	if (r == 0)
		r = definition_add_flag_args(definition);
	return r < 0 ? r : describe(operation, script);
}

static int set_script_names(const struct project *project, const char *name,
			    struct operation *operation)
{
	_cleanup_(strbuf_done) struct strbuf opref = STRBUF_INIT, opspec = STRBUF_INIT;

	strbuf_adds(&opref, "script:");
	strbuf_add_shell(&opref, str_from(project->path));
	strbuf_adds(&opref, " '' '' ");
	strbuf_add_shell(&opref, str_from(name));
	strbuf_addf(&opspec, "%s/%s", project->path, name);
	operation->name = strdup(name);
	operation->project = strdup(project->path);
	operation->program = strdup(name);
	operation->opref = strbuf_take(&opref);
	operation->opspec = strbuf_take(&opspec);
	return operation->name && operation->project && operation->program &&
			       operation->opref && operation->opspec
		       ? 0
		       : -ENOMEM;
}

/* The run has its own copy of a program, and a restart runs that. */
static int define_program(const char *name, struct operation *operation,
			  struct definition *definition)
{
	_cleanup_(strbuf_done) struct strbuf word = STRBUF_INIT;

	operation->takes_any_flag = true;
	strbuf_addf(&word, "./%s", name);
	return strbuf_error(&word) < 0
		       ? -ENOMEM
		       : definition_add_word(definition, strbuf_str(&word));
}

static int set_problem(struct operation *operation, int error, const struct strbuf *why)
{
	free(operation->problem);
	operation->problem = strdup(strbuf_cstr(why));
	operation->problem_error = error;
	return operation->problem ? 0 : -ENOMEM;
}

/* Its flags are in the script itself, which each run gets with its own values. */
static int define_r(const struct project *project, const char *name,
		    struct operation *operation, struct definition *definition)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, why = STRBUF_INIT;
	_cleanup_(value_done) struct value flags = { .type = VALUE_MAP };
	_cleanup_close_ int dir_fd = path_open(AT_FDCWD, project->path);
	int r = dir_fd < 0 ? dir_fd : path_read(dir_fd, name, R_SCRIPT_MAX_LEN, &text);

	strbuf_addf(&why, "%s: ", name);
	if (r < 0)
		strbuf_adds(&why, strerror(-r));
	else
		r = r_script_flags(strbuf_str(&text), &flags, &why);
	if (r < 0 && r != -ENOMEM)
		r = set_problem(operation, r, &why);
	if (r == 0)
		r = definition_add_word(definition, STR("Rscript"));
	if (r == 0)
		r = definition_add_word(definition, str_from(name));
	if (r == 0)
		r = add_flags(&flags, operation, definition);
	operation->takes_any_flag = flags.map.n_pairs == 0;
	if (flags.map.n_pairs > 0)
		definition->flags_dest = str_from(operation->program);
	return r;
}

static int script_operation(struct project *project, const char *name, int kind,
			    const struct stat *st, struct operation **ret)
{
	_cleanup_(operation_unrefp) struct operation *operation = operation_new();
	_cleanup_(definition_done) struct definition definition = DEFINITION_INIT;
	struct script_use use = { 0 };
	const struct script *script;
	int r;

	if (!operation)
		return -ENOMEM;
	r = set_script_names(project, name, operation);
	use.path = operation->opspec;
	if (r == 0 && kind == FILE_PYTHON)
		r = scripts_ask(project->scripts, &use, st, &script);
	if (r == 0 && kind == FILE_PYTHON)
		r = define_python(script, name, operation, &definition);
	else if (r == 0 && kind == FILE_R)
		r = define_r(project, name, operation, &definition);
	else if (r == 0)
		r = define_program(name, operation, &definition);
	if (r == 0)
		r = definition_apply(&definition, operation);
	if (r < 0)
		return r;
	*ret = take_ptr(operation);
	return 0;
}

/* That flags are lacking is to be seen, though those of guild.yml can be given. */
static int remark_problem(const struct script *script, const char *path, bool no_flags,
			  struct operation *operation)
{
	_cleanup_free_ char *problem = no_flags ? NULL : script_problem(script, path);
	_cleanup_(strbuf_done) struct strbuf remarks = STRBUF_INIT;

	if (!problem)
		return 0;
	strbuf_addf(&remarks, "cannot import flags from %s\n", problem);
	strbuf_adds(&remarks, operation->remarks ? operation->remarks : "");
	free(operation->remarks);
	operation->remarks = strbuf_take(&remarks);
	return operation->remarks ? 0 : -ENOMEM;
}

/* An operation of guild.yml, with what Python says of the script that it runs. */
static int define_with_script(struct project *project, const struct guildfile *guildfile,
			      const struct guildfile_main *main, const char *name,
			      const struct stat *st, struct operation **ret)
{
	_cleanup_(guildfile_main_done) struct guildfile_main ignored =
		GUILDFILE_MAIN_INIT;
	_cleanup_(value_done) struct value flags = VALUE_INIT;
	const struct value *requires = value_get(&(*ret)->attr, "python-requires");
	struct script_use use = {
		.path = main->path,
		.dest = main->dest,
		.package = main->package,
		.requires = requires ? value_str(requires).data : NULL,
		.args = main->args,
		.no_flags = main->no_flags,
	};
	struct guildfile_script known;
	const struct script *script;
	int r = scripts_ask(project->scripts, &use, st, &script);

	if (r < 0)
		return r;
	operation_unref(take_ptr(*ret));
	known.flags_dest = str_from(script_dest(script));
	known.flags = &flags;
	r = script_flags(script, &flags);
	if (r == 0)
		r = guildfile_operation(guildfile, name, &known, ret, &ignored);
	if (r == 0)
		r = remark_problem(script, main->path, main->no_flags, *ret);
	return r < 0 ? r : describe(*ret, script);
}

static int defined_operation(struct project *project, const struct guildfile *guildfile,
			     const char *name, struct operation **ret)
{
	_cleanup_(operation_unrefp) struct operation *operation = NULL;
	_cleanup_(guildfile_main_done) struct guildfile_main main = GUILDFILE_MAIN_INIT;
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	r = guildfile_operation(guildfile, name, NULL, &operation, &main);
	if (r < 0)
		return r;
	if (main.path)
		fd = path_open(AT_FDCWD, main.path);
	if (file_is_lack(fd))
		return fd;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		r = define_with_script(project, guildfile, &main, name, &st, &operation);
		if (r < 0)
			return r;
	}
	*ret = take_ptr(operation);
	return 0;
}

/* A guild.yml that is not understood may say of a script what it is to be run with. */
static int add_mistake(const struct guildfile *guildfile, struct operation *operation)
{
	const char *mistake = guildfile_mistake(guildfile);

	if (!mistake || operation->problem)
		return 0;
	operation->problem = strdup(mistake);
	operation->problem_error = -EINVAL;
	if (operation->problem)
		return 0;
	operation_unref(operation);
	return -ENOMEM;
}

int project_operation(struct project *project, const char *name, struct operation **ret)
{
	const struct guildfile *guildfile;
	struct stat st;
	int kind;
	int r = load_guildfile(project, &guildfile);

	if (r < 0)
		return r;
	if (guildfile && !strchr(name, '/') && guildfile_has(guildfile, name))
		return defined_operation(project, guildfile, name, ret);
	kind = look_in_project(project, name, &st);
	if (kind < 0)
		return kind;
	if (kind != FILE_PYTHON && kind != FILE_R && kind != FILE_EXECUTABLE)
		return -ENOENT;
	r = script_operation(project, name, kind, &st, ret);
	return r == 0 && guildfile ? add_mistake(guildfile, *ret) : r;
}
