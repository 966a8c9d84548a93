/* runs/ID/series/: how each output scalar went, as a file. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "fs/dirs.h"

/*
 * A scalar's name as a file name: '/' and '%' as %2F and %25, and so the dots of "." and
 * ".."; the empty name is "%". Each has one file name, and what is longer than a file
 * name may be has none.
 */
static int add_file_name(const char *scalar, struct strbuf *ret)
{
	bool is_dots = strcmp(scalar, ".") == 0 || strcmp(scalar, "..") == 0;

	if (scalar[0] == '\0')
		strbuf_addc(ret, '%');
	for (; *scalar; scalar++) {
		if (*scalar == '/' || *scalar == '%' || is_dots)
			strbuf_addf(ret, "%%%02X", (unsigned char)*scalar);
		else
			strbuf_addc(ret, *scalar);
	}
	return strbuf_error(ret);
}

/* The scalar whose file name may be @name. */
static int add_scalar_name(const char *name, struct strbuf *ret)
{
	while (*name) {
		char digits[3] = { 0 };

		if (*name != '%') {
			strbuf_addc(ret, *name++);
			continue;
		}
		memcpy(digits, name + 1, strnlen(name + 1, 2));
		if (digits[0])
			strbuf_addc(ret, (char)strtol(digits, NULL, 16));
		name += 1 + strlen(digits);
	}
	return strbuf_error(ret);
}

static int find_series(const struct node *node, const char *name, struct str *ret)
{
	_cleanup_(strbuf_done) struct strbuf scalar = STRBUF_INIT, again = STRBUF_INIT;

	if (add_scalar_name(name, &scalar) < 0 ||
	    add_file_name(strbuf_cstr(&scalar), &again) < 0)
		return -ENOMEM;
	if (!str_is(strbuf_str(&again), name) || node_is_shadowed(node))
		return -ENOENT;
	return scalars_find(node->view->scalars, node->run_id, strbuf_cstr(&scalar), ret);
}

static int find_own(const struct node *node, struct str *ret)
{
	return find_series(node, strrchr(node->path, '/') + 1, ret);
}

static int series_read(const struct node *node, struct strbuf *ret_text)
{
	struct str text;
	int r = find_own(node, &text);

	return r < 0 ? r : strbuf_addstr(ret_text, text);
}

static int series_size(const struct node *node, off_t *ret)
{
	struct str text;
	int r = find_own(node, &text);

	if (r == 0)
		*ret = (off_t)text.len;
	return r;
}

static const struct node_type series_type = { NULL, S_IFREG | 0444, .read = series_read,
					      .size = series_size, .backing = "output" };

int series_dir_lookup(const struct node *dir, const char *name, struct node *ret_child)
{
	struct str text;
	int r = find_series(dir, name, &text);

	return r < 0 ? r : node_child(ret_child, &series_type, dir->run_id, NULL);
}

/* Whom to tell of each series. */
struct listing {
	node_list_fn fn;
	void *userdata;
};

static void list_one(void *userdata, const char *scalar)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT;
	const struct listing *listing = userdata;

	if (add_file_name(scalar, &name) == 0 && name.len <= NAME_MAX)
		listing->fn(listing->userdata, strbuf_cstr(&name), S_IFREG | 0444);
}

int series_dir_list(const struct node *dir, node_list_fn fn, void *userdata)
{
	struct listing listing = { .fn = fn, .userdata = userdata };

	if (node_is_shadowed(dir))
		return 0;
	return scalars_each(dir->view->scalars, dir->run_id, list_one, &listing);
}
