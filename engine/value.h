/*
 * One typed value, as YAML 1.1 and Guild's flags have them. A value says nothing about
 * text: engine/yaml reads and writes documents, engine/value-text what a user types.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/strbuf.h"

enum value_type {
	VALUE_NULL, /* a zeroed struct value is null */
	VALUE_BOOL,
	VALUE_INT,
	VALUE_FLOAT,
	VALUE_STRING,
	VALUE_DATE, /* a date or a date and time */
	VALUE_LIST,
	VALUE_MAP,
};

struct value_pair;

struct value {
	enum value_type type;
	unsigned int line; /* where a document has it, from 1; 0 when it has no place */
	union {
		bool boolean;
		double real;
		/*
		 * INT: decimal digits of any length, '-' before them, no leading zeros.
		 * STRING: UTF-8, may hold NUL. DATE: as Python's isoformat(' ') prints
		 * it. NUL-terminated in each case; owned by the value.
		 */
		struct {
			char *data;
			size_t len;
		} text;
		struct {
			struct value *items;
			size_t n_items;
		} list;
		/* In the order of the document; no two equal keys, all scalars. */
		struct {
			struct value_pair *pairs;
			size_t n_pairs;
			/* Where keys of a large map are, by their hash; made by a
			 * look-up. */
			uint32_t *places;
			size_t n_places, n_placed;
		} map;
	};
};

struct value_pair {
	struct value key;
	struct value value;
};

#define VALUE_INIT ((struct value){ 0 })

void value_done(struct value *value);			      /* null again */
int value_copy(const struct value *value, struct value *ret); /* 0 or -ENOMEM */

/* About how many bytes @value takes, and how many lists and maps deep it is. */
size_t value_cost(const struct value *value, size_t *ret_depth);

/* Each makes @ret a value of its own; 0 or -ENOMEM. @ret's old content is not freed. */
int value_string(struct value *ret, struct str text);
int value_int(struct value *ret, int64_t number);
void value_bool(struct value *ret, bool boolean);
void value_float(struct value *ret, double real);

/*
 * Adds to a list or a map (or to a null value, which becomes one) and takes @item over,
 * also on failure: it is null afterwards. 0 or -ENOMEM.
 */
int value_append(struct value *list, struct value *item);
int value_put(struct value *map, struct str key, struct value *item); /* replaces */

/*
 * For maps of any size and keys of any type: adds a pair as it is, taking both over,
 * and at the end drops the double keys, of which the last value wins in the first
 * place. 0 or -ENOMEM.
 */
int value_add_pair(struct value *map, struct value *key, struct value *item);
int value_drop_double_keys(struct value *map);

/*
 * Looking into what a document may or may not have: each takes NULL for a value too.
 * What the string key @key leads to in @map; NULL when absent or @map is no map.
 */
const struct value *value_get(const struct value *map, const char *key);

/*
 * Python's ==, but for booleans, which equal only booleans: ints equal floats of the
 * same number, exactly; nan equals nothing; maps are equal in any order. False also when
 * there is no memory to compare maps.
 */
bool value_equal(const struct value *a, const struct value *b);

/* Equal values have the same digest, and others hardly ever. */
uint64_t value_digest(const struct value *value);

/*
 * The same types and the same content down to the sign of a zero; nan is identical to
 * nan, and maps are in any order.
 */
bool value_identical(const struct value *a, const struct value *b);

/*
 * The pairs of @map as Python's sorted() puts them: by key, or in the order of the
 * document when the keys can't be compared with each other (1 with 'a'). The caller
 * frees the array, which an empty map has too; NULL for no memory.
 */
const struct value_pair **value_sorted_pairs(const struct value *map);

/* For a whole number that fits: true and the number. */
bool value_get_int(const struct value *value, int64_t *ret);

/* The text of a string; an empty view for another type. */
struct str value_str(const struct value *value);
bool value_is_string(const struct value *value, const char *text);

/* Is it what Python takes for false: null, no, 0, or empty? */
bool value_is_false(const struct value *value);
