/*
 * A model of guild.yml made whole: with what it extends, its parameters in place, its
 * operations with the defaults of all (section 5.2 of guild-behaviour.md).
 */
#pragma once

#include "engine/guild-doc.h"

struct guild_model {
	const struct guild_item *item; /* borrowed */
	struct value data;
	char *problem; /* a sentence: why none of its operations can be run; or NULL */
};

#define GUILD_MODEL_INIT ((struct guild_model){ 0 })

void guild_model_done(struct guild_model *model);

/* 0 or -ENOMEM. */
int guild_model_make(const struct guild_doc *doc, const struct guild_item *item,
		     struct guild_model *ret);

/*
 * The map @given, a `flags:` say, with what its $include names in the @section of models,
 * configurations and operations: CONFIG, MODEL:OP, OP of the same model, each with #NAME,
 * NAME for some of it. What @given says itself goes before. 0; -EINVAL with a sentence;
 * -ENOMEM.
 */
int guild_model_include(const struct guild_doc *doc, const struct guild_model *model,
			const char *section, const struct value *given, struct value *ret,
			struct strbuf *ret_why);

/* Where guild.yml has the operation; all borrowed. */
struct guild_op_place {
	const char *project;
	const char *version; /* of guild.yml */
	const struct guild_doc *doc;
	const struct guild_model *model;
	struct str name;
	const struct value *body;
};

/* What a `main` runs; all but the path may be NULL. */
struct guildfile_main {
	char *path;    /* of its script, absolute; NULL: there is no main */
	char *package; /* that it is in, as `a` for the module a.b */
	char *dest;    /* what `flags-dest` says */
	char **args;   /* that come before the flags */
	bool no_flags; /* `flags-import` wants none */
};

#define GUILDFILE_MAIN_INIT ((struct guildfile_main){ 0 })

void guildfile_main_done(struct guildfile_main *main);

/*
 * What Python says of the script of a `main`: how it takes its flags, and a map of them
 * with the attributes of guild.yml. Both borrowed.
 */
struct guildfile_script {
	struct str flags_dest;
	const struct value *flags; /* NULL: none */
};
