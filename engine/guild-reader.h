/*
 * An operation of guild.yml while it is read; what the files that read parts of it share.
 */
#pragma once

#include "engine/definition.h"
#include "engine/guild-model.h"

struct guild_reader {
	const struct guild_op_place *place;
	const struct guildfile_script *script; /* NULL: not known */
	struct operation *operation;
	struct definition definition;
	struct guildfile_main main; /* what it runs, where it is a `main` */
	struct value config; /* the flags of the file that `flags-dest: config:` names */
	struct value flags;  /* `flags:` with what it includes */
	struct strbuf problem; /* the first mistake, which keeps it from running */
	struct strbuf remarks; /* lines of help */
};

/* Notes the first mistake, with the line of @where. */
void guild_reader_note(struct guild_reader *reader, const struct value *where,
		       const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Reads `sourcecode:` of the operation, and of its model. 0 or -ENOMEM. */
int guild_reader_source(struct guild_reader *reader);

/* Reads `flags:`, and what is imported from the script. 0 or -ENOMEM. */
int guild_reader_flags(struct guild_reader *reader);

/* Does `flags-import` want any flag of the script? */
bool guild_reader_imports(const struct guild_reader *reader);

/*
 * Reads the key @name of the operation, any but main, exec, sourcecode and those of
 * flags. 0 or -ENOMEM.
 */
int guild_reader_key(struct guild_reader *reader, const struct value *name,
		     const struct value *value);
