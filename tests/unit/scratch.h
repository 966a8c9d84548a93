/*
 * A directory of one test's own, with files, programs and runs in it. Paths are relative
 * to it; its home is "home", made with the first run.
 */
#pragma once

#include <stdbool.h>

#include "engine/run.h"
#include "engine/store.h"

extern char scratch[]; /* its absolute path, without links */
extern int scratch_fd;

/* .init and .fini of a suite. */
void scratch_make(void);
void scratch_remove(void);

/* Each makes the directories above, and replaces what is there. */
void scratch_put(const char *path, const char *text);
void scratch_put_program(const char *path, const char *text); /* an executable file */
void scratch_put_link(const char *path, const char *target);
void scratch_make_dir(const char *path);

bool scratch_has(const char *path);
char *scratch_get(const char *path);  /* the content, or NULL; the caller frees */
char *scratch_path(const char *path); /* absolute; the caller frees */
void scratch_delete(const char *path);

/* The run @id of the home, of the script x.sh, and files of it. */
void scratch_put_run(const char *id);
void scratch_put_guild(const char *id, const char *name, const char *text);
void scratch_put_attr(const char *id, const char *name, const char *text);

/* The home and a run of it; they fail the test when there is none. */
struct store *scratch_store(void);
struct run *scratch_run(const char *id);
