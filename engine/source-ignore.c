/* What git ignores in a directory. */
#include "engine/source-ignore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/git.h"
#include "engine/strv.h"

#define GUILDIGNORE_MAX_LEN (1u << 20)

void source_ignored_done(struct source_ignored *ignored)
{
	strbuf_done(&ignored->text);
	free(ignored->paths);
	*ignored = SOURCE_IGNORED_INIT;
}

static int by_bytes(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	size_t len = x->len < y->len ? x->len : y->len;
	int order = len > 0 ? memcmp(x->data, y->data, len) : 0;

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/* The paths stand between NULs. */
static int split(struct source_ignored *ignored)
{
	struct str rest = strbuf_str(&ignored->text);
	struct str path;
	size_t n = 0;

	for (size_t i = 0; i < rest.len; i++)
		n += rest.data[i] == '\0';
	ignored->paths = calloc(n + 1, sizeof(*ignored->paths));
	if (!ignored->paths)
		return -ENOMEM;
	while (str_split(&rest, '\0', &path))
		ignored->paths[ignored->n_paths++] = path;
	qsort(ignored->paths, ignored->n_paths, sizeof(*ignored->paths), by_bytes);
	return 0;
}

/* Adds -x and a pattern for each line of .guildignore. */
static int add_patterns(int root_fd, char ***words)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	struct str rest, line;
	int r;

	r = file_read(root_fd, ".guildignore", GUILDIGNORE_MAX_LEN, &text);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	rest = strbuf_str(&text);
	while (r == 0 && str_split(&rest, '\n', &line)) {
		line = str_strip(line);
		if (line.len == 0 || line.data[0] == '#')
			continue;
		r = strv_append(words, STR("-x"));
		if (r == 0)
			r = strv_append(words, line);
	}
	return r;
}

int source_ignored_read(const struct job *job, int root_fd, struct source_ignored *ret)
{
	/* Also what is in the repository, and to be ignored nevertheless. */
	static const char *const options[] = { "ls-files", "-z", "-ioc",
					       "--exclude-standard", "--directory" };
	_cleanup_(strv_freep) char **words = NULL;
	int r = git_has_repository(job->source.root) ? 0 : -ENOENT;

	for (size_t i = 0; r == 0 && i < sizeof(options) / sizeof(options[0]); i++)
		r = strv_append(&words, str_from(options[i]));
	if (r == 0)
		r = add_patterns(root_fd, &words);
	if (r < 0)
		return r;

	r = git_run(job, job->source.root, (const char *const *)words, &ret->text);
	if (r != 0)
		return r < 0 ? r : -ENOENT;
	return split(ret);
}

static bool has(const struct source_ignored *ignored, struct str path)
{
	return ignored->n_paths > 0 &&
	       bsearch(&path, ignored->paths, ignored->n_paths, sizeof(path), by_bytes);
}

bool source_ignored_has(const struct source_ignored *ignored, struct str path)
{
	_cleanup_(strbuf_done) struct strbuf dir = STRBUF_INIT;

	if (has(ignored, path))
		return true;
	strbuf_addstr(&dir, path);
	strbuf_addc(&dir, '/');
	return has(ignored, strbuf_str(&dir));
}
