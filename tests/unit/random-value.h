/*
 * Random values for property tests, the same for the same seed: strings made of what
 * means something in YAML, floats of all sizes, nested lists and maps.
 */
#pragma once

#include <stdint.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/value.h"
#include "engine/yaml.h"

struct random {
	uint64_t state; /* not 0 */
};

static inline uint64_t random_bits(struct random *random)
{
	/* xorshift64*, S. Vigna 2014 */
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return random->state * 2685821657736338717u;
}

static inline size_t random_below(struct random *random, size_t n)
{
	return (size_t)(random_bits(random) >> 32) % n;
}

#define RANDOM_OF(random, array)                                                         \
	((array)[random_below(random, sizeof(array) / sizeof((array)[0]))])

static inline int random_string(struct random *random, struct value *ret)
{
	static const struct str pieces[] = {
		STR("a"),
		STR("b c"),
		STR("1"),
		STR("1e3"),
		STR("-.5"),
		STR("-"),
		STR(": "),
		STR(":"),
		STR(" #"),
		STR("it's"),
		STR("\""),
		STR("'"),
		STR("["),
		STR("]"),
		STR("{"),
		STR("}"),
		STR(","),
		STR("?"),
		STR("\n"),
		STR(" "),
		STR("\t"),
		STR("\0"),
		STR("\\"),
		STR("\r"),
		STR("\x1b"),
		STR("!!int "),
		STR("&a"),
		STR("*a"),
		STR("|"),
		STR(">"),
		STR("%"),
		STR("@"),
		STR("`"),
		STR("yes"),
		STR("null"),
		STR("~"),
		STR("0x1f"),
		STR("1:30"),
		STR("1_0"),
		STR("="),
		STR("<<"),
		STR("y"),
		STR("\u00e9"),
		STR("\u65e5"),
		STR("\U0001f600"),
		STR("\u2028"),
		STR("\xc2\x85"),
		STR("\ufeff"),
		STR("[1:2]"),
		STR("2020-01-01"),
		STR("nan"),
		STR("---"),
		STR("..."),
		STR("range[1:3]"),
		STR("some longer words that fill a line of the page"),
	};
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	size_t n = random_below(random, random_below(random, 8) == 0 ? 30 : 5);

	for (size_t i = 0; i < n; i++)
		strbuf_addstr(&text, RANDOM_OF(random, pieces));
	return value_string(ret, strbuf_str(&text));
}

static inline double random_float(struct random *random)
{
	static const char *const specials[] = { "0.0",	"-0.0", "nan",	 "inf",
						"-inf", "1e16", "1e-05", "5e-324" };
	uint64_t bits = random_bits(random);
	double real;

	if (random_below(random, 3) == 0)
		return strtod(RANDOM_OF(random, specials), NULL);
	memcpy(&real, &bits, sizeof(real));
	return random_below(random, 2) ? real : (double)(int64_t)bits / 1e6;
}

/* Dates and integers beyond 64 bits come out of documents. */
static inline int random_document(struct random *random, struct value *ret)
{
	static const char *const documents[] = {
		"2020-01-01",
		"2020-01-01 10:00:00",
		"0001-12-31T23:59:59.000001Z",
		"2020-02-29 1:02:03 -05:30",
		"123456789012345678901234567890",
		"-99999999999999999999",
	};
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	return yaml_parse(str_from(RANDOM_OF(random, documents)), ret, &why);
}

static inline int random_scalar(struct random *random, struct value *ret)
{
	switch (random_below(random, 10)) {
	case 0:
		*ret = VALUE_INIT;
		return 0;
	case 1:
		value_bool(ret, random_below(random, 2));
		return 0;
	case 2:
		return value_int(ret, (int64_t)random_bits(random) >>
					      random_below(random, 64));
	case 3:
	case 4:
		value_float(ret, random_float(random));
		return 0;
	case 5:
		return random_document(random, ret);
	default:
		return random_string(random, ret);
	}
}

/* @depth limits how far lists and maps nest. 0 or -errno. */
static inline int random_value(struct random *random, size_t depth, struct value *ret)
{
	size_t n = random_below(random, 4);
	bool is_map = random_below(random, 2);
	int r = 0;

	if (depth == 0 || random_below(random, 2) == 0)
		return random_scalar(random, ret);

	*ret = (struct value){ .type = is_map ? VALUE_MAP : VALUE_LIST };
	for (size_t i = 0; r == 0 && i < n; i++) {
		_cleanup_(value_done) struct value key = VALUE_INIT;
		_cleanup_(value_done) struct value item = VALUE_INIT;

		r = random_value(random, depth - 1, &item);
		if (r == 0 && !is_map) {
			r = value_append(ret, &item);
			continue;
		}
		if (r == 0)
			r = random_scalar(random, &key);
		if (r == 0)
			r = value_add_pair(ret, &key, &item);
	}
	return r < 0 ? r : value_drop_double_keys(ret);
}
