/*
 * A directory's operations: those of its guild.yml, its Python scripts and its other
 * executable files. Each look reads what is there now; what Python had to say of a
 * script is kept until the script changes.
 */
#pragma once

#include "engine/cleanup.h"
#include "engine/loop.h"
#include "engine/operation.h"
#include "engine/python.h"
#include "engine/strv.h"

struct project;

/* Called when an operation that was not known yet (-EINPROGRESS) is. */
typedef void (*project_fn)(void *userdata);

/* @path: an absolute directory, or NULL for no project. 0 or -errno. */
int project_new(struct python *python, const char *path, project_fn fn, void *userdata,
		struct project **ret);
void project_free(struct project *project);
DEFINE_CLEANUP(struct project, project_free);

const char *project_path(const struct project *project); /* NULL when there is none */

/*
 * The names of the operations of guild.yml and of the scripts in the directory @dir of
 * the project ("" for its top), sorted; below the top also the directories in it. A
 * project or guild.yml that can't be read has none. 0, or the -errno of what we lack.
 */
int project_list(struct project *project, const char *dir, char ***ret);

/*
 * What is wrong with guild.yml as a whole, with its line; NULL for nothing. No operation
 * of the project can be run then, for guild.yml might say with what. Borrowed until the
 * next call.
 */
const char *project_mistake(struct project *project);

/* What a path under ops/ is; or the -errno of what we lack to see it. */
enum project_place {
	PROJECT_NOTHING,
	PROJECT_OPERATION,
	PROJECT_DIRECTORY,
};
int project_look(struct project *project, const char *name);

/*
 * The operation @name: a reference for the caller. 0; -ENOENT when there is none; -errno;
 * -EINPROGRESS while Python is asked about it: project_fn will be called, ask again then.
 * One that can't be run has its `problem` set.
 */
int project_operation(struct project *project, const char *name, struct operation **ret);
