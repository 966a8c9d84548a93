/*
 * A flag's value as the text that users type and programs get: Guild's decoder and its
 * three encoders. Source: sections 3.2 and 3.6 of guild-behaviour.md, and
 * tests/fixtures/flag-values.jsonl, whose rows all hold here.
 */
#pragma once

#include "engine/strbuf.h"
#include "engine/value.h"

#define VALUE_TEXT_MAX_LEN   ((1u << 20) - 1) /* bytes; 1 MiB is too much */
#define VALUE_TEXT_MAX_DEPTH 1000	      /* brackets inside brackets */
#define VALUE_TEXT_MAX_ITEMS 1000000	      /* what range[...] may expand to */
#define VALUE_TEXT_MAX_COST  (64u << 20)      /* value_cost() of [...]*N */

/*
 * Decodes the text of a value ("10", "1e-3", "[1, 2]", "'a b'"). What is no valid YAML
 * is a string, as for Guild. 0; -EINVAL with a sentence for text that is no UTF-8 or has
 * a NUL, or that is too long, too deep or expands to too much; -ENOMEM.
 */
int value_decode(struct str text, struct value *ret, struct strbuf *ret_why);

/* Guild's encode_flag_val, the text of labels and previews before shortening: yes,
 * null, 1.0e-05. */
int value_encode_flag(const struct value *value, struct strbuf *ret);

/*
 * What the file `flags` shows: value_encode_flag() where a request gives an equal value
 * of the same type for it, else the value quoted. One line; a word of a request.
 */
int value_encode_request(const struct value *value, struct strbuf *ret);

/*
 * argv for flags-dest args, FLAG_* variables and ${name} in exec (op_cmd.py): true is
 * 1; false and null are empty; list items are shell-joined, or joined by @split if not
 * NULL. Maps are Python's repr().
 */
int value_encode_arg(const struct value *value, const char *split, struct strbuf *ret);

/* A default label's text of one flag's value: floats cut to 5 decimals, blanks quoted
 * (3.6). */
int value_encode_label(const struct value *value, struct strbuf *ret);

/* Python's repr(): True, None, 'it\'s', 1e-05, datetime.date(2020, 1, 1), [..], {..}. */
int value_encode_python(const struct value *value, struct strbuf *ret);
