/* A set of named values, sorted by name. */
#include "engine/flags.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/value-text.h"

static void flag_done(struct flag *flag)
{
	free(flag->name);
	value_done(&flag->value);
}

void flags_done(struct flags *flags)
{
	for (size_t i = 0; i < flags->n_items; i++)
		flag_done(&flags->items[i]);
	free(flags->items);
	*flags = FLAGS_INIT;
}

/* Returns where @name is, or where it belongs. */
static size_t find_place(const struct flags *flags, const char *name, bool *ret_found)
{
	size_t low = 0, high = flags->n_items;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, flags->items[middle].name);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

const struct flag *flags_find(const struct flags *flags, const char *name)
{
	bool found;
	size_t place = find_place(flags, name, &found);

	return found ? &flags->items[place] : NULL;
}

static int make_room(struct flags *flags, size_t place)
{
	size_t n = flags->n_items;
	struct flag *items = flags->items;

	/* Room doubles at powers of two, so that n flags cost n. */
	if ((n & (n + 1)) == 0)
		items = reallocarray(items, 2 * (n + 1), sizeof(*items));
	if (!items)
		return -ENOMEM;
	flags->items = items;
	memmove(&items[place + 1], &items[place],
		(flags->n_items - place) * sizeof(*items));
	flags->n_items++;
	return 0;
}

int flags_set(struct flags *flags, struct str name, struct value *value)
{
	_cleanup_(value_done) struct value taken = *value;
	_cleanup_free_ char *copy = str_dup(name);
	struct flag *flag;
	size_t place;
	bool found;

	*value = VALUE_INIT;
	if (!copy)
		return -ENOMEM;
	place = find_place(flags, copy, &found);
	if (found)
		flag_done(&flags->items[place]);
	else if (make_room(flags, place) < 0)
		return -ENOMEM;

	flag = &flags->items[place];
	flag->name = take_ptr(copy);
	flag->value = taken;
	taken = VALUE_INIT;
	return 0;
}

int flags_add(struct flags *flags, struct str name, struct value *value)
{
	_cleanup_(value_done) struct value taken = *value;
	_cleanup_free_ char *copy = str_dup(name);

	*value = VALUE_INIT;
	if (!copy || make_room(flags, flags->n_items) < 0)
		return -ENOMEM;
	flags->items[flags->n_items - 1] =
		(struct flag){ .name = take_ptr(copy), .value = taken };
	taken = VALUE_INIT;
	return 0;
}

/* By name; of equal ones in the order in which they were added. */
static int compare_flags(const void *a, const void *b)
{
	const struct flag *left = *(const struct flag *const *)a;
	const struct flag *right = *(const struct flag *const *)b;
	int order = strcmp(left->name, right->name);

	return order ? order : (left > right) - (left < right);
}

int flags_sort(struct flags *flags)
{
	struct flags sorted = FLAGS_INIT;
	_cleanup_free_ struct flag **order = NULL;
	size_t n = flags->n_items;
	int r = 0;

	if (n < 2)
		return 0;
	order = calloc(n, sizeof(*order));
	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		order[i] = &flags->items[i];
	qsort(order, n, sizeof(*order), compare_flags);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (i + 1 < n && strcmp(order[i]->name, order[i + 1]->name) == 0)
			continue;
		r = make_room(&sorted, sorted.n_items);
		if (r < 0)
			break;
		sorted.items[sorted.n_items - 1] = *order[i];
		*order[i] = (struct flag){ 0 };
	}
	flags_done(flags);
	*flags = sorted;
	return r;
}

int flags_merge(struct flags *flags, const struct flags *over)
{
	int r;

	for (size_t i = 0; i < over->n_items; i++) {
		struct value copy = VALUE_INIT;

		r = value_copy(&over->items[i].value, &copy);
		if (r == 0)
			r = flags_set(flags, str_from(over->items[i].name), &copy);
		if (r < 0)
			return r;
	}
	return 0;
}

int flags_copy(const struct flags *flags, struct flags *ret)
{
	_cleanup_(flags_done) struct flags copy = FLAGS_INIT;
	int r = flags_merge(&copy, flags);

	if (r < 0)
		return r;
	*ret = copy;
	copy = FLAGS_INIT;
	return 0;
}

bool flags_equal(const struct flags *a, const struct flags *b)
{
	if (a->n_items != b->n_items)
		return false;
	for (size_t i = 0; i < a->n_items; i++) {
		if (strcmp(a->items[i].name, b->items[i].name) != 0 ||
		    !value_equal(&a->items[i].value, &b->items[i].value))
			return false;
	}
	return true;
}

uint64_t flags_digest(const struct flags *flags)
{
	uint64_t digest = flags->n_items;

	for (size_t i = 0; i < flags->n_items; i++) {
		for (const char *c = flags->items[i].name; *c; c++)
			digest = (digest ^ (unsigned char)*c) * 0x100000001b3;
		digest = (digest ^ value_digest(&flags->items[i].value)) * 0x100000001b3;
	}
	return digest;
}

static int add_from_pair(struct flags *flags, const struct value_pair *pair)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT;
	struct value copy = VALUE_INIT;
	int r;

	if (pair->key.type == VALUE_STRING)
		r = strbuf_addstr(&name, value_str(&pair->key));
	else
		r = value_encode_flag(&pair->key, &name);
	if (r == 0)
		r = value_copy(&pair->value, &copy);
	if (r < 0)
		return r;
	return flags_add(flags, strbuf_str(&name), &copy);
}

int flags_from_value(const struct value *map, struct flags *ret)
{
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	int r;

	if (map->type != VALUE_MAP && map->type != VALUE_NULL)
		return -EBADMSG;
	for (size_t i = 0; map->type == VALUE_MAP && i < map->map.n_pairs; i++) {
		r = add_from_pair(&flags, &map->map.pairs[i]);
		if (r < 0)
			return r;
	}
	r = flags_sort(&flags);
	if (r < 0)
		return r;
	*ret = flags;
	flags = FLAGS_INIT;
	return 0;
}

int flags_to_value(const struct flags *flags, struct value *ret)
{
	_cleanup_(value_done) struct value map = { .type = VALUE_MAP };
	int r;

	for (size_t i = 0; i < flags->n_items; i++) {
		struct value copy = VALUE_INIT;

		r = value_copy(&flags->items[i].value, &copy);
		if (r == 0)
			r = value_put(&map, str_from(flags->items[i].name), &copy);
		if (r < 0)
			return r;
	}
	*ret = map;
	map = VALUE_INIT;
	return 0;
}

int flags_format(const struct flags *flags, struct strbuf *ret)
{
	for (size_t i = 0; i < flags->n_items; i++) {
		strbuf_addf(ret, "%s=", flags->items[i].name);
		value_encode_request(&flags->items[i].value, ret);
		strbuf_addc(ret, '\n');
	}
	return strbuf_error(ret);
}

int flags_format_label(const struct flags *flags, struct strbuf *ret)
{
	size_t start = ret->len;

	for (size_t i = 0; i < flags->n_items; i++) {
		if (flags->items[i].value.type == VALUE_NULL)
			continue;
		if (ret->len > start)
			strbuf_addc(ret, ' ');
		strbuf_addf(ret, "%s=", flags->items[i].name);
		value_encode_label(&flags->items[i].value, ret);
	}
	return strbuf_error(ret);
}
