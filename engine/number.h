/*
 * Numbers as text, the way Python and YAML 1.1 read and print them, whatever the
 * locale: integers of any size as decimal digits, floats by their shortest form that
 * reads back as the same number.
 */
#pragma once

#include "engine/strbuf.h"

/*
 * Of integers that are written in another base than ten, and have to be converted. (In
 * base ten they may be of any length: Python, which refuses them from here on, would make
 * them the float inf, and the digits be lost.)
 */
#define NUMBER_MAX_DIGITS 4300

/*
 * Each returns 0, -EINVAL when @text is no such number, or -ENOMEM. Integers are
 * appended as decimal digits without leading zeros, with '-' before them if negative.
 */
int number_parse_int(struct str text, struct strbuf *ret);	/* Python's int() */
int number_parse_float(struct str text, double *ret);		/* Python's float() */
int number_parse_yaml_int(struct str text, struct strbuf *ret); /* 0x1f, 017, 1:30 */
int number_parse_yaml_float(struct str text, double *ret);	/* .inf, 1:30.5 */

/* Appends Python's repr(): "0.1", "1e-05", "1e+16", "inf". 0 or -ENOMEM. */
int number_format_float(double real, struct strbuf *ret);

/* Python's round(@real, 8). */
int number_round8(double real, double *ret);

/* -1, 0 or 1; the integers as number_parse_int() gives them, @real not nan. */
int number_compare_ints(struct str a, struct str b);
int number_compare_int_float(struct str integer, double real);
