/*
 * A project's guild.yml: the operations that it defines, by their names.
 */
#pragma once

#include <stdbool.h>

#include "engine/cleanup.h"
#include "engine/guild-op.h"
#include "engine/strv.h"

struct guildfile;

/*
 * Reads guild.yml of the directory @project, and what it includes. 0 also when there is a
 * mistake in it, or it can't be read: then none of its operations can be run, and each
 * says why. -ENOENT when there is none, else -errno.
 */
int guildfile_load(const char *project, struct guildfile **ret);
void guildfile_free(struct guildfile *guildfile);
DEFINE_CLEANUP(struct guildfile, guildfile_free);

/* The file, the line and the mistake; NULL when there is none. */
const char *guildfile_mistake(const struct guildfile *guildfile);

/* Is there more than guild.yml itself? */
bool guildfile_has_includes(const struct guildfile *guildfile);

/* Appends the names of its operations, OP or MODEL:OP, if a file can have them, sorted.
 */
int guildfile_names(const struct guildfile *guildfile, char ***names);
bool guildfile_has(const struct guildfile *guildfile, const char *name);

/*
 * The operation @name. 0, -ENOENT, -ENOMEM. For a `main`, what it runs is put in
 * @ret_main: call again with what Python says of it.
 */
int guildfile_operation(const struct guildfile *guildfile, const char *name,
			const struct guildfile_script *script, struct operation **ret,
			struct guildfile_main *ret_main);
