/*
 * INI files as values, in the dialect of Python's configparser, and typed as Guild types
 * them: a map of sections, DEFAULT among them, each a map of options. 0x10 and what else
 * is no decimal number, and none of yes, no, on, off, true and false, is a string.
 */
#pragma once

#include "engine/strbuf.h"
#include "engine/value.h"

#define INI_DEFAULT	   "DEFAULT"
#define INI_MAX_REFERENCES 1000 /* %(name)s in all */

/*
 * Reads a file. 0; -EBADMSG for a mistake, with a sentence that begins with "line N: "
 * where it has a line; -ENOMEM.
 */
int ini_parse(struct str text, struct value *ret, struct strbuf *ret_why);

/*
 * Appends a file of such a map: DEFAULT first, then all by name, values as Python's str()
 * gives them. 0 or -ENOMEM.
 */
int ini_format(const struct value *sections, struct strbuf *ret);
