/* One typed value: ownership, lists and maps. */
#include "engine/value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/cleanup.h"

#define FEW_PAIRS 16 /* up to here, looking at each is as fast */

static void pair_done(struct value_pair *pair)
{
	value_done(&pair->key);
	value_done(&pair->value);
}

void value_done(struct value *value)
{
	switch (value->type) {
	case VALUE_NULL:
	case VALUE_BOOL:
	case VALUE_FLOAT:
		break;
	case VALUE_INT:
	case VALUE_STRING:
	case VALUE_DATE:
		free(value->text.data);
		break;
	case VALUE_LIST:
		for (size_t i = 0; i < value->list.n_items; i++)
			value_done(&value->list.items[i]);
		free(value->list.items);
		break;
	case VALUE_MAP:
		for (size_t i = 0; i < value->map.n_pairs; i++)
			pair_done(&value->map.pairs[i]);
		free(value->map.pairs);
		free(value->map.places);
		break;
	}
	*value = VALUE_INIT;
}

static int set_text(struct value *ret, enum value_type type, struct str text)
{
	char *data = str_dup(text);

	if (!data)
		return -ENOMEM;
	*ret = (struct value){ .type = type, .text = { data, text.len } };
	return 0;
}

int value_string(struct value *ret, struct str text)
{
	return set_text(ret, VALUE_STRING, text);
}

int value_int(struct value *ret, int64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, number);
	return set_text(ret, VALUE_INT, str_from(text));
}

void value_bool(struct value *ret, bool boolean)
{
	*ret = (struct value){ .type = VALUE_BOOL, .boolean = boolean };
}

void value_float(struct value *ret, double real)
{
	*ret = (struct value){ .type = VALUE_FLOAT, .real = real };
}

/*
 * Arrays have room for the next power of two, so that their capacity need not be
 * stored: one that is full holds a power of two.
 */
static size_t capacity(size_t n)
{
	size_t room = 1;

	while (room < n)
		room *= 2;
	return room;
}

/* Returns @array with room for one more than @n, or NULL and leaves it. */
static void *grow(void *array, size_t n, size_t size)
{
	if (array && (n & (n - 1)) != 0)
		return array;
	return reallocarray(array, capacity(n + 1), size);
}

static int copy_list(const struct value *list, struct value *ret)
{
	size_t n = list->list.n_items;
	int r;

	ret->type = VALUE_LIST;
	if (n == 0)
		return 0;
	ret->list.items = calloc(capacity(n), sizeof(*ret->list.items));
	if (!ret->list.items)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		r = value_copy(&list->list.items[i], &ret->list.items[i]);
		if (r < 0)
			return r;
		ret->list.n_items++;
	}
	return 0;
}

static int copy_map(const struct value *map, struct value *ret)
{
	size_t n = map->map.n_pairs;
	int r;

	ret->type = VALUE_MAP;
	if (n == 0)
		return 0;
	ret->map.pairs = calloc(capacity(n), sizeof(*ret->map.pairs));
	if (!ret->map.pairs)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		/* Counted first: a pair of which only the key was copied is freed too. */
		ret->map.n_pairs++;
		r = value_copy(&map->map.pairs[i].key, &ret->map.pairs[i].key);
		if (r < 0)
			return r;
		r = value_copy(&map->map.pairs[i].value, &ret->map.pairs[i].value);
		if (r < 0)
			return r;
	}
	return 0;
}

int value_copy(const struct value *value, struct value *ret)
{
	_cleanup_(value_done) struct value copy = VALUE_INIT;
	int r = 0;

	switch (value->type) {
	case VALUE_NULL:
	case VALUE_BOOL:
	case VALUE_FLOAT:
		copy = *value;
		break;
	case VALUE_INT:
	case VALUE_STRING:
	case VALUE_DATE:
		r = set_text(&copy, value->type,
			     (struct str){ value->text.data, value->text.len });
		break;
	case VALUE_LIST:
		r = copy_list(value, &copy);
		break;
	case VALUE_MAP:
		r = copy_map(value, &copy);
		break;
	}
	if (r < 0)
		return r;
	copy.line = value->line;
	*ret = copy;
	copy = VALUE_INIT;
	return 0;
}

static size_t cost_of_items(const struct value *items, size_t n, size_t *deepest)
{
	size_t cost = 0;
	size_t depth;

	for (size_t i = 0; i < n; i++) {
		cost += value_cost(&items[i], &depth);
		*deepest = depth > *deepest ? depth : *deepest;
	}
	return cost;
}

size_t value_cost(const struct value *value, size_t *ret_depth)
{
	size_t cost = sizeof(*value);
	size_t deepest = 0;

	*ret_depth = 0;
	switch (value->type) {
	case VALUE_NULL:
	case VALUE_BOOL:
	case VALUE_FLOAT:
		return cost;
	case VALUE_INT:
	case VALUE_STRING:
	case VALUE_DATE:
		return cost + value->text.len;
	case VALUE_LIST:
		cost += cost_of_items(value->list.items, value->list.n_items, &deepest);
		break;
	case VALUE_MAP:
		for (size_t i = 0; i < value->map.n_pairs; i++) {
			cost += cost_of_items(&value->map.pairs[i].key, 1, &deepest);
			cost += cost_of_items(&value->map.pairs[i].value, 1, &deepest);
		}
		break;
	}
	*ret_depth = deepest + 1;
	return cost;
}

static struct value take_value(struct value *value)
{
	struct value taken = *value;

	*value = VALUE_INIT;
	return taken;
}

int value_append(struct value *list, struct value *item)
{
	_cleanup_(value_done) struct value owned = take_value(item);
	struct value *items;

	if (list->type == VALUE_NULL)
		*list = (struct value){ .type = VALUE_LIST, .line = list->line };
	items = grow(list->list.items, list->list.n_items, sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->list.items = items;
	items[list->list.n_items++] = take_value(&owned);
	return 0;
}

int value_add_pair(struct value *map, struct value *key, struct value *item)
{
	_cleanup_(value_done) struct value owned_key = take_value(key);
	_cleanup_(value_done) struct value owned_item = take_value(item);
	struct value_pair *pairs;

	if (map->type == VALUE_NULL)
		*map = (struct value){ .type = VALUE_MAP, .line = map->line };
	pairs = grow(map->map.pairs, map->map.n_pairs, sizeof(*pairs));
	if (!pairs)
		return -ENOMEM;
	map->map.pairs = pairs;
	pairs[map->map.n_pairs].key = take_value(&owned_key);
	pairs[map->map.n_pairs++].value = take_value(&owned_item);
	return 0;
}

/* FNV-1a, 32 bits. */
static size_t hash(struct str key)
{
	uint32_t hash = 0x811c9dc5;

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (unsigned char)key.data[i]) * 0x01000193;
	return hash;
}

/* The place of @key: that of its pair + 1, or a free one, which is 0. */
static uint32_t *find_place(const struct value *map, struct str key)
{
	size_t i = hash(key);

	for (;; i++) {
		uint32_t *place = &map->map.places[i & (map->map.n_places - 1)];

		if (*place == 0 ||
		    str_eq(value_str(&map->map.pairs[*place - 1].key), key))
			return place;
	}
}

static void place_pairs(struct value *map)
{
	for (; map->map.n_placed < map->map.n_pairs; map->map.n_placed++) {
		const struct value *key = &map->map.pairs[map->map.n_placed].key;
		uint32_t *place;

		if (key->type != VALUE_STRING)
			continue;
		place = find_place(map, value_str(key));
		if (*place == 0) /* the first of equal keys is the one that is found */
			*place = (uint32_t)map->map.n_placed + 1;
	}
}

/* Makes a table of all keys, at most half full. 0 or -ENOMEM. */
static int place_all(struct value *map)
{
	size_t n_places = map->map.n_places ? map->map.n_places : 4 * FEW_PAIRS;
	uint32_t *places;

	while (n_places < 2 * map->map.n_pairs)
		n_places *= 2;
	if (n_places > map->map.n_places) {
		places = calloc(n_places, sizeof(*places));
		if (!places)
			return -ENOMEM;
		free(map->map.places);
		map->map.places = places;
		map->map.n_places = n_places;
		map->map.n_placed = 0;
	}
	place_pairs(map);
	return 0;
}

static struct value *find_among_few(const struct value *map, struct str key)
{
	for (size_t i = 0; i < map->map.n_pairs; i++) {
		struct value_pair *pair = &map->map.pairs[i];

		if (pair->key.type == VALUE_STRING && str_eq(value_str(&pair->key), key))
			return &pair->value;
	}
	return NULL;
}

static struct value *find(const struct value *map, struct str key)
{
	uint32_t place;

	if (!map || map->type != VALUE_MAP)
		return NULL;
	if (map->map.n_pairs <= FEW_PAIRS ||
	    place_all((struct value *)(uintptr_t)map) < 0)
		return find_among_few(map, key);
	place = *find_place(map, key);
	return place > 0 ? &map->map.pairs[place - 1].value : NULL;
}

int value_put(struct value *map, struct str key, struct value *item)
{
	_cleanup_(value_done) struct value owned = take_value(item);
	_cleanup_(value_done) struct value name = VALUE_INIT;
	struct value *old = find(map, key);
	int r;

	if (old) {
		value_done(old);
		*old = take_value(&owned);
		return 0;
	}
	r = value_string(&name, key);
	return r < 0 ? r : value_add_pair(map, &name, &owned);
}

const struct value *value_get(const struct value *map, const char *key)
{
	return find(map, str_from(key));
}

struct str value_str(const struct value *value)
{
	return value && value->type == VALUE_STRING
		       ? (struct str){ value->text.data, value->text.len }
		       : STR("");
}

bool value_is_false(const struct value *value)
{
	switch (value->type) {
	case VALUE_NULL:
		return true;
	case VALUE_BOOL:
		return !value->boolean;
	case VALUE_INT:
		return strcmp(value->text.data, "0") == 0;
	case VALUE_FLOAT:
		return value->real == 0;
	case VALUE_STRING:
		return value->text.len == 0;
	case VALUE_LIST:
		return value->list.n_items == 0;
	case VALUE_MAP:
		return value->map.n_pairs == 0;
	case VALUE_DATE:
		break;
	}
	return false;
}

bool value_is_string(const struct value *value, const char *text)
{
	return value && value->type == VALUE_STRING && str_is(value_str(value), text);
}

bool value_get_int(const struct value *value, int64_t *ret)
{
	long long number;
	char *end;

	if (value->type != VALUE_INT)
		return false;
	errno = 0;
	number = strtoll(value->text.data, &end, 10);
	if (errno != 0 || *end != '\0')
		return false;
	*ret = number;
	return true;
}
