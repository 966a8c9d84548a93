/*
 * All runs of a home, and the few files that runfs keeps beside them.
 *
 *   HOME/runs/ID/             the runs, as Guild has them
 *   HOME/cache/runfs/new/ID/  runs that are being made; garbage when nobody holds its
 * lock HOME/runfs/needed/HASH/OP what `needed` of an operation holds, for each project
 *
 * Those that have been deleted are engine/trash.h's.
 */
#pragma once

#include <stdbool.h>

#include "engine/cleanup.h"
#include "engine/run.h"
#include "engine/strbuf.h"

struct store;

/* Opens the home at @path, which must exist. 0 or -errno. */
int store_open(const char *path, struct store **ret);
void store_free(struct store *store);
DEFINE_CLEANUP(struct store, store_free);

const char *store_path(const struct store *store); /* absolute, without links */
int store_fd(const struct store *store);

/* The directory runs/, which may come into being later: a descriptor of the store, or
 * -errno. */
int store_runs_fd(struct store *store);

/* How often runs/ has turned out to be another directory than before, or to be gone. */
unsigned int store_n_changes(struct store *store);

int store_find(struct store *store, const char *id, struct run **ret); /* as run_open() */

/*
 * Is @run still what runs/ has by its ID? Who has locked it asks: it may have been moved.
 * 0, -ENOENT or -errno.
 */
int store_has(struct store *store, const struct run *run);

/* Makes an ID that no run has: 32 hex digits, NUL-terminated, as Guild's (1.3). 0 or
 * -errno. */
#define STORE_ID_LEN 32
int store_new_id(char ret_id[STORE_ID_LEN + 1]);

/* Appends the absolute path of the run @id. 0 or -ENOMEM. */
int store_run_path(const struct store *store, const char *id, struct strbuf *ret);

/*
 * What `needed` of the operation @op_name of @project holds: statuses as run_needed().
 * 0, -ENOENT when it is not set; else -errno.
 */
int store_op_needed(const struct store *store, const char *project, const char *op_name,
		    unsigned int *ret_statuses);
int store_set_op_needed(const struct store *store, const char *project,
			const char *op_name, unsigned int statuses);
int store_remove_op_needed(const struct store *store, const char *project,
			   const char *op_name);

/*
 * Removes what somebody has left who died: runs in the making, temporary files. Errors
 * are of no consequence.
 */
void store_clean(struct store *store);
