/* The order of values as a map's keys, and when two values are equal. */
#include "engine/value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/date.h"
#include "engine/number.h"

static struct str text_of(const struct value *value)
{
	return (struct str){ value->text.data, value->text.len };
}

/* What a key can be compared with in Python: others of its class. */
enum key_class {
	KEY_NULL,
	KEY_NUMBER, /* True is 1 there */
	KEY_STRING,
	KEY_DATE, /* and two more, by date_kind() */
	KEY_CONTAINER = KEY_DATE + 3,
};

static struct date date_of(const struct value *value)
{
	struct date date = { 0 };

	(void)date_parse(text_of(value), &date);
	return date;
}

static int key_class(const struct value *key)
{
	struct date date;

	switch (key->type) {
	case VALUE_NULL:
		return KEY_NULL;
	case VALUE_BOOL:
	case VALUE_INT:
	case VALUE_FLOAT:
		return KEY_NUMBER;
	case VALUE_STRING:
		return KEY_STRING;
	case VALUE_DATE:
		date = date_of(key);
		return KEY_DATE + date_kind(&date);
	case VALUE_LIST:
	case VALUE_MAP:
		break;
	}
	return KEY_CONTAINER;
}

static int compare_floats(double a, double b)
{
	if (isnan(a) || isnan(b))
		return (isnan(a) != 0) - (isnan(b) != 0);
	return (a > b) - (a < b);
}

/* An order of all numbers; nan comes last. */
static int compare_numbers(const struct value *a, const struct value *b)
{
	static const struct value bits[] = {
		{ .type = VALUE_FLOAT, .real = 0 },
		{ .type = VALUE_FLOAT, .real = 1 },
	};

	if (a->type == VALUE_BOOL)
		a = &bits[a->boolean];
	if (b->type == VALUE_BOOL)
		b = &bits[b->boolean];
	if (a->type == VALUE_INT && b->type == VALUE_INT)
		return number_compare_ints(text_of(a), text_of(b));
	if (a->type == VALUE_FLOAT && b->type == VALUE_FLOAT)
		return compare_floats(a->real, b->real);
	if (a->type == VALUE_FLOAT)
		return -compare_numbers(b, a);
	return isnan(b->real) ? -1 : number_compare_int_float(text_of(a), b->real);
}

static int compare_texts(struct str a, struct str b)
{
	int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_dates(const struct value *a, const struct value *b)
{
	struct date date_a = date_of(a);
	struct date date_b = date_of(b);
	int64_t instant_a = date_instant(&date_a);
	int64_t instant_b = date_instant(&date_b);

	return (instant_a > instant_b) - (instant_a < instant_b);
}

/* An order of all scalars; equal keys come together. */
static int compare_keys(const struct value *a, const struct value *b)
{
	int class_a = key_class(a);
	int class_b = key_class(b);
	int order = 0;

	if (class_a != class_b)
		return class_a - class_b;
	if (class_a == KEY_NUMBER)
		order = compare_numbers(a, b);
	else if (class_a == KEY_STRING)
		order = compare_texts(text_of(a), text_of(b));
	else if (class_a >= KEY_DATE && class_a < KEY_CONTAINER)
		order = compare_dates(a, b);
	return order ? order : (b->type == VALUE_BOOL) - (a->type == VALUE_BOOL);
}

static int compare_pairs(const void *a, const void *b)
{
	const struct value_pair *pair_a = *(const struct value_pair *const *)a;
	const struct value_pair *pair_b = *(const struct value_pair *const *)b;
	int order = compare_keys(&pair_a->key, &pair_b->key);

	/* In the order of the document where qsort(3) would be free to choose. */
	return order ? order : (pair_a > pair_b) - (pair_a < pair_b);
}

static const struct value_pair **pairs_by_key(const struct value *map)
{
	size_t n = map->map.n_pairs;
	const struct value_pair **pairs = calloc(n ? n : 1, sizeof(struct value_pair *));

	if (!pairs)
		return NULL;
	for (size_t i = 0; i < n; i++)
		pairs[i] = &map->map.pairs[i];
	qsort(pairs, n, sizeof(*pairs), compare_pairs);
	return pairs;
}

const struct value_pair **value_sorted_pairs(const struct value *map)
{
	const struct value_pair **pairs = pairs_by_key(map);
	size_t n = map->map.n_pairs;

	/* Sorted by class first, so that the ends tell whether there are two. */
	if (pairs && n > 1 &&
	    key_class(&pairs[0]->key) != key_class(&pairs[n - 1]->key)) {
		for (size_t i = 0; i < n; i++)
			pairs[i] = &map->map.pairs[i];
	}
	return pairs;
}

int value_drop_double_keys(struct value *map)
{
	_cleanup_free_ const struct value_pair **pairs = NULL;
	_cleanup_free_ bool *doubled = NULL;
	size_t n = map->type == VALUE_MAP ? map->map.n_pairs : 0;
	size_t first = 0;
	size_t n_kept = 0;

	if (n < 2)
		return 0;
	free(map->map.places);
	map->map.places = NULL;
	map->map.n_places = map->map.n_placed = 0;
	pairs = pairs_by_key(map);
	doubled = calloc(n, sizeof(*doubled));
	if (!pairs || !doubled)
		return -ENOMEM;

	for (size_t i = 1; i < n; i++) {
		struct value_pair *kept = &map->map.pairs[pairs[first] - map->map.pairs];
		struct value_pair *pair = &map->map.pairs[pairs[i] - map->map.pairs];

		if (!value_equal(&kept->key, &pair->key)) {
			first = i;
			continue;
		}
		value_done(&kept->value);
		kept->value = pair->value;
		pair->value = VALUE_INIT;
		value_done(&pair->key);
		doubled[pair - map->map.pairs] = true;
	}
	for (size_t i = 0; i < n; i++) {
		if (!doubled[i])
			map->map.pairs[n_kept++] = map->map.pairs[i];
	}
	map->map.n_pairs = n_kept;
	return 0;
}

typedef bool (*equal_fn)(const struct value *a, const struct value *b);

static bool lists_equal(const struct value *a, const struct value *b, equal_fn equal)
{
	if (a->list.n_items != b->list.n_items)
		return false;
	for (size_t i = 0; i < a->list.n_items; i++) {
		if (!equal(&a->list.items[i], &b->list.items[i]))
			return false;
	}
	return true;
}

/* Equal keys stand in the same places once both are sorted. */
static bool maps_equal(const struct value *a, const struct value *b, equal_fn equal)
{
	_cleanup_free_ const struct value_pair **pairs_a = NULL;
	_cleanup_free_ const struct value_pair **pairs_b = NULL;

	if (a->map.n_pairs != b->map.n_pairs)
		return false;
	pairs_a = pairs_by_key(a);
	pairs_b = pairs_by_key(b);
	if (!pairs_a || !pairs_b)
		return false;
	for (size_t i = 0; i < a->map.n_pairs; i++) {
		if (!equal(&pairs_a[i]->key, &pairs_b[i]->key) ||
		    !equal(&pairs_a[i]->value, &pairs_b[i]->value))
			return false;
	}
	return true;
}

bool value_equal(const struct value *a, const struct value *b)
{
	if (key_class(a) != key_class(b))
		return false;
	switch (a->type) {
	case VALUE_NULL:
		return true;
	case VALUE_BOOL:
		return b->type == VALUE_BOOL && a->boolean == b->boolean;
	case VALUE_INT:
	case VALUE_FLOAT:
		if (b->type == VALUE_BOOL || (a->type == VALUE_FLOAT && isnan(a->real)))
			return false;
		return compare_numbers(a, b) == 0;
	case VALUE_STRING:
	case VALUE_DATE:
		return compare_keys(a, b) == 0;
	case VALUE_LIST:
		return b->type == VALUE_LIST && lists_equal(a, b, value_equal);
	case VALUE_MAP:
		return b->type == VALUE_MAP && maps_equal(a, b, value_equal);
	}
	return false;
}

/* FNV-1a, 64 bits. */
static uint64_t digest(uint64_t before, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++)
		before = (before ^ bytes[i]) * 0x100000001b3;
	return before;
}

/* An int is equal to a float only if it is just what the float is. */
static uint64_t digest_number(const struct value *number)
{
	double real = number->type == VALUE_INT ? strtod(number->text.data, NULL)
						: number->real;

	if (real == 0)
		real = 0; /* -0.0, too */
	return digest(KEY_NUMBER, &real, sizeof(real));
}

uint64_t value_digest(const struct value *value)
{
	uint64_t result = value->type;

	switch (value->type) {
	case VALUE_INT:
	case VALUE_FLOAT:
		return digest_number(value);
	case VALUE_BOOL:
		return digest(result, &value->boolean, sizeof(value->boolean));
	case VALUE_STRING:
		return digest(result, value->text.data, value->text.len);
	case VALUE_LIST:
		for (size_t i = 0; i < value->list.n_items; i++) {
			uint64_t item = value_digest(&value->list.items[i]);

			result = digest(result, &item, sizeof(item));
		}
		return result;
	case VALUE_MAP: /* in any order */
		return digest(result, &value->map.n_pairs, sizeof(value->map.n_pairs));
	case VALUE_NULL:
	case VALUE_DATE: /* in any zone */
		break;
	}
	return result;
}

bool value_identical(const struct value *a, const struct value *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case VALUE_NULL:
		return true;
	case VALUE_BOOL:
		return a->boolean == b->boolean;
	case VALUE_FLOAT:
		if (isnan(a->real) || isnan(b->real))
			return isnan(a->real) && isnan(b->real);
		return a->real == b->real && signbit(a->real) == signbit(b->real);
	case VALUE_INT:
	case VALUE_STRING:
	case VALUE_DATE:
		return str_eq(text_of(a), text_of(b));
	case VALUE_LIST:
		return lists_equal(a, b, value_identical);
	case VALUE_MAP:
		return maps_equal(a, b, value_identical);
	}
	return false;
}
