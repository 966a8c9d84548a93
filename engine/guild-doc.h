/*
 * guild.yml and the files that it includes, as one list of items: models, configurations
 * and packages. Its short form, a map of operations, is a model without a name. Format:
 * section 5.2 of guild-behaviour.md.
 *
 * A mistake is no reason to show nothing: what can be made out is there, and @mistake
 * says why none of it is to be relied on.
 */
#pragma once

#include "engine/strbuf.h"
#include "engine/value.h"

struct guild_item {
	char *kind; /* model, config, package or test */
	char *name;
	char *file; /* as messages call it: the path seen from the project */
	struct value data;
};

struct guild_doc {
	struct guild_item *items;
	size_t n_items;
	char *mistake;	      /* "guild.yml: line N: ...", or NULL */
	unsigned int n_files; /* that have been read */
};

#define GUILD_DOC_INIT ((struct guild_doc){ 0 })

void guild_doc_done(struct guild_doc *doc);

/*
 * Reads @text, guild.yml of the directory @dir_fd, and what it includes from there. 0
 * also when there is a mistake; -ENOMEM.
 */
int guild_doc_read(int dir_fd, struct str text, struct guild_doc *ret);

/* The model or configuration @name; NULL for none. */
const struct guild_item *guild_doc_find(const struct guild_doc *doc, struct str name);
