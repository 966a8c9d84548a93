/* JSON documents as values, read and written as Python's module json does it. */
#pragma once

#include "engine/strbuf.h"
#include "engine/value.h"

#define JSON_VALUE_MAX_DEPTH 1000

/*
 * Reads one document. 0; -EBADMSG for what is none, with a sentence that begins
 * "line N: "; -E2BIG when it is too deep; -ENOMEM. Integers beyond 64 bits are refused.
 */
int json_value_parse(struct str text, struct value *ret, struct strbuf *ret_why);

/*
 * Appends @value on one line, with sorted keys, all in ASCII: json.dumps(sort_keys=True).
 * A date is a string. 0 or -errno.
 */
int json_value_format(const struct value *value, struct strbuf *ret);
