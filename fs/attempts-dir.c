/* runs/ID/attempts/: the starts of a run before the last, by their numbers. */
#include <errno.h>
#include <string.h>

#include "engine/attempts.h"
#include "fs/dirs.h"

int attempts_dir_lookup(const struct node *dir, const char *name, struct node *ret_child)
{
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_(run_freep) struct run *attempt = NULL;
	int r = node_run(dir, &run);

	if (r == 0)
		r = run_open_attempt(run, name, &attempt);
	if (r < 0)
		return r;
	ret_child->attempt = strdup(name);
	if (!ret_child->attempt)
		return -ENOMEM;
	return node_child(ret_child, &attempt_type, dir->run_id, NULL);
}

/* Whom to tell of each attempt. */
struct listing {
	node_list_fn fn;
	void *userdata;
};

static void list_one(void *userdata, const char *number)
{
	const struct listing *listing = userdata;

	listing->fn(listing->userdata, number, S_IFDIR | 0755);
}

int attempts_dir_list(const struct node *dir, node_list_fn fn, void *userdata)
{
	struct listing listing = { .fn = fn, .userdata = userdata };
	_cleanup_(run_freep) struct run *run = NULL;
	int r = node_run(dir, &run);

	return r < 0 ? r : attempts_each(run_guild_fd(run), list_one, &listing);
}
