/*
 * What people say of a run, as text that they edit and as Guild's attributes: its label,
 * its tags, and comments on it (sections 6.4, 6.5 and 6.7 of guild-behaviour.md).
 */
#pragma once

#include "engine/run.h"
#include "engine/strbuf.h"

#define METADATA_MAX_LEN (1u << 20)

enum metadata {
	METADATA_LABEL,	  /* one line; an empty one is none */
	METADATA_TAGS,	  /* words; those that begin with + and - add and remove */
	METADATA_COMMENT, /* any text: the bodies of all comments, one after the other */
};

/* The attribute that holds it. */
const char *metadata_attr(enum metadata which);

/* Appends the text. 0, also where there is none; -EBADMSG for what is no YAML. */
int metadata_read(const struct run *run, enum metadata which, struct strbuf *ret);

/*
 * Judges @text; without @complete its end may still be missing. 0; -EINVAL for what is no
 * UTF-8 text, a label of two lines, or a tag without a name; -EFBIG for what is longer
 * than METADATA_MAX_LEN; with a sentence.
 */
int metadata_check(enum metadata which, struct str text, bool complete,
		   struct strbuf *ret_why);

/*
 * Appends the attribute that @text makes of the run's present one: the whole document,
 * nothing when there is to be none. 1; 0 when nothing changes; else as metadata_check()
 * and metadata_read() say. Hold the transition lock until it is written.
 *
 * Tags are sorted, as Guild has them. A comment is kept, with its author and time, when
 * the text before or after what has changed still has it; what has changed is one new
 * comment, ours and of now.
 */
int metadata_make(const struct run *run, enum metadata which, struct str text,
		  struct strbuf *ret_attr, struct strbuf *ret_why);
