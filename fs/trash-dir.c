/* trash/: one directory for each deleted run, with the files of runs/ID/, to be read. */
#include <errno.h>

#include "fs/dirs.h"

int trash_dir_lookup(const struct node *dir, const char *name, struct node *ret_child)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r = trash_find(dir->view->store, name, &run);

	if (r == -EINVAL)
		r = -ENOENT;
	ret_child->trashed = true;
	return r < 0 ? r : node_child(ret_child, &run_type, name, NULL);
}

int trash_dir_list(const struct node *dir, node_list_fn fn, void *userdata)
{
	struct run_listing listing = { .fn = fn, .userdata = userdata };

	return trash_each(dir->view->store, runs_dir_list_one, &listing);
}

/* Deletes for good. */
int trash_dir_rmdir(const struct node *dir, const char *name, struct strbuf *ret_why)
{
	int r = trash_purge(dir->view->trash, name, ret_why);

	scalars_run_listed(dir->view->scalars, name);
	return r;
}

/* Deletes a run of runs/. */
int trash_dir_take(const struct node *dir, const char *name, struct strbuf *ret_why)
{
	int r = trash_move_in(dir->view->trash, name, ret_why);

	index_run_changed(dir->view->index, name);
	return r;
}
