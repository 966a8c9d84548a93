/* Selecting source code: the walk, and what the rules say on the way. */
#include "engine/source-select.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/text-file.h"

/* A directory on the way down, so that a link to one above is no endless walk. */
struct level {
	const struct level *above;
	dev_t dev;
	ino_t ino;
};

struct walk {
	const struct source_selection *selection;
	source_select_fn fn;
	void *userdata;
	size_t n_matches;  /* of the default rule that has a limit */
	bool is_overruled; /* the operation's own rules leave nothing to the default */
	bool has_file_rules;
};

/* An entry of a directory. */
struct entry {
	int dir_fd;
	const char *name;
	struct str path; /* from the root */
	off_t size;
	int is_text; /* -1: not looked at yet */
	int error;   /* of that look, or 0 */
};

/* What is gone, or may not be read, is left out; any other error is the request's. */
static int pass_over(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP || error == EACCES ||
			       error == EPERM
		       ? 0
		       : -error;
}

static bool has(int dir_fd, const char *path)
{
	return faccessat(dir_fd, path, F_OK, 0) == 0;
}

static bool is_text(struct entry *entry)
{
	_cleanup_close_ int fd = -1;
	char sample[TEXT_FILE_SAMPLE_LEN];
	ssize_t n;

	if (entry->is_text < 0)
		entry->is_text = text_file_by_name(entry->name);
	if (entry->is_text >= 0)
		return entry->is_text == 1;
	entry->is_text = 0;
	fd = openat(entry->dir_fd, entry->name,
		    O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, sample, sizeof(sample));
	if (fd < 0)
		entry->error = pass_over(errno);
	else if (n < 0)
		entry->error = -errno;
	else
		entry->is_text = text_file_by_sample((struct str){ sample, (size_t)n });
	return entry->is_text == 1;
}

/* A FUSE file system mounted in the project may be our own, and wait for us. */
static bool is_foreign_fuse(int fd, dev_t dev, dev_t dev_above)
{
	struct statfs fs;

	return dev != dev_above && fstatfs(fd, &fs) == 0 &&
	       (unsigned int)fs.f_type == FUSE_SUPER_MAGIC;
}

/* What no rule can bring back. */
static bool is_closed(const struct source_selection *selection, int fd,
		      const struct stat *st, const struct level *above)
{
	if (st->st_dev == selection->home_dev && st->st_ino == selection->home_ino)
		return true;
	if (is_foreign_fuse(fd, st->st_dev, above->dev))
		return true;
	for (; above; above = above->above)
		if (above->dev == st->st_dev && above->ino == st->st_ino)
			return true;
	return false;
}

static bool is_build_product(int fd, const char *name)
{
	return strcmp(name, "__pycache__") == 0 || strcmp(name, "build") == 0 ||
	       strcmp(name, "dist") == 0 || str_ends(str_from(name), ".egg-info") ||
	       has(fd, "bin/activate") || has(fd, "Scripts/activate");
}

/* Is the directory @fd passed over? */
static bool is_pruned(const struct source_selection *selection, int fd,
		      const struct entry *entry)
{
	bool pruned = has(fd, ".guild-nocopy");

	if (selection->ignored)
		pruned |= strcmp(entry->name, ".git") == 0 ||
			  source_ignored_has(selection->ignored, entry->path);
	else
		pruned |= entry->name[0] == '.' ||
			  (selection->python && is_build_product(fd, entry->name));
	for (size_t i = 0; i < selection->rules->n_items; i++) {
		const struct source_rule *rule = &selection->rules->items[i];

		if (rule->type == SOURCE_RULE_DIR &&
		    source_rule_matches(rule, entry->path))
			pruned = !rule->include;
	}
	return pruned;
}

/* By the default rules. @ret_why: the limit that keeps it out, else SOURCE_TAKEN. */
static bool is_taken_by_default(struct walk *walk, struct entry *entry,
				enum source_verdict *ret_why)
{
	const struct source_selection *selection = walk->selection;

	*ret_why = SOURCE_TAKEN;
	if (walk->is_overruled)
		return false;
	if (selection->ignored)
		return !str_starts(str_from(entry->name), ".git") &&
		       strcmp(entry->name, ".guildignore") != 0 &&
		       !source_ignored_has(selection->ignored, entry->path);
	if (!is_text(entry))
		return false;
	if (entry->size > selection->max_size)
		*ret_why = SOURCE_TOO_BIG;
	else if (walk->n_matches >= selection->max_files)
		*ret_why = SOURCE_TOO_MANY;
	else
		walk->n_matches++;
	return *ret_why == SOURCE_TAKEN;
}

static bool fits_type(const struct source_rule *rule, struct entry *entry)
{
	switch (rule->type) {
	case SOURCE_RULE_FILE:
		return true;
	case SOURCE_RULE_TEXT:
		return is_text(entry);
	case SOURCE_RULE_BINARY:
		return !is_text(entry);
	case SOURCE_RULE_DIR:
	case SOURCE_RULE_N_TYPES:
		break;
	}
	return false;
}

static int judge_file(struct walk *walk, struct entry *entry)
{
	const struct source_rules *rules = walk->selection->rules;
	enum source_verdict why;
	bool taken = is_taken_by_default(walk, entry, &why);

	for (size_t i = 0; i < rules->n_items; i++) {
		const struct source_rule *rule = &rules->items[i];

		if (rule->include != taken && source_rule_matches(rule, entry->path) &&
		    fits_type(rule, entry))
			taken = rule->include;
	}
	if (entry->error < 0)
		return entry->error;
	if (taken)
		return walk->fn(walk->userdata, SOURCE_TAKEN, entry->path);
	return why != SOURCE_TAKEN && !walk->has_file_rules
		       ? walk->fn(walk->userdata, why, entry->path)
		       : 0;
}

static int walk_dir(struct walk *walk, int dir_fd, struct str path,
		    const struct level *above);

static int judge_dir(struct walk *walk, const struct entry *entry,
		     const struct level *above)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	/* In a run, that is what the run itself needs. */
	if (strcmp(entry->name, ".guild") == 0)
		return 0;
	fd = openat(entry->dir_fd, entry->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return pass_over(errno);
	if (fstat(fd, &st) < 0)
		return -errno;
	if (is_closed(walk->selection, fd, &st, above) ||
	    is_pruned(walk->selection, fd, entry))
		return 0;
	return walk_dir(walk, fd, entry->path, above);
}

/* One entry of a directory: files in the first round, directories in the second. */
static int walk_entry(struct walk *walk, int dir_fd, struct str dir, const char *name,
		      const struct level *level, bool want_dirs)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	struct entry entry = { .dir_fd = dir_fd, .name = name, .is_text = -1 };
	struct stat st;

	if (fstatat(dir_fd, name, &st, 0) < 0)
		return pass_over(errno);
	if (!(want_dirs ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode)))
		return 0;
	strbuf_addstr(&path, dir);
	strbuf_adds(&path, dir.len > 0 ? "/" : "");
	strbuf_adds(&path, name);
	if (strbuf_error(&path) < 0)
		return -ENOMEM;
	entry.path = strbuf_str(&path);
	entry.size = st.st_size;
	return want_dirs ? judge_dir(walk, &entry, level) : judge_file(walk, &entry);
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
static int walk_dir(struct walk *walk, int dir_fd, struct str path,
		    const struct level *above)
{
	struct level level = { .above = above };
	struct dirent **entries;
	struct stat st;
	int n_entries;
	int r = 0;

	if (fstat(dir_fd, &st) < 0)
		return -errno;
	level.dev = st.st_dev;
	level.ino = st.st_ino;
	n_entries = scandirat(dir_fd, ".", &entries, is_entry, by_name);
	if (n_entries < 0)
		return pass_over(errno);
	for (int i = 0; i < 2 * n_entries && r == 0; i++)
		r = walk_entry(walk, dir_fd, path, entries[i % n_entries]->d_name, &level,
			       i >= n_entries);
	for (int i = 0; i < n_entries; i++)
		free(entries[i]);
	free(entries);
	return r;
}

/* Can any of the rules take a file? If not, there is nothing to look for. */
static bool takes_any(const struct source_rules *rules)
{
	bool any = true;

	for (size_t i = 0; i < rules->n_items; i++) {
		const struct source_rules one = { &rules->items[i], 1 };

		if (rules->items[i].include)
			any = true;
		else if (source_rules_exclude_all(&one))
			any = false;
	}
	return any;
}

int source_select(const struct source_selection *selection, int root_fd,
		  source_select_fn fn, void *userdata)
{
	struct walk walk = { .selection = selection, .fn = fn, .userdata = userdata };

	walk.is_overruled = source_rules_exclude_all(selection->rules);
	for (size_t i = 0; i < selection->rules->n_items; i++)
		walk.has_file_rules |= selection->rules->items[i].type != SOURCE_RULE_DIR;
	return takes_any(selection->rules) ? walk_dir(&walk, root_fd, STR(""), NULL) : 0;
}
