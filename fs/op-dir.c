/* ops/OP/: one operation of the project, as files. */
#include <errno.h>
#include <string.h>

#include "engine/file.h"
#include "engine/strv.h"
#include "engine/value-text.h"
#include "engine/writable.h"
#include "fs/dirs.h"

static int find_operation(const struct node *node, struct operation **ret)
{
	return project_operation(node->view->project, node->op_name, ret);
}

static int run_read(const struct node *node, struct strbuf *ret_text)
{
	return strbuf_addstr(ret_text, view_answer(node->view, node->path));
}

/* The statuses with which an equal run makes a new one needless; none without needed. */
static int find_needed(const struct node *node, unsigned int *ret)
{
	int r = store_op_needed(node->view->store, project_path(node->view->project),
				node->op_name, ret);

	if (r == -ENOENT)
		*ret = 0;
	return r == -ENOENT ? 0 : r;
}

static int run_check(const struct node *node, const struct operation *operation,
		     struct str text, struct strbuf *ret_why)
{
	unsigned int needed;
	int r = find_needed(node, &needed);

	return r < 0 ? r
		     : launch_check_run(node->view->launcher, operation, needed, text,
					ret_why);
}

/*
 * Starts a new run with the flags of @text over the defaults; needed, none where one
 * with equal flags has an accepted status.
 */
static int run_commit(const struct node *node, struct commit *commit, struct str text,
		      struct strbuf *ret_answer)
{
	unsigned int needed;
	int r = find_needed(node, &needed);

	if (r < 0)
		return r;
	return launch_run(node->view->launcher, commit->operation, needed, text,
			  commit->done, commit->userdata, &commit->launch, ret_answer);
}

/* Makes the run that `run` would start, without starting it. */
static int stage_commit(const struct node *node, struct commit *commit, struct str text,
			struct strbuf *ret_answer)
{
	unsigned int needed;
	int r = find_needed(node, &needed);

	if (r < 0)
		return r;
	return launch_stage(node->view->launcher, commit->operation, needed, text,
			    commit->done, commit->userdata, &commit->launch, ret_answer);
}

static int flags_read(const struct node *node, struct strbuf *ret_text)
{
	_cleanup_(operation_unrefp) struct operation *operation = NULL;
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	int r = find_operation(node, &operation);

	if (r == 0)
		r = operation_defaults(operation, &flags);
	return r < 0 ? r : flags_format(&flags, ret_text);
}

/* The columns of the table of flags; what a flag takes is choices or a range. */
enum column {
	COLUMN_NAME,
	COLUMN_DEFAULT,
	COLUMN_TYPE,
	COLUMN_TAKES,
	COLUMN_DESCRIPTION,
	N_COLUMNS,
};

static const char *const column_titles[N_COLUMNS] = { "flag", "default", "type", "takes",
						      "description" };

static int add_choices(const struct flag_def *flag_def, struct strbuf *ret)
{
	for (size_t i = 0; i < flag_def->n_choices; i++) {
		const struct flag_choice *choice = &flag_def->choices[i];

		strbuf_adds(ret, i > 0 ? ", " : "");
		if (choice->alias)
			strbuf_adds(ret, choice->alias);
		else
			value_encode_request(&choice->value, ret);
	}
	return flag_def->allow_other ? strbuf_adds(ret, ", or another")
				     : strbuf_error(ret);
}

static int add_limits(const struct flag_def *flag_def, struct strbuf *ret)
{
	if (flag_def->min.type != VALUE_NULL) {
		value_encode_flag(&flag_def->min, ret);
		strbuf_adds(ret, flag_def->max.type != VALUE_NULL ? " to " : " or more");
	} else if (flag_def->max.type != VALUE_NULL) {
		strbuf_adds(ret, "up to ");
	}
	if (flag_def->max.type != VALUE_NULL)
		value_encode_flag(&flag_def->max, ret);
	return strbuf_error(ret);
}

static int add_cell(const struct flag_def *flag_def, enum column column,
		    struct strbuf *ret)
{
	const char *type = flag_type_name(flag_def->type);

	switch (column) {
	case COLUMN_NAME:
		return strbuf_adds(ret, flag_def->name);
	case COLUMN_DEFAULT:
		if (flag_def->required && flag_def->default_value.type == VALUE_NULL)
			return strbuf_adds(ret, "(required)");
		return value_encode_request(&flag_def->default_value, ret);
	case COLUMN_TYPE:
		return strbuf_adds(ret, type ? type : "");
	case COLUMN_TAKES:
		return flag_def->n_choices > 0 ? add_choices(flag_def, ret)
					       : add_limits(flag_def, ret);
	case COLUMN_DESCRIPTION:
		return strbuf_adds(ret,
				   flag_def->description ? flag_def->description : "");
	case N_COLUMNS:
		break;
	}
	return 0;
}

/* The width of what a column holds, in bytes; 0: nothing, so it is left out. */
static size_t column_width(const struct operation *operation, enum column column)
{
	size_t width = 0;

	for (size_t i = 0; i < operation->n_flag_defs; i++) {
		_cleanup_(strbuf_done) struct strbuf cell = STRBUF_INIT;

		add_cell(&operation->flag_defs[i], column, &cell);
		width = cell.len > width ? cell.len : width;
	}
	if (width > 0 && width < strlen(column_titles[column]))
		width = strlen(column_titles[column]);
	return width;
}

static void strip_end(struct strbuf *text)
{
	size_t len = text->len;

	while (len > 0 && text->data[len - 1] == ' ')
		len--;
	strbuf_truncate(text, len);
}

/* A row of the table: of @flag_def, or of the titles. */
static int add_row(const struct flag_def *flag_def, const size_t widths[N_COLUMNS],
		   struct strbuf *ret_text)
{
	for (int column = 0; column < N_COLUMNS; column++) {
		_cleanup_(strbuf_done) struct strbuf cell = STRBUF_INIT;

		if (widths[column] == 0)
			continue;
		if (flag_def)
			add_cell(flag_def, (enum column)column, &cell);
		else
			strbuf_adds(&cell, column_titles[column]);
		strbuf_addf(ret_text, "%-*s  ", (int)widths[column], strbuf_cstr(&cell));
	}
	strip_end(ret_text);
	return strbuf_addc(ret_text, '\n');
}

static int add_flag_table(const struct operation *operation, struct strbuf *ret_text)
{
	size_t widths[N_COLUMNS];

	for (int column = 0; column < N_COLUMNS; column++)
		widths[column] = column_width(operation, (enum column)column);
	add_row(NULL, widths, ret_text);
	for (size_t i = 0; i < operation->n_flag_defs; i++)
		add_row(&operation->flag_defs[i], widths, ret_text);
	return strbuf_error(ret_text);
}

static int help_read(const struct node *node, struct strbuf *ret_text)
{
	_cleanup_(operation_unrefp) struct operation *operation = NULL;
	int r = find_operation(node, &operation);

	if (r < 0)
		return r;
	if (operation->description)
		strbuf_addf(ret_text, "%s\n\n", operation->description);
	if (operation->problem)
		strbuf_addf(ret_text, "error: %s\n", operation->problem);
	else if (operation->takes_any_flag)
		strbuf_adds(ret_text, "A program that declares no flags: name=value"
				      " reaches it as FLAG_NAME in its environment.\n");
	else if (operation->n_flag_defs == 0)
		strbuf_adds(ret_text, "It takes no flags.\n");
	else
		(void)add_flag_table(operation, ret_text);
	if (operation->remarks)
		strbuf_addf(ret_text, "\n%s", operation->remarks);
	return strbuf_error(ret_text);
}

static int needed_exists(const struct node *node)
{
	unsigned int statuses;

	return store_op_needed(node->view->store, project_path(node->view->project),
			       node->op_name, &statuses);
}

static int needed_read(const struct node *node, struct strbuf *ret_text)
{
	unsigned int statuses = 0;
	int r = store_op_needed(node->view->store, project_path(node->view->project),
				node->op_name, &statuses);

	return r < 0 ? r : run_needed_format(statuses, ret_text);
}

static int needed_check(const struct node *node, const struct operation *operation,
			struct str text, struct strbuf *ret_why)
{
	unsigned int statuses;
	int r = run_needed_parse(text, false, &statuses, ret_why);

	return r < 0 ? r : writable_home(node->view->store, "runfs/needed", ret_why);
}

static int needed_commit(const struct node *node, struct commit *commit, struct str text,
			 struct strbuf *ret_answer)
{
	unsigned int statuses;
	int r = run_needed_parse(text, true, &statuses, ret_answer);

	return r < 0 ? r
		     : store_set_op_needed(node->view->store,
					   project_path(node->view->project),
					   node->op_name, statuses);
}

static int needed_create(const struct node *node)
{
	return store_set_op_needed(node->view->store, project_path(node->view->project),
				   node->op_name, run_needed_default());
}

static int needed_remove(const struct node *node)
{
	return store_remove_op_needed(node->view->store,
				      project_path(node->view->project), node->op_name);
}

static int latest_exists(const struct node *node)
{
	const char *id;

	return index_latest(node->view->index, node->op_name, &id);
}

/* From ops/OP/, or ops/DIR/OP/, up to runs/ID. */
static int add_way_up(const struct node *node, size_t n_more, struct strbuf *ret_target)
{
	size_t n = 2 + n_more;

	for (const char *c = node->op_name; *c; c++)
		n += *c == '/' ? 1 : 0;
	while (n-- > 0)
		strbuf_adds(ret_target, "../");
	return strbuf_adds(ret_target, "runs/");
}

static int latest_link(const struct node *node, struct strbuf *ret_target)
{
	const char *id;
	int r = index_latest(node->view->index, node->op_name, &id);

	if (r < 0)
		return r;
	add_way_up(node, 0, ret_target);
	return strbuf_adds(ret_target, id);
}

static int latest_mtime(const struct node *node, struct timespec *ret)
{
	return view_latest_time(node->view, node->op_name, ret);
}

static int run_link(const struct node *node, struct strbuf *ret_target)
{
	add_way_up(node, 1, ret_target);
	return strbuf_adds(ret_target, strrchr(node->path, '/') + 1);
}

static const struct node_type run_link_type = { NULL, S_IFLNK | 0777, .link = run_link };

static int op_runs_lookup(const struct node *dir, const char *name,
			  struct node *ret_child)
{
	if (!index_has(dir->view->index, dir->op_name, name))
		return -ENOENT;
	return node_child(ret_child, &run_link_type, name, dir->op_name);
}

struct listing {
	node_list_fn fn;
	void *userdata;
};

static void list_link(void *userdata, const char *id)
{
	const struct listing *listing = userdata;

	listing->fn(listing->userdata, id, S_IFLNK | 0777);
}

static int op_runs_list(const struct node *dir, node_list_fn fn, void *userdata)
{
	struct listing listing = { .fn = fn, .userdata = userdata };

	return index_each(dir->view->index, dir->op_name, list_link, &listing);
}

static const struct node_type op_entries[] = {
	{ "run", S_IFREG | 0644, .read = run_read, .operation = find_operation,
	  .check = run_check, .commit = run_commit },
	{ "stage", S_IFREG | 0644, .read = run_read, .operation = find_operation,
	  .check = run_check, .commit = stage_commit },
	{ "flags", S_IFREG | 0444, .read = flags_read },
	{ "help", S_IFREG | 0444, .read = help_read },
	{ "needed", S_IFREG | 0644, .exists = needed_exists, .create = needed_create,
	  .remove = needed_remove, .read = needed_read, .check = needed_check,
	  .commit = needed_commit },
	{ "latest", S_IFLNK | 0777, .exists = latest_exists, .link = latest_link,
	  .mtime = latest_mtime },
	{ "runs", S_IFDIR | 0755, .lookup = op_runs_lookup, .list = op_runs_list },
	{},
};

/* The project may change behind the mount: no second look takes it from the first. */
static int op_exists(const struct node *node)
{
	int r = project_look(node->view->project, node->op_name);

	if (r < 0)
		return r;
	return r == PROJECT_OPERATION ? 0 : -ENOENT;
}

const struct node_type op_type = { NULL, S_IFDIR | 0755, .exists = op_exists,
				   .entries = op_entries };
