/* What removing and renaming do. */
#include "fs/removal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void removal_done(struct removal *removal)
{
	free(removal->run_id);
	*removal = (struct removal){ 0 };
}

static bool was_refused(const struct removal *removal, pid_t pid, const char *run_id)
{
	return removal->pid == pid && removal->run_id && run_id &&
	       strcmp(removal->run_id, run_id) == 0;
}

/* Refuses @pid something of the run @run_id (NULL: of none), and keeps that in mind. */
static int refuse(struct removal *removal, pid_t pid, const char *run_id,
		  struct strbuf *ret_why)
{
	bool again = was_refused(removal, pid, run_id);

	if (!run_id || again)
		return -EPERM;
	free(removal->run_id);
	removal->run_id = strdup(run_id);
	removal->pid = pid;
	strbuf_addf(ret_why,
		    "the files of a run can't be removed: rmdir runs/%s moves the run to"
		    " trash/, and rmdir trash/%s deletes it for good",
		    run_id, run_id);
	return -EPERM;
}

int removal_unlink(struct removal *removal, pid_t pid, const struct node *dir,
		   const char *name, struct strbuf *ret_why)
{
	const struct node_type *type = node_creatable(dir, name);
	struct node child = { .view = dir->view,
			      .type = type,
			      .run_id = dir->run_id,
			      .op_name = dir->op_name };

	if (dir->trashed)
		return 0;
	if (!type || was_refused(removal, pid, dir->run_id))
		return refuse(removal, pid, dir->run_id, ret_why);
	return type->remove(&child);
}

int removal_rmdir(struct removal *removal, pid_t pid, const struct node *dir,
		  const char *name, struct strbuf *ret_why)
{
	if (dir->trashed)
		return 0;
	if (!dir->type->rmdir)
		return refuse(removal, pid, dir->run_id, ret_why);
	if (!dir->type->is_trash && was_refused(removal, pid, name))
		return -EPERM;
	return dir->type->rmdir(dir, name, ret_why);
}

int removal_rename(const struct node *dir, const char *name, const struct node *new_dir,
		   const char *new_name, unsigned int flags, struct strbuf *ret_why)
{
	if (flags & ~(unsigned int)RENAME_NOREPLACE)
		return -EINVAL;
	if (!dir->type->rmdir || !new_dir->type->take || dir->type == new_dir->type)
		return -EPERM;
	if (strcmp(name, new_name) != 0) {
		strbuf_addf(ret_why, "the run %s keeps its name: mv it into %s/", name,
			    new_dir->path);
		return -EPERM;
	}
	return new_dir->type->take(new_dir, name, ret_why);
}
