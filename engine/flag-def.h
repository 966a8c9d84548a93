/*
 * The definition of one flag: its type, its default, and which values it takes. Format:
 * the attributes of a flag in guild.yml (section 5.2 of guild-behaviour.md); rules for
 * values: sections 3.3 and 3.4.
 */
#pragma once

#include <stdbool.h>

#include "engine/flags.h"
#include "engine/value.h"

enum flag_type {
	FLAG_AUTO, /* what the text looks like */
	FLAG_STRING,
	FLAG_INT,
	FLAG_FLOAT,
	FLAG_NUMBER,
	FLAG_BOOLEAN,
	FLAG_PATH,
	FLAG_EXISTING_PATH,
};

struct flag_choice {
	struct value value;
	char *alias;	    /* or NULL */
	char *description;  /* or NULL */
	struct flags flags; /* what it sets where the user does not */
};

struct flag_def {
	char *name;
	char *alias;	   /* another name for it, or NULL */
	char *description; /* or NULL */
	enum flag_type type;
	struct value default_value; /* null when it has none */
	bool required;
	bool allow_other; /* values that are none of the choices */
	struct flag_choice *choices;
	size_t n_choices;
	struct value min, max; /* null: no limit */
	struct value
		source; /* the attributes as they were given; null when there were none */
};

#define FLAG_DEF_INIT ((struct flag_def){ 0 })

void flag_def_done(struct flag_def *flag_def);

/*
 * Reads the definition of @name: a map of attributes, or the default itself. Attributes
 * that are none of ours are kept in @source only, as Guild does. 0; -EINVAL with a
 * sentence for a mistake; -ENOMEM.
 */
int flag_def_read(struct str name, const struct value *body, struct flag_def *ret,
		  struct strbuf *ret_why);

/* Is it the name of a type, or `auto`? */
bool flag_type_is_known(struct str name);

const char *flag_type_name(enum flag_type type); /* NULL for FLAG_AUTO */

/*
 * Decodes what a user wrote for the flag and makes it its type: paths absolute, seen from
 * the directory @dir. 0; -EINVAL with a sentence for a text that is nothing of the type
 * (or, for existing-path, is not there); -ENOMEM.
 */
int flag_def_decode(const struct flag_def *flag_def, struct str text, const char *dir,
		    struct value *ret, struct strbuf *ret_why);

/* Makes @value, a default say, the flag's type; @value is its result. As above. */
int flag_def_coerce(const struct flag_def *flag_def, const char *dir, struct value *value,
		    struct strbuf *ret_why);

/*
 * Is @value among the choices and within the limits? 0; -EINVAL or (outside of min and
 * max) -ERANGE with Guild's sentence and what would be right.
 */
int flag_def_check(const struct flag_def *flag_def, const struct value *value,
		   struct strbuf *ret_why);

/* The choice that @value is, by its value or its alias; NULL for none. */
const struct flag_choice *flag_def_choice(const struct flag_def *flag_def,
					  const struct value *value);
