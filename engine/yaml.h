/*
 * YAML documents as values, typed and written as Guild's PyYAML does it.
 * Source: section 1.7 of guild-behaviour.md, restated where a rule is kept: types in
 * yaml-resolve.c, styles in yaml-write.c, folding in yaml-page.c.
 */
#pragma once

#include "engine/strbuf.h"
#include "engine/value.h"

/* Above this a document is refused, whatever it means: no attribute comes near. */
#define YAML_MAX_LEN   (16u << 20)
#define YAML_MAX_DEPTH 1000

/*
 * Reads one document: PyYAML safe_load with Guild's wider rule for floats. An empty
 * text is null. Anchors, aliases and merge keys are understood; bytes, sets and ordered
 * maps are not. Tabs may separate, where PyYAML wants blanks. 0; -EBADMSG for what is
 * no such document, with a sentence that begins "line N: "; -E2BIG when it is too deep
 * or its aliases expand to more than a few times its text; -ENOMEM. Only on 0 is @ret
 * set; the caller gives it to value_done().
 */
int yaml_parse(struct str text, struct value *ret, struct strbuf *ret_why);

/*
 * Appends @value as Guild writes an attribute: safe_dump in block style with sorted
 * keys, the "strict" quoting of y and n, width 80, one newline at the end. 0 or -errno.
 */
int yaml_format(const struct value *value, struct strbuf *ret);

/*
 * Appends @value as guild.op_main decodes it from argv (encode_flag_val for globals;
 * argv_globals in the value table): safe_dump in flow style, without a newline at the
 * end. Long values are folded. 0 or -errno.
 */
int yaml_format_inline(const struct value *value, struct strbuf *ret);

enum yaml_quoting {
	YAML_QUOTE_NEEDED, /* strings that would be something else, or need escapes */
	YAML_QUOTE_ALL,	   /* all strings, with escapes for whatever means something */
};

/* Appends @value in flow style on one line, however long. 0 or -errno. */
int yaml_format_line(const struct value *value, enum yaml_quoting quoting,
		     struct strbuf *ret);
