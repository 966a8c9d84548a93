/*
 * One name in the mount, and the table row that says what it does. A directory is a
 * table of rows, or makes its entries up (lookup and list); a new file is a handler and
 * a row.
 */
#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "engine/cleanup.h"
#include "engine/launch.h"
#include "engine/list.h"
#include "engine/strbuf.h"
#include "fs/view.h"

struct node;

/* Whom to tell when a commit that answered -EINPROGRESS is through. */
struct commit {
	launch_fn done;
	void *userdata;
	struct launch *launch; /* set by the handler */
	const struct operation
		*operation; /* as it was at open(2); NULL for a run's files */
};

/* How a file behaves that is no snapshot. */
enum node_kind {
	NODE_PLAIN,
	NODE_OUTPUT, /* grows while the run is alive; reading follows it */
	NODE_WAIT,   /* reading waits for the end of the run */
	NODE_TEXT,   /* is edited as any text file is (fs/draft.h) */
};

typedef void (*node_list_fn)(void *userdata, const char *name, mode_t mode);

struct node_type {
	const char *name; /* NULL for the row of what a look-up made up */
	mode_t mode;
	enum node_kind kind;

	/* A directory's fixed entries; ends with a row of no name. */
	const struct node_type *entries;

	/*
	 * A directory's other entries: the row and the keys for @name in @ret_child (see
	 * node_child()). 0, -ENOENT.
	 */
	int (*lookup)(const struct node *dir, const char *name, struct node *ret_child);
	int (*list)(const struct node *dir, node_list_fn fn, void *userdata);

	/*
	 * Is the entry there now? Without it, always. 0; -EINPROGRESS; or -errno: it is
	 * not, or, where file_is_lack(), that can't be seen now.
	 */
	int (*exists)(const struct node *node);
	/* For an entry that users create and remove, both; else that is EPERM. */
	int (*create)(const struct node *node);
	int (*remove)(const struct node *node);

	/*
	 * For a directory of runs: deletes the entry @name, and takes in a run that
	 * another such directory has. 0, or -errno with a sentence.
	 */
	int (*rmdir)(const struct node *dir, const char *name, struct strbuf *ret_why);
	int (*take)(const struct node *dir, const char *name, struct strbuf *ret_why);
	bool is_trash;

	/* Appends the target of a symbolic link. */
	int (*link)(const struct node *node, struct strbuf *ret_target);

	/* Appends the whole content; called once for each open(2), and for the size. */
	int (*read)(const struct node *node, struct strbuf *ret_text);
	/* For what is long: its size, without making the content. */
	int (*size)(const struct node *node, off_t *ret);
	/* The operation that a request is about, fixed at open(2). */
	int (*operation)(const struct node *node, struct operation **ret);
	/* Judges @text, all that was written so far; changes nothing. */
	int (*check)(const struct node *node, const struct operation *operation,
		     struct str text, struct strbuf *ret_why);
	/* Carries out the request; @ret_answer is what reading the file gives. */
	int (*commit)(const struct node *node, struct commit *commit, struct str text,
		      struct strbuf *ret_answer);

	/*
	 * Of what belongs to a run: it changes only when that starts, ends or goes. Then
	 * the kernel is told (fs/session-told.c), and need not ask each time before.
	 */
	bool told;

	/* The file under .guild/ whose times it has; NULL: those of .guild itself. */
	const char *backing;
	/* When the entry last changed; without it, by the backing. */
	int (*mtime)(const struct node *node, struct timespec *ret);
};

struct node {
	struct list link; /* of those that have lost their name to another */
	struct view *view;
	const struct node_type *type;
	char *path;    /* below the mount, "" for the root; what tells nodes apart */
	char *run_id;  /* of the run that it belongs to, or NULL */
	char *op_name; /* of the operation (under ops/, also a directory of scripts), or
			  NULL */
	bool trashed;  /* the run is a deleted one: nothing of it can be written */
	char *attempt; /* of the run: the number of an earlier start, or NULL */
	uint64_t ino;  /* a hash of the path: the same in each mount */
	size_t n_lookups; /* that the kernel has not forgotten */
};

struct node_table;

int node_table_new(struct view *view, const struct node_type *root,
		   struct node_table **ret);
void node_table_free(struct node_table *table);
DEFINE_CLEANUP(struct node_table, node_table_free);

struct node *node_root(struct node_table *table);

/*
 * -EINPROGRESS from any of these: it is being found out; ask again when told.
 *
 * The node @name of @dir, with a look-up more. 0, -ENOENT, -EINPROGRESS, or -errno.
 */
int node_lookup(struct node_table *table, const struct node *dir, const char *name,
		struct node **ret);
void node_forget(struct node_table *table, struct node *node, uint64_t n_lookups);

/* The node at @path below the mount, if the kernel knows it; without a look-up more. */
struct node *node_find(const struct node_table *table, const char *path);

/*
 * The run @name of @dir is in @new_dir now: who has it, or a file of it, goes on to have
 * that. 0 or -ENOMEM.
 */
int node_move(struct node_table *table, const struct node *dir, const char *name,
	      const struct node *new_dir);

/*
 * The directory @name of @dir has been removed: one that comes to have its name is
 * another. The kernel finds nothing any more in what it has removed, also when that is
 * looked up again, which it is not forgotten for as long as somebody is in it.
 */
void node_remove(struct node_table *table, const struct node *dir, const char *name);

/* Calls @fn for each entry of @dir. 0, -EINPROGRESS or -errno. */
int node_list(const struct node *dir, node_list_fn fn, void *userdata);

/* The inode number that the entry @name of @dir has. */
uint64_t node_entry_ino(const struct node *dir, const char *name);

/* For look-ups: fills @ret_child with copies of the keys. 0 or -ENOMEM. */
int node_child(struct node *ret_child, const struct node_type *type, const char *run_id,
	       const char *op_name);

/* The row of an entry that users may create; NULL for another name. */
const struct node_type *node_creatable(const struct node *dir, const char *name);

/*
 * Mode, size, owner and times. The size of a file is that of what a read would give.
 * 0; -ENOENT when it is gone; -EINPROGRESS; else -errno.
 */
int node_stat(const struct node *node, struct stat *ret);

/*
 * May the attributes be believed for a while? Those of what is always there, and of what
 * is told: of a directory always, of a file while the run has no marker of being alive.
 * Ask before node_stat(): a run that ends in between has been asked about once more.
 */
bool node_is_still(const struct node *node);

/*
 * The run that @node belongs to, or the earlier start of it. For who has a file of it, a
 * run that has been deleted or restored since is where it is now; a directory's name is
 * over then. 0, -ENOENT.
 */
int node_run(const struct node *node, struct run **ret);

/* What that is at this moment, as view_look() has it. 0, -ENOENT. */
int node_look(const struct node *node, struct run_moment *ret);

/*
 * Is it of a deleted run that has lost its ID to another? What is kept by ID (the
 * scalars) is of that then.
 */
bool node_is_shadowed(const struct node *node);

/* The permissions: those of the row, but nobody writes to a deleted run. */
mode_t node_mode(const struct node *node);

bool node_is_writable(const struct node *node);
