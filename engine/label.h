/*
 * A run's label: what its operation's template makes of its flags, or name=value of each.
 * Source: section 6.4 of guild-behaviour.md.
 */
#pragma once

#include "engine/flags.h"

/*
 * Appends the label. In @template, ${NAME} is the value of a flag, ${default_label} is
 * name=value of each; ${NAME|FILTER|...} goes through %FORMAT (as printf), default:TEXT,
 * basename, unquote. What is no flag, or null, is nothing; an unknown filter is #error#.
 * NULL or empty: the default label. 0 or -ENOMEM.
 */
int label_format(const char *template, const struct flags *flags, struct strbuf *ret);
