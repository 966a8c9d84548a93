/* Which Python runs an operation. */
#include "engine/interpreter.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/path.h"

#define PARTS_MAX 4

struct version {
	unsigned parts[PARTS_MAX];
	size_t n;
};

enum relation {
	ANY_PATCH, /* 3.9 alone: 3.9 and 3.9.x */
	EQUAL,
	DIFFERENT,
	COMPATIBLE,
	AT_LEAST,
	AT_MOST,
	MORE,
	LESS,
};

/* Longer ones first. */
static const struct {
	const char *text;
	enum relation relation;
} relations[] = {
	{ "===", EQUAL },     { "==", EQUAL },	  { "!=", DIFFERENT },
	{ "~=", COMPATIBLE }, { ">=", AT_LEAST }, { "<=", AT_MOST },
	{ ">", MORE },	      { "<", LESS },	  { "", ANY_PATCH },
};

/* What @text begins with, as "3.11"; where it ends in @ret_rest. False for no number. */
static bool parse_version(struct str text, struct version *ret, struct str *ret_rest)
{
	size_t i = 0;

	*ret = (struct version){ 0 };
	while (ret->n < PARTS_MAX) {
		unsigned part = 0;
		size_t start = i;

		for (; i < text.len && i < start + 6 && text.data[i] >= '0' &&
		       text.data[i] <= '9';
		     i++)
			part = part * 10 + (unsigned)(text.data[i] - '0');
		if (i == start)
			return false;
		ret->parts[ret->n++] = part;
		if (i + 1 >= text.len || text.data[i] != '.' || text.data[i + 1] == '*')
			break;
		i++;
	}
	*ret_rest = (struct str){ text.data + i, text.len - i };
	return true;
}

/* A part that is not there is 0, but with @n parts no more than these count. */
static int compare(const struct version *a, const struct version *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (a->parts[i] != b->parts[i])
			return a->parts[i] < b->parts[i] ? -1 : 1;
	}
	return 0;
}

static bool holds(const struct version *version, enum relation relation,
		  const struct version *bound, bool is_prefix)
{
	size_t n = is_prefix || relation == ANY_PATCH ? bound->n : PARTS_MAX;
	int order = compare(version, bound, n);

	switch (relation) {
	case ANY_PATCH:
	case EQUAL:
		return order == 0;
	case DIFFERENT:
		return order != 0;
	case COMPATIBLE:
		return order >= 0 && compare(version, bound, bound->n - 1) == 0;
	case AT_LEAST:
		return order >= 0;
	case AT_MOST:
		return order <= 0;
	case MORE:
		return order > 0;
	case LESS:
		return order < 0;
	}
	return false;
}

/* 1 or 0: does one condition such as ">=3.8" hold for @version? -EINVAL for none. */
static int judge_condition(struct str text, const struct version *version)
{
	struct version bound;
	bool is_prefix;
	size_t i = 0;

	text = str_strip(text);
	while (!str_starts(text, relations[i].text))
		i++;
	text.data += strlen(relations[i].text);
	text.len -= strlen(relations[i].text);
	if (!parse_version(str_strip(text), &bound, &text))
		return -EINVAL;
	is_prefix = str_eq(text, STR(".*"));
	if (text.len > 0 && (!is_prefix || relations[i].relation > DIFFERENT))
		return -EINVAL;
	if (relations[i].relation == COMPATIBLE && bound.n < 2)
		return -EINVAL;
	return holds(version, relations[i].relation, &bound, is_prefix);
}

/* The same for all conditions, which commas separate. */
static int judge_version(struct str requires, const struct version *version)
{
	struct str condition;
	int is_good = 1;

	while (str_split(&requires, ',', &condition)) {
		int r = judge_condition(condition, version);

		if (r < 0)
			return r;
		is_good &= r;
	}
	return is_good;
}

/* "python3.11" says its version; python and python3 do not. */
static bool version_of_name(const char *name, struct version *ret)
{
	struct str rest = str_from(name);

	if (!str_starts(rest, "python"))
		return false;
	rest.data += strlen("python");
	rest.len -= strlen("python");
	return parse_version(rest, ret, &rest) && rest.len == 0 && ret->n >= 2;
}

static bool version_of_program(const char *path, struct version *ret)
{
	_cleanup_close_ int fd = path_open(AT_FDCWD, path);
	char link[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
	char target[PATH_MAX];
	const char *name;
	ssize_t len;

	if (fd < 0)
		return false;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		return false;
	target[len] = '\0';
	name = strrchr(target, '/');
	return name && version_of_name(name + 1, ret);
}

/* The program DIR/NAME, if it can be run: 0 and its path, or -errno. */
static int find_in(const char *dir, const char *name, struct strbuf *ret_path)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT, why = STRBUF_INIT;
	int r;

	if (strbuf_addf(&path, "%s/%s", dir, name) < 0)
		return -ENOMEM;
	r = path_find_program(AT_FDCWD, strbuf_cstr(&path), NULL, NULL, &why);
	return r < 0 ? r : strbuf_addstr(ret_path, strbuf_str(&path));
}

/*
 * The user has made PATH for an active environment, which counts if it is one. (Where
 * only the variable was passed on, its own Python is what was meant.)
 */
static int find_active(const char *variable, struct strbuf *ret_path)
{
	_cleanup_(strbuf_done) struct strbuf own = STRBUF_INIT, why = STRBUF_INIT;
	const char *prefix = getenv(variable);
	int r;

	if (!prefix || !prefix[0])
		return -ENOENT;
	r = find_in(prefix, "bin/python", &own);
	if (r < 0)
		return r;
	r = path_find_program(AT_FDCWD, "python", getenv("PATH"), ret_path, &why);
	if (r == 0 || r == -ENOMEM)
		return r;
	return strbuf_addstr(ret_path, strbuf_str(&own));
}

static int find_default(const char *project, struct strbuf *ret_path,
			struct strbuf *ret_why)
{
	static const char *const variables[] = { "VIRTUAL_ENV", "CONDA_PREFIX" };
	static const char *const places[] = { "venv/bin/python", ".venv/bin/python",
					      "env/bin/python" };
	const char *exe = getenv("GUILD_PYTHON_EXE");
	int r = -ENOENT;

	if (exe && exe[0])
		return path_find_program(AT_FDCWD, exe, getenv("PATH"), ret_path,
					 ret_why);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		r = find_active(variables[i], ret_path);
		if (r == 0 || r == -ENOMEM)
			return r;
	}
	for (size_t i = 0; project && i < sizeof(places) / sizeof(places[0]); i++) {
		r = find_in(project, places[i], ret_path);
		if (r == 0 || r == -ENOMEM)
			return r;
	}
	return path_find_program(AT_FDCWD, "python3", getenv("PATH"), ret_path, ret_why);
}

/* The newest python3.X of @dir that will do: 0 and its path, or -ENOENT. */
static int find_newest(const char *dir, struct str requires, struct strbuf *ret_path)
{
	_cleanup_close_ int path_fd = path_open(AT_FDCWD, dir);
	_cleanup_closedir_ DIR *entries = NULL;
	struct version best = { 0 }, version;
	int fd = path_fd < 0 ? path_fd
			     : openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = -ENOENT;

	if (fd < 0)
		return -ENOENT;
	entries = fdopendir(fd);
	if (!entries) {
		close_fd(fd);
		return -ENOMEM;
	}
	for (struct dirent *entry; (entry = readdir(entries));) {
		_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

		if (!version_of_name(entry->d_name, &version) ||
		    judge_version(requires, &version) <= 0 ||
		    compare(&version, &best, PARTS_MAX) <= 0 ||
		    find_in(dir, entry->d_name, &path) < 0)
			continue;
		best = version;
		strbuf_truncate(ret_path, 0);
		r = strbuf_addstr(ret_path, strbuf_str(&path));
	}
	return r;
}

static int find_required(struct str requires, struct strbuf *path, struct strbuf *ret_why)
{
	struct version version = { 0 };
	const char *slash = strrchr(strbuf_cstr(path), '/');
	_cleanup_(strbuf_done) struct strbuf dir = STRBUF_INIT;
	int r = judge_version(requires, &version);

	if (r < 0) {
		strbuf_adds(ret_why, "python-requires is no version: ");
		strbuf_add_quoted(ret_why, requires);
		strbuf_adds(ret_why,
			    ", but would be as '>=3.8', '3.11' or '>=3.8,<3.12'");
		return r;
	}
	if (version_of_program(strbuf_cstr(path), &version) &&
	    judge_version(requires, &version) > 0)
		return 0;
	strbuf_add(&dir, path->data, slash ? (size_t)(slash - path->data) : 0);
	if (strbuf_error(&dir) < 0)
		return -ENOMEM;
	r = find_newest(dir.len > 0 ? strbuf_cstr(&dir) : "/", requires, path);
	if (r == -ENOENT) {
		strbuf_adds(ret_why, "there is no Python ");
		strbuf_addstr(ret_why, requires);
		strbuf_adds(ret_why, ", as python-requires has it, in ");
		strbuf_add_quoted(ret_why, strbuf_str(&dir));
		strbuf_adds(ret_why, ": install one there, or set GUILD_PYTHON_EXE to"
				     " one beside which it is, for mount.runfs");
	}
	return r;
}

int interpreter_find(const char *project, struct str requires, struct strbuf *ret_path,
		     struct strbuf *ret_why)
{
	int r = find_default(project, ret_path, ret_why);

	requires = str_strip(requires);
	return r < 0 || requires.len == 0 ? r
					  : find_required(requires, ret_path, ret_why);
}
