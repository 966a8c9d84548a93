/* runs/: one directory for each run of the home. */
#include <errno.h>

#include "fs/dirs.h"

int runs_dir_lookup(const struct node *dir, const char *name, struct node *ret_child)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r = store_find(dir->view->store, name, &run);

	if (r == -EINVAL)
		r = -ENOENT;
	return r < 0 ? r : node_child(ret_child, &run_type, name, NULL);
}

void runs_dir_list_one(void *userdata, const char *id)
{
	const struct run_listing *listing = userdata;

	listing->fn(listing->userdata, id, S_IFDIR | 0755);
}

int runs_dir_list(const struct node *dir, node_list_fn fn, void *userdata)
{
	struct run_listing listing = { .fn = fn, .userdata = userdata };

	return index_each(dir->view->index, NULL, runs_dir_list_one, &listing);
}

/* Deletes: the run is in the trash then. */
int runs_dir_rmdir(const struct node *dir, const char *name, struct strbuf *ret_why)
{
	int r = trash_delete(dir->view->trash, name, ret_why);

	index_run_changed(dir->view->index, name);
	return r;
}

/* Restores a run of trash/. */
int runs_dir_take(const struct node *dir, const char *name, struct strbuf *ret_why)
{
	int r = trash_restore(dir->view->trash, name, ret_why);

	index_run_changed(dir->view->index, name);
	return r;
}
