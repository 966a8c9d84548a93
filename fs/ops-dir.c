/* ops/: the project's operations; directories of scripts are found by name. */
#include <errno.h>
#include <stdlib.h>

#include "engine/strv.h"
#include "fs/dirs.h"

static int scripts_exist(const struct node *node)
{
	int r = project_look(node->view->project, node->op_name);

	if (r < 0)
		return r;
	return r == PROJECT_DIRECTORY ? 0 : -ENOENT;
}

static const struct node_type scripts_type = { NULL, S_IFDIR | 0755,
					       .exists = scripts_exist,
					       .lookup = ops_dir_lookup,
					       .list = ops_dir_list };

/* What @name in the directory @dir is called from the project's top. */
static char *path_in_project(const struct node *dir, const char *name)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

	if (dir->op_name)
		strbuf_addf(&path, "%s/", dir->op_name);
	strbuf_adds(&path, name);
	return strbuf_take(&path);
}

int ops_dir_lookup(const struct node *dir, const char *name, struct node *ret_child)
{
	_cleanup_free_ char *path = path_in_project(dir, name);
	int r = path ? project_look(dir->view->project, path) : -ENOMEM;

	switch (r) {
	case PROJECT_OPERATION:
		return node_child(ret_child, &op_type, NULL, path);
	case PROJECT_DIRECTORY:
		return node_child(ret_child, &scripts_type, NULL, path);
	case PROJECT_NOTHING:
		return -ENOENT;
	default:
		return r;
	}
}

int ops_dir_list(const struct node *dir, node_list_fn fn, void *userdata)
{
	_cleanup_(strv_freep) char **names = NULL;
	int r = project_list(dir->view->project, dir->op_name ? dir->op_name : "",
			     &names);

	for (size_t i = 0; r == 0 && names && names[i]; i++)
		fn(userdata, names[i], S_IFDIR | 0755);
	return r;
}
