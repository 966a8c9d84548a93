/* The mount's top: README, latest, ops/, runs/ and trash/. */
#include <errno.h>

#include "engine/jobs.h"
#include "engine/writable.h"
#include "fs/dirs.h"

static const char readme[] =
	"This is a mount of runfs: experiment runs as directories.\n"
	"\n"
	"    ls ops                             what can be run\n"
	"    cat ops/OP/help                    its flags\n"
	"    echo x=10 > ops/OP/run             start a run, with flags\n"
	"    echo x=10 > ops/OP/stage           make it now and start it later\n"
	"    cat latest/output                  what it prints, as it comes\n"
	"    cat latest/wait                    wait for its end: completed 0\n"
	"\n"
	"    ls -t runs                         all runs, the newest first\n"
	"    cat runs/ID/status runs/ID/flags\n"
	"    echo x=20 > runs/ID/restart        run it again, flags over its own\n"
	"    cat runs/ID/restart                how that went\n"
	"    touch runs/ID/needed               from now on only if a flag differs\n"
	"    echo > runs/ID/stop                end it\n"
	"    echo text > runs/ID/label          name it; also tags (+a -b) and comment\n"
	"    echo 2 > jobs                      let two run at once, others wait\n"
	"    rmdir runs/ID                      delete it: trash/ID\n"
	"    mv trash/ID runs/                  restore it\n"
	"    rmdir trash/ID                     delete it for good\n"
	"\n"
	"Flags are words name=value, also on many lines; quotes and brackets protect\n"
	"blanks: z='a b'. Where run, stage, restart or stop refuses what you write, it\n"
	"says why when you read it.\n"
	"The runs themselves are in runs/ID/files. The manual: man 5 runfs.\n";

static int readme_read(const struct node *node, struct strbuf *ret_text)
{
	struct project *project = node->view->project;
	const char *mistake = project_mistake(project);

	strbuf_adds(ret_text, readme);
	if (!project_path(project))
		strbuf_adds(ret_text,
			    "\nThere is no project here, so ops is empty: mount with "
			    "-o project=DIR, a directory\nwith scripts.\n");
	if (mistake)
		strbuf_addf(ret_text, "\nNothing in ops can be run: %s\n", mistake);
	return strbuf_error(ret_text);
}

static int latest_exists(const struct node *node)
{
	const char *id;

	return index_latest(node->view->index, NULL, &id);
}

static int latest_link(const struct node *node, struct strbuf *ret_target)
{
	const char *id;
	int r = index_latest(node->view->index, NULL, &id);

	return r < 0 ? r : strbuf_addf(ret_target, "runs/%s", id);
}

static int latest_mtime(const struct node *node, struct timespec *ret)
{
	return view_latest_time(node->view, NULL, ret);
}

/* When a run last came or went. */
static int runs_mtime(const struct node *node, struct timespec *ret)
{
	int fd = store_runs_fd(node->view->store);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -ENOENT;
	*ret = st.st_mtim;
	return 0;
}

static int jobs_show(const struct node *node, struct strbuf *ret_text)
{
	_cleanup_(strbuf_done) struct strbuf ignored = STRBUF_INIT;
	struct jobs jobs;
	int r = jobs_read(store_fd(node->view->store), &jobs, &ignored);

	return r < 0 ? r : jobs_format(&jobs, ret_text);
}

static int jobs_check(const struct node *node, const struct operation *operation,
		      struct str text, struct strbuf *ret_why)
{
	struct jobs jobs;
	int r = jobs_parse(text, false, &jobs, ret_why);

	return r < 0 ? r : writable_home(node->view->store, "runfs", ret_why);
}

/* Sets how many runs may go on at once, for all mounts of the home. */
static int jobs_commit(const struct node *node, struct commit *commit, struct str text,
		       struct strbuf *ret_answer)
{
	struct jobs jobs;
	int r = jobs_parse(text, true, &jobs, ret_answer);

	return r < 0 ? r : jobs_write(store_fd(node->view->store), &jobs);
}

static const struct node_type root_entries[] = {
	{ "README", S_IFREG | 0444, .read = readme_read },
	{ "latest", S_IFLNK | 0777, .exists = latest_exists, .link = latest_link,
	  .mtime = latest_mtime },
	{ "jobs", S_IFREG | 0644, .read = jobs_show, .check = jobs_check,
	  .commit = jobs_commit },
	{ "ops", S_IFDIR | 0755, .lookup = ops_dir_lookup, .list = ops_dir_list },
	{ "runs", S_IFDIR | 0755, .lookup = runs_dir_lookup, .list = runs_dir_list,
	  .rmdir = runs_dir_rmdir, .take = runs_dir_take, .mtime = runs_mtime },
	{ "trash", S_IFDIR | 0755, .lookup = trash_dir_lookup, .list = trash_dir_list,
	  .rmdir = trash_dir_rmdir, .take = trash_dir_take, .is_trash = true },
	{},
};

const struct node_type root_type = { NULL, S_IFDIR | 0755, .entries = root_entries };
