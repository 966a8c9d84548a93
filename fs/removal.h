/*
 * What rmdir(2), unlink(2) and rename(2) do: delete a run, restore it, purge it, remove
 * `needed`. All else is refused.
 *
 * `rm -r` takes a directory apart before it removes it, and that is not what anybody
 * wants of a run: it must not lose `needed` and then find out that the rest stays. So who
 * has been refused one file of a run is refused its other files, and the run. In the
 * trash it is the other way round: there each removal says yes and does nothing, and the
 * last one, of the run's directory, purges it.
 */
#pragma once

#include <sys/types.h>

#include "fs/node.h"

/* Who was refused last, and of which run. */
struct removal {
	pid_t pid;
	char *run_id;
};

void removal_done(struct removal *removal);

/*
 * Each is the call of the process @pid. 0; -EPERM for what can't be; -EINVAL for @flags
 * of renameat2(2) that mean something else; -ENOENT; else what engine/trash.h says. With
 * a sentence, but where the errno says it all.
 */
int removal_unlink(struct removal *removal, pid_t pid, const struct node *dir,
		   const char *name, struct strbuf *ret_why);
int removal_rmdir(struct removal *removal, pid_t pid, const struct node *dir,
		  const char *name, struct strbuf *ret_why);
int removal_rename(const struct node *dir, const char *name, const struct node *new_dir,
		   const char *new_name, unsigned int flags, struct strbuf *ret_why);
