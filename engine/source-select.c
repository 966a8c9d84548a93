/* Selecting source code: the walk, and what git lists. */
#include "engine/source-select.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/git.h"
#include "engine/strv.h"
#include "engine/text-file.h"

#define GUILDIGNORE_MAX_LEN (1u << 20)

/* A directory on the way down, so that a link to one above is no endless walk. */
struct level {
	const struct level *above;
	dev_t dev;
	ino_t ino;
};

struct walk {
	const struct source_rules *rules;
	source_select_fn fn;
	void *userdata;
	size_t n_files;
};

static bool has(int dir_fd, const char *path)
{
	return faccessat(dir_fd, path, F_OK, 0) == 0;
}

static bool is_pruned_name(const struct source_rules *rules, const char *name)
{
	if (rules->is_git)
		return strcmp(name, ".git") == 0 || strcmp(name, ".guild") == 0;
	if (name[0] == '.')
		return true;
	return rules->python &&
	       (strcmp(name, "__pycache__") == 0 || strcmp(name, "build") == 0 ||
		strcmp(name, "dist") == 0 || str_ends(str_from(name), ".egg-info"));
}

/* A FUSE file system mounted in the project may be our own, and wait for us. */
static bool is_foreign_fuse(int fd, dev_t dev, dev_t dev_above)
{
	struct statfs fs;

	return dev != dev_above && fstatfs(fd, &fs) == 0 &&
	       (unsigned int)fs.f_type == FUSE_SUPER_MAGIC;
}

static bool is_pruned(const struct source_rules *rules, int fd, const struct stat *st,
		      const struct level *above)
{
	if (st->st_dev == rules->home_dev && st->st_ino == rules->home_ino)
		return true;
	if (above && is_foreign_fuse(fd, st->st_dev, above->dev))
		return true;
	for (; above; above = above->above)
		if (above->dev == st->st_dev && above->ino == st->st_ino)
			return true;
	if (has(fd, ".guild-nocopy"))
		return true;
	return !rules->is_git && rules->python &&
	       (has(fd, "bin/activate") || has(fd, "Scripts/activate"));
}

/* What is gone, or may not be read, is left out; any other error is the request's. */
static int pass_over(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP || error == EACCES ||
			       error == EPERM
		       ? 0
		       : -error;
}

/* 1, 0 or -errno. */
static int is_text(int dir_fd, const char *name)
{
	_cleanup_close_ int fd = -1;
	char sample[TEXT_FILE_SAMPLE_LEN];
	int by_name = text_file_by_name(name);
	ssize_t n;

	if (by_name >= 0)
		return by_name == 1;
	fd = openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return pass_over(errno);
	n = read(fd, sample, sizeof(sample));
	if (n < 0)
		return -errno;
	return text_file_by_sample((struct str){ sample, (size_t)n });
}

/* 1, 0 or -errno. */
static int is_selected(const struct walk *walk, int dir_fd, const char *name,
		       const struct stat *st)
{
	if (walk->rules->is_git)
		return fnmatch(".git*", name, 0) != 0 &&
		       strcmp(name, ".guildignore") != 0;
	return st->st_size <= walk->rules->max_size ? is_text(dir_fd, name) : 0;
}

static int found(struct walk *walk, struct str prefix, const char *name)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

	strbuf_addstr(&path, prefix);
	strbuf_adds(&path, name);
	if (strbuf_error(&path) < 0)
		return -ENOMEM;
	walk->n_files++;
	return walk->fn(walk->userdata, strbuf_str(&path));
}

static int walk_dir(struct walk *walk, int dir_fd, struct str prefix,
		    const struct level *above);

static int walk_below(struct walk *walk, int dir_fd, struct str prefix, const char *name,
		      const struct level *above)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	_cleanup_close_ int fd = -1;

	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return pass_over(errno);
	strbuf_addstr(&path, prefix);
	strbuf_addf(&path, "%s/", name);
	if (strbuf_error(&path) < 0)
		return -ENOMEM;
	return walk_dir(walk, fd, strbuf_str(&path), above);
}

/* One entry of a directory: files in the first round, directories in the second. */
static int walk_entry(struct walk *walk, int dir_fd, struct str prefix, const char *name,
		      const struct level *level, bool want_dirs)
{
	struct stat st;
	int r;

	if (fstatat(dir_fd, name, &st, 0) < 0)
		return pass_over(errno);
	if (want_dirs)
		return S_ISDIR(st.st_mode) && !is_pruned_name(walk->rules, name)
			       ? walk_below(walk, dir_fd, prefix, name, level)
			       : 0;
	if (!S_ISREG(st.st_mode) || walk->n_files >= walk->rules->max_files)
		return 0;
	r = is_selected(walk, dir_fd, name, &st);
	return r > 0 ? found(walk, prefix, name) : r;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Guild's order, which decides which files are the first 100: files, then directories. */
static int walk_dir(struct walk *walk, int dir_fd, struct str prefix,
		    const struct level *above)
{
	struct level level = { .above = above };
	struct dirent **entries;
	struct stat st;
	int n_entries;
	int r = 0;

	if (fstat(dir_fd, &st) < 0)
		return -errno;
	if (above && is_pruned(walk->rules, dir_fd, &st, above))
		return 0;
	level.dev = st.st_dev;
	level.ino = st.st_ino;
	n_entries = scandirat(dir_fd, ".", &entries, is_entry, by_name);
	if (n_entries < 0)
		return pass_over(errno);
	for (int i = 0; i < 2 * n_entries && r == 0; i++)
		r = walk_entry(walk, dir_fd, prefix, entries[i % n_entries]->d_name,
			       &level, i >= n_entries);
	for (int i = 0; i < n_entries; i++)
		free(entries[i]);
	free(entries);
	return r;
}

int source_select_walk(const struct source_rules *rules, int root_fd, source_select_fn fn,
		       void *userdata)
{
	struct walk walk = { rules, fn, userdata, 0 };

	return walk_dir(&walk, root_fd, STR(""), NULL);
}

/* What git listed: paths between NULs. */
struct listing {
	struct strbuf text;
	struct str *paths; /* sorted */
	size_t n_paths;
};

static void listing_done(struct listing *listing)
{
	strbuf_done(&listing->text);
	free(listing->paths);
}

static int by_bytes(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	size_t len = x->len < y->len ? x->len : y->len;
	int order = len > 0 ? memcmp(x->data, y->data, len) : 0;

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static int listing_split(struct listing *listing)
{
	struct str rest = strbuf_str(&listing->text);
	struct str path;
	size_t n = 0;

	for (size_t i = 0; i < rest.len; i++)
		n += rest.data[i] == '\0';
	listing->paths = calloc(n + 1, sizeof(*listing->paths));
	if (!listing->paths)
		return -ENOMEM;
	while (str_split(&rest, '\0', &path))
		listing->paths[listing->n_paths++] = path;
	qsort(listing->paths, listing->n_paths, sizeof(*listing->paths), by_bytes);
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
		if (line.len == 0 || line.data[0] == '#')
			continue;
		r = strv_append(words, STR("-x"));
		if (r == 0)
			r = strv_append(words, line);
	}
	return r;
}

/* 0; -ENOENT when this is no work tree, or there is no git. */
static int list(const struct job *job, int root_fd, const char *options,
		struct listing *ret)
{
	_cleanup_(strv_freep) char **words = NULL;
	int r;

	r = strv_append(&words, STR("ls-files"));
	if (r == 0)
		r = strv_append(&words, STR("-z"));
	if (r == 0)
		r = strv_append(&words, STR("--exclude-standard"));
	if (r == 0)
		r = strv_append(&words, str_from(options));
	if (r == 0)
		r = add_patterns(root_fd, &words);
	if (r < 0)
		return r;

	r = git_run(job, (const char *const *)words, &ret->text);
	if (r != 0)
		return r < 0 ? r : -ENOENT;
	return listing_split(ret);
}

/* Whether a directory on the way to @path is none of the source. */
static bool is_below_pruned(const struct source_rules *rules, int root_fd,
			    const char *path, const struct level *root)
{
	for (const char *slash = strchr(path, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		_cleanup_free_ char *dir = strndup(path, (size_t)(slash - path));
		_cleanup_close_ int fd = -1;
		const char *name = dir ? strrchr(dir, '/') : NULL;
		struct stat st;

		if (!dir || is_pruned_name(rules, name ? name + 1 : dir))
			return true;
		fd = openat(root_fd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0 || is_pruned(rules, fd, &st, root))
			return true;
	}
	return false;
}

/* One path that git listed; what is a directory is a link, or a repository of its own. */
static int take_listed(struct walk *walk, int root_fd, const char *path,
		       const struct level *root)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	struct stat st;

	if (fstatat(root_fd, path, &st, 0) < 0 ||
	    is_below_pruned(walk->rules, root_fd, path, root))
		return 0;
	if (S_ISDIR(st.st_mode) && !is_pruned_name(walk->rules, name))
		return walk_below(walk, root_fd, STR(""), path, root);
	if (!S_ISREG(st.st_mode) || !is_selected(walk, root_fd, name, &st))
		return 0;
	return found(walk, STR(""), path);
}

int source_select_git(const struct job *job, const struct source_rules *rules,
		      int root_fd, source_select_fn fn, void *userdata)
{
	_cleanup_(listing_done) struct listing listed = { 0 };
	_cleanup_(listing_done) struct listing ignored = { 0 };
	struct walk walk = { rules, fn, userdata, 0 };
	struct level root = { 0 };
	struct stat st;
	int r;

	if (fstat(root_fd, &st) < 0)
		return -errno;
	root.dev = st.st_dev;
	root.ino = st.st_ino;
	r = list(job, root_fd, "-co", &listed);
	/* Guild takes no file that is to be ignored, be it in the repository or not. */
	if (r == 0)
		r = list(job, root_fd, "-ci", &ignored);
	for (size_t i = 0; i < listed.n_paths && r == 0; i++) {
		struct str path = listed.paths[i];
		_cleanup_free_ char *copy = NULL;

		if (bsearch(&path, ignored.paths, ignored.n_paths, sizeof(path),
			    by_bytes))
			continue;
		while (str_ends(path, "/"))
			path.len--;
		copy = str_dup(path);
		r = copy ? take_listed(&walk, root_fd, copy, &root) : -ENOMEM;
	}
	return r;
}
