/* The series of one run's scalars. */
#include "engine/scalar-series.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct one {
	char *name;
	size_t name_len;
	struct strbuf text; /* none for a name that is ignored, which counts for steps */
	size_t last;	    /* where the last line begins */
	uint64_t round;	    /* of implied steps, in which it came last */
};

struct scalar_series {
	struct one **items; /* sorted by name, byte for byte */
	size_t n_items, n_allocated;
	size_t size;
	bool has_step;
	bool is_full;
	int64_t step;
	int64_t implied;
	uint64_t round;
};

static void one_free(struct one *one)
{
	if (!one)
		return;
	free(one->name);
	strbuf_done(&one->text);
	free(one);
}

int scalar_series_new(struct scalar_series **ret)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	(*ret)->round = 1;
	return 0;
}

void scalar_series_free(struct scalar_series *series)
{
	if (!series)
		return;
	for (size_t i = 0; i < series->n_items; i++)
		one_free(series->items[i]);
	free(series->items);
	free(series);
}

/* Where @name is (true), or belongs. */
static bool find_place(const struct scalar_series *series, const char *name, size_t *ret)
{
	size_t low = 0, high = series->n_items;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, series->items[middle]->name);

		if (order == 0) {
			*ret = middle;
			return true;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	*ret = low;
	return false;
}

static int insert(struct scalar_series *series, size_t place, struct one *one)
{
	struct one **grown;

	if (series->n_items == series->n_allocated) {
		size_t n = series->n_allocated > 0 ? 2 * series->n_allocated : 8;

		grown = reallocarray(series->items, n, sizeof(struct one *));
		if (!grown)
			return -ENOMEM;
		series->items = grown;
		series->n_allocated = n;
	}
	memmove(series->items + place + 1, series->items + place,
		(series->n_items - place) * sizeof(struct one *));
	series->items[place] = one;
	series->n_items++;
	series->size += sizeof(*one) + one->name_len + one->text.len;
	return 0;
}

/* The series of @name, a new one if need be. 0, -ENOMEM, -ENOSPC. */
static int get(struct scalar_series *series, struct str name, struct one **ret)
{
	_cleanup_free_ char *copy = str_dup(name);
	struct one *one;
	size_t place;
	int r;

	if (!copy)
		return -ENOMEM;
	if (find_place(series, copy, &place)) {
		*ret = series->items[place];
		return 0;
	}
	if (series->n_items == SCALAR_SERIES_MAX)
		return -ENOSPC;
	one = calloc(1, sizeof(*one));
	if (!one)
		return -ENOMEM;
	one->name = take_ptr(copy);
	one->name_len = name.len;
	r = insert(series, place, one);
	if (r < 0)
		one_free(one);
	else
		*ret = one;
	return r;
}

static int find_one(struct scalar_series *series, const struct scalar *scalar,
		    struct one **ret)
{
	const char *name = strbuf_cstr(&scalar->name);
	size_t place;

	if (find_place(series, name, &place)) {
		*ret = series->items[place];
		return 0;
	}
	return get(series, strbuf_str(&scalar->name), ret);
}

/* The step of a line that says none and comes before any that does. */
static int imply_step(struct scalar_series *series, const struct scalar_line *line)
{
	bool again = false;

	for (size_t i = 0; i < line->n_items; i++) {
		struct one *one;
		int r = find_one(series, &line->items[i], &one);

		if (r == -ENOSPC)
			continue;
		if (r < 0)
			return r;
		again |= one->round == series->round;
	}
	if (again) {
		series->implied++;
		series->round++;
	}
	return 0;
}

static void add_number(struct strbuf *text, int64_t number)
{
	char digits[24];
	size_t i = sizeof(digits);
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;

	do
		digits[--i] = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (number < 0)
		digits[--i] = '-';
	(void)strbuf_add(text, digits + i, sizeof(digits) - i);
}

static int add_point(struct scalar_series *series, const struct scalar *scalar,
		     int64_t step)
{
	struct one *one;
	size_t before;
	int r = find_one(series, scalar, &one);

	if (r == -ENOSPC) {
		series->is_full = true;
		return 0;
	}
	if (r < 0)
		return r;
	one->round = series->round;
	if (scalar->ignored)
		return 0;
	before = one->text.len;
	add_number(&one->text, step);
	strbuf_addc(&one->text, '\t');
	strbuf_addstr(&one->text, strbuf_str(&scalar->value));
	strbuf_addc(&one->text, '\n');
	if (strbuf_error(&one->text) < 0)
		return -ENOMEM;
	one->last = before;
	series->size += one->text.len - before;
	return 0;
}

int scalar_series_add(struct scalar_series *series, const struct scalar_line *line)
{
	int r = 0;

	if (line->has_step) {
		series->has_step = true;
		series->step = line->step;
	}
	if (line->n_items > 0 && !series->has_step)
		r = imply_step(series, line);
	for (size_t i = 0; r == 0 && i < line->n_items; i++)
		r = add_point(series, &line->items[i],
			      series->has_step ? series->step : series->implied);
	return r;
}

/* The value of the last line, with its newline. */
static struct str last_value(const struct one *one)
{
	const char *line = one->text.data + one->last;
	size_t len = one->text.len - one->last;
	const char *tab = memchr(line, '\t', len);

	return (struct str){ tab + 1, len - (size_t)(tab + 1 - line) };
}

int scalar_series_format(const struct scalar_series *series, struct strbuf *ret)
{
	if (series->is_full)
		strbuf_addf(ret, "# more than %d names: the others are left out\n",
			    SCALAR_SERIES_MAX);
	for (size_t i = 0; i < series->n_items; i++) {
		const struct one *one = series->items[i];

		if (one->text.len == 0)
			continue;
		strbuf_add(ret, one->name, one->name_len);
		strbuf_addc(ret, '=');
		strbuf_addstr(ret, last_value(one));
	}
	return strbuf_error(ret);
}

void scalar_series_each(const struct scalar_series *series, scalar_name_fn fn,
			void *userdata)
{
	for (size_t i = 0; i < series->n_items; i++) {
		if (series->items[i]->text.len > 0)
			fn(userdata, series->items[i]->name);
	}
}

int scalar_series_find(const struct scalar_series *series, const char *name,
		       struct str *ret)
{
	size_t place;

	if (!find_place(series, name, &place) || series->items[place]->text.len == 0)
		return -ENOENT;
	*ret = strbuf_str(&series->items[place]->text);
	return 0;
}

size_t scalar_series_size(const struct scalar_series *series)
{
	return series->size;
}

/*
 * The form: a line of the state, then for each name a line "LEN LAST ROUND LEN", the name
 * and the text.
 */
int scalar_series_save(const struct scalar_series *series, struct strbuf *ret)
{
	strbuf_addf(ret, "%d %" PRId64 " %" PRId64 " %" PRIu64 " %d %zu\n",
		    series->has_step, series->step, series->implied, series->round,
		    series->is_full, series->n_items);
	for (size_t i = 0; i < series->n_items; i++) {
		const struct one *one = series->items[i];

		strbuf_addf(ret, "%zu %zu %" PRIu64 " %zu\n", one->name_len, one->last,
			    one->round, one->text.len);
		strbuf_add(ret, one->name, one->name_len);
		strbuf_addstr(ret, strbuf_str(&one->text));
	}
	return strbuf_error(ret);
}

/* Takes a line of @n numbers off @rest. */
static int take_numbers(struct str *rest, int64_t *ret, size_t n)
{
	struct str line, word;

	if (!str_split(rest, '\n', &line))
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		char digits[24];
		char *end;

		if (!str_split(&line, ' ', &word) || word.len == 0 ||
		    word.len >= sizeof(digits))
			return -EBADMSG;
		memcpy(digits, word.data, word.len);
		digits[word.len] = '\0';
		errno = 0;
		ret[i] = strtoll(digits, &end, 10);
		if (errno != 0 || *end != '\0')
			return -EBADMSG;
	}
	return line.len == 0 ? 0 : -EBADMSG;
}

static int take_bytes(struct str *rest, int64_t len, struct str *ret)
{
	if (len < 0 || (uint64_t)len > rest->len)
		return -EBADMSG;
	*ret = (struct str){ rest->data, (size_t)len };
	rest->data += len;
	rest->len -= (size_t)len;
	return 0;
}

static bool is_line(struct str text)
{
	return text.len > 0 && memchr(text.data, '\t', text.len) &&
	       memchr(text.data, '\n', text.len) == text.data + text.len - 1;
}

static int load_one(struct scalar_series *series, struct str *rest)
{
	struct str name, text;
	struct one *one;
	int64_t numbers[4];
	int r = take_numbers(rest, numbers, 4);

	if (r == 0)
		r = take_bytes(rest, numbers[0], &name);
	if (r == 0)
		r = take_bytes(rest, numbers[3], &text);
	if (r < 0)
		return r;
	if (numbers[1] < 0 || (uint64_t)numbers[1] > text.len ||
	    memchr(name.data, '\0', name.len) ||
	    (text.len > 0 && !is_line((struct str){ text.data + numbers[1],
						    text.len - (size_t)numbers[1] })))
		return -EBADMSG;
	r = get(series, name, &one);
	if (r < 0)
		return r == -ENOSPC ? -EBADMSG : r;
	one->last = (size_t)numbers[1];
	one->round = (uint64_t)numbers[2];
	series->size += text.len;
	return strbuf_addstr(&one->text, text);
}

int scalar_series_load(struct str text, struct scalar_series **ret)
{
	_cleanup_(scalar_series_freep) struct scalar_series *series = NULL;
	int64_t numbers[6];
	int r = scalar_series_new(&series);

	if (r == 0)
		r = take_numbers(&text, numbers, 6);
	if (r < 0)
		return r;
	series->has_step = numbers[0];
	series->step = numbers[1];
	series->implied = numbers[2];
	series->round = (uint64_t)numbers[3];
	series->is_full = numbers[4];
	for (int64_t i = 0; r == 0 && i < numbers[5]; i++)
		r = load_one(series, &text);
	if (r == 0 && text.len > 0)
		r = -EBADMSG;
	if (r < 0)
		return r;
	*ret = take_ptr(series);
	return 0;
}
