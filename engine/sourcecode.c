/* The source code of a project: selection, copy, manifest, digest. */
#include "engine/sourcecode.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <md5.h>
#include <sha1.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/durable.h"
#include "engine/file.h"
#include "engine/git.h"
#include "engine/source-select.h"
#include "engine/strv.h"

#define DEFAULT_MAX_SIZE  (1 << 20)
#define DEFAULT_MAX_FILES 100
#define COPY_STEP	  65536

/* A project may have any number of files that are too big. */
#define MAX_WARNINGS 100

#define ADVICE                                                                           \
	"To control which files are copied, define 'sourcecode' for the operation in a"  \
	" Guild file."

void sourcecode_done(struct sourcecode *source)
{
	for (size_t i = 0; i < source->n_files; i++)
		free(source->files[i].path);
	free(source->files);
	strv_free(source->warnings);
	*source = SOURCECODE_INIT;
}

bool sourcecode_has(const struct sourcecode *source, const char *path)
{
	for (size_t i = 0; i < source->n_files; i++) {
		if (strcmp(source->files[i].path, path) == 0)
			return true;
	}
	return false;
}

void sourcecode_drop(struct sourcecode *source, const char *path)
{
	size_t i = 0;

	while (i < source->n_files && strcmp(source->files[i].path, path) != 0)
		i++;
	if (i == source->n_files)
		return;
	free(source->files[i].path);
	source->n_files--;
	memmove(&source->files[i], &source->files[i + 1],
		(source->n_files - i) * sizeof(*source->files));
}

/* The part of a job's path in the run that the path from its root follows. */
static size_t dest_len(const struct job *job)
{
	return job->source.dest ? strlen(job->source.dest) : 0;
}

static int add(const struct job *job, struct sourcecode *source, struct str path)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	struct source_file *files;

	if (job->source.dest)
		strbuf_adds(&text, job->source.dest);
	strbuf_addstr(&text, path);
	/* .guild is the run's own there; a file of that name can't be. */
	if (str_is(strbuf_str(&text), ".guild"))
		return 0;
	files = reallocarray(source->files, source->n_files + 1, sizeof(*files));
	if (!files)
		return -ENOMEM;
	source->files = files;
	files[source->n_files] = (struct source_file){ .path = strbuf_take(&text) };
	if (!files[source->n_files].path)
		return -ENOMEM;
	source->n_files++;
	return 0;
}

/* What is looked for, and how far that is. */
struct search {
	const struct job *job;
	size_t max_files;
	bool told_of_many;
	struct sourcecode *source;
};

static int warn_of_size(struct search *search, struct str path)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	if (strv_length(search->source->warnings) >= MAX_WARNINGS)
		return 0;
	strbuf_adds(&text, "Skipping source code file ");
	strbuf_addstr(&text, path);
	strbuf_adds(&text, " because it's too big. " ADVICE);
	return strv_take(&search->source->warnings, strbuf_take(&text));
}

static int warn_of_number(struct search *search)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	if (search->told_of_many)
		return 0;
	search->told_of_many = true;
	strbuf_addf(&text,
		    "Found more than %zu source code files but will only copy %zu as a"
		    " safety measure. " ADVICE,
		    search->max_files, search->max_files);
	return strv_take(&search->source->warnings, strbuf_take(&text));
}

/* A source_select_fn. */
static int on_file(void *userdata, enum source_verdict verdict, struct str path)
{
	struct search *search = userdata;

	switch (verdict) {
	case SOURCE_TAKEN:
		return add(search->job, search->source, path);
	case SOURCE_TOO_BIG:
		return warn_of_size(search, path);
	case SOURCE_TOO_MANY:
		return warn_of_number(search);
	}
	return 0;
}

static int by_path(const void *a, const void *b)
{
	const struct source_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/* git lists a path with conflicts several times. */
static void sort(struct sourcecode *source)
{
	size_t n_files = 0;

	if (source->n_files == 0)
		return;
	qsort(source->files, source->n_files, sizeof(*source->files), by_path);
	for (size_t i = 1; i < source->n_files; i++) {
		if (strcmp(source->files[i].path, source->files[n_files].path) == 0)
			free(source->files[i].path);
		else
			source->files[++n_files] = source->files[i];
	}
	source->n_files = n_files + 1;
}

static bool is_one(const struct job *job, const char *name)
{
	const char *value = job_getenv(job, name);

	return value && strcmp(value, "1") == 0;
}

/* A limit from the environment; what is no number says nothing. */
static long long limit(const struct job *job, const char *name, long long otherwise)
{
	const char *text = job_getenv(job, name);
	long long value;
	char *end;

	if (!text || !*text)
		return otherwise;
	value = strtoll(text, &end, 10);
	return *end || value < 0 ? otherwise : value;
}

static int select_files(const struct job *job, int root_fd, int home_fd,
			struct sourcecode *ret)
{
	_cleanup_(source_ignored_done) struct source_ignored ignored =
		SOURCE_IGNORED_INIT;
	_cleanup_(source_rules_done) struct source_rules rules = SOURCE_RULES_INIT;
	struct search search = {
		.job = job,
		.max_files = (size_t)limit(job, "MAX_DEFAULT_SOURCECODE_COUNT",
					   DEFAULT_MAX_FILES),
		.source = ret,
	};
	struct source_selection selection = {
		.rules = &rules,
		.python = job->source.python,
		.max_size =
			limit(job, "MAX_DEFAULT_SOURCECODE_FILE_SIZE", DEFAULT_MAX_SIZE),
		.max_files = search.max_files,
	};
	struct stat home;
	int r;

	if (fstat(home_fd, &home) < 0)
		return -errno;
	selection.home_dev = home.st_dev;
	selection.home_ino = home.st_ino;
	r = source_rules_resolve(&job->source.rules, root_fd, &rules);
	if (r < 0)
		return r;
	r = source_ignored_read(job, root_fd, &ignored);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0)
		selection.ignored = &ignored;
	return source_select(&selection, root_fd, on_file, &search);
}

int sourcecode_select(const struct job *job, int home_fd, struct sourcecode *ret,
		      struct strbuf *ret_why)
{
	_cleanup_close_ int root_fd = -1;
	int r = 0;

	root_fd = open(job->source.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		r = -errno;
	if (r == 0 && !is_one(job, "NO_SOURCECODE"))
		r = select_files(job, root_fd, home_fd, ret);
	/* The program itself, which may be no text, or the 101st file. */
	if (r == 0 && job->source.also &&
	    faccessat(root_fd, job->source.also, F_OK, 0) == 0)
		r = add(job, ret, str_from(job->source.also));
	if (r < 0) {
		strbuf_addf(ret_why, "cannot read the project %s: %s", job->source.root,
			    strerror(-r));
		return r;
	}
	sort(ret);
	return 0;
}

/* Copies all of @from_fd to @to_fd, and adds it to both digests. */
static int copy_content(int from_fd, int to_fd, SHA1_CTX *sha1, MD5_CTX *md5)
{
	uint8_t buffer[COPY_STEP];
	ssize_t n;
	int r;

	for (;;) {
		n = read(from_fd, buffer, sizeof(buffer));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		SHA1Update(sha1, buffer, (size_t)n);
		MD5Update(md5, buffer, (size_t)n);
		r = file_write_fd(to_fd, (struct str){ (char *)buffer, (size_t)n });
		if (r < 0)
			return r;
	}
}

static int create_copy(int dest_fd, const char *path, mode_t mode)
{
	_cleanup_close_ int dir_fd = -1;
	_cleanup_close_ int fd = -1;
	const char *name;

	dir_fd = durable_open_parent(dest_fd, path, true, &name);
	if (dir_fd < 0)
		return dir_fd;
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0 || fchmod(fd, mode & 0777) < 0)
		return -errno;
	return take_fd(&fd);
}

/* @from is its path from the root. -ENOENT when the file is gone. */
static int copy_file(struct source_file *file, int root_fd, const char *from, int dest_fd,
		     MD5_CTX *md5)
{
	_cleanup_close_ int from_fd = -1;
	_cleanup_close_ int to_fd = -1;
	struct stat st;
	SHA1_CTX sha1;
	int r;

	from_fd = openat(root_fd, from, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (from_fd < 0 || fstat(from_fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	to_fd = create_copy(dest_fd, file->path, st.st_mode);
	if (to_fd < 0)
		return to_fd;

	SHA1Init(&sha1);
	MD5Update(md5, (const uint8_t *)file->path, strlen(file->path) + 1);
	r = copy_content(from_fd, to_fd, &sha1, md5);
	if (r < 0)
		return r;
	MD5Update(md5, (const uint8_t *)"", 1);
	(void)SHA1End(&sha1, file->sha1);
	(void)sync_file_range(to_fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return 0;
}

int sourcecode_copy(const struct job *job, struct sourcecode *source, int dest_fd,
		    struct strbuf *ret_why)
{
	_cleanup_close_ int root_fd = -1;
	size_t n_found = source->n_files;
	MD5_CTX md5;
	int r = 0;

	root_fd = open(job->source.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -errno;
	MD5Init(&md5);
	source->n_files = 0;
	for (size_t i = 0; i < n_found; i++) {
		struct source_file file = source->files[i];

		if (r == 0)
			r = copy_file(&file, root_fd, file.path + dest_len(job), dest_fd,
				      &md5);
		if (r == 0) {
			source->files[source->n_files++] = file;
			continue;
		}
		if (r == -ENOENT)
			r = 0; /* deleted since it was found */
		else if (ret_why->len == 0)
			strbuf_addf(ret_why, "cannot copy the source code file %s: %s",
				    file.path, strerror(-r));
		free(file.path);
	}
	if (source->n_files > 0)
		(void)MD5End(&md5, source->digest);
	return r;
}

static int write_out_path(int dir_fd, const char *path)
{
	_cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : durable_write_out(fd);
}

static int sync_path(int dir_fd, const char *path)
{
	_cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* The part of a path that names its directory. */
static struct str dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return (struct str){ path, slash ? (size_t)(slash - path) : 0 };
}

static int sync_dir_of(int dest_fd, const char *path)
{
	_cleanup_close_ int dir_fd = -1;
	const char *name;

	dir_fd = durable_open_parent(dest_fd, path, false, &name);
	if (dir_fd < 0)
		return dir_fd;
	return fsync(dir_fd) < 0 ? -errno : 0;
}

int sourcecode_sync(const struct sourcecode *source, int dest_fd)
{
	for (size_t i = 0; i < source->n_files; i++) {
		int r = write_out_path(dest_fd, source->files[i].path);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < source->n_files; i++) {
		const char *path = source->files[i].path;
		const char *next =
			i + 1 < source->n_files ? source->files[i + 1].path : NULL;
		int r = sync_path(dest_fd, path);

		if (r == 0 && (!next || !str_eq(dir_of(path), dir_of(next))))
			r = sync_dir_of(dest_fd, path);
		if (r < 0)
			return r;
	}
	return 0;
}

int sourcecode_add_manifest(const struct job *job, const struct sourcecode *source,
			    struct strbuf *ret)
{
	const char *prefix = job->source.prefix ? job->source.prefix : "";

	for (size_t i = 0; i < source->n_files; i++) {
		_cleanup_(strbuf_done) struct strbuf from = STRBUF_INIT;
		const char *path = source->files[i].path;

		if (strbuf_addf(&from, "%s%s", prefix, path + dest_len(job)) < 0)
			return -ENOMEM;
		strbuf_adds(ret, "s ");
		strbuf_add_shell(ret, str_from(path));
		strbuf_addf(ret, " %s ", source->files[i].sha1);
		strbuf_add_shell(ret, strbuf_str(&from));
		strbuf_addc(ret, '\n');
	}
	return strbuf_error(ret);
}

int sourcecode_add_digest(const struct sourcecode *source, struct strbuf *ret)
{
	if (source->n_files == 0)
		return strbuf_adds(ret, "null\n");
	/* Of digits alone, or digits and an e, it would be read as a number. */
	if (strspn(source->digest, "0123456789e") == strlen(source->digest))
		return strbuf_addf(ret, "'%s'\n", source->digest);
	return strbuf_addf(ret, "%s\n", source->digest);
}

/* A text in double quotes is one in YAML as in JSON. */
int sourcecode_add_warnings(const struct sourcecode *source, struct strbuf *ret)
{
	for (char **warning = source->warnings; warning && *warning; warning++) {
		json_auto_t *text = json_string(*warning);
		_cleanup_free_ char *line =
			text ? json_dumps(text, JSON_ENCODE_ANY) : NULL;

		/* A path that is no UTF-8 can't stand in YAML. */
		if (line)
			strbuf_addf(ret, "- %s\n", line);
	}
	return strbuf_error(ret);
}

int sourcecode_add_commit(const struct job *job, struct strbuf *ret)
{
	const char *dir = job->source.project ? job->source.project : job->source.root;
	_cleanup_(strbuf_done) struct strbuf commit = STRBUF_INIT;
	int r;

	if (!job->source.vcs_commit || is_one(job, "NO_VCS_COMMIT") ||
	    !git_has_repository(dir))
		return -ENOENT;
	r = git_commit(job, dir, &commit);
	if (r < 0)
		return r;
	return strbuf_addf(ret, "git:%s\n", strbuf_cstr(&commit));
}
