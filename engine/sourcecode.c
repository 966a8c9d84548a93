/* The source code of a project: selection, copy, manifest, digest. */
#include "engine/sourcecode.h"

#include <errno.h>
#include <fcntl.h>
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

#define DEFAULT_MAX_SIZE  (1 << 20)
#define DEFAULT_MAX_FILES 100
#define COPY_STEP	  65536

void sourcecode_done(struct sourcecode *source)
{
	for (size_t i = 0; i < source->n_files; i++)
		free(source->files[i].path);
	free(source->files);
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

/* A source_select_fn. */
static int add(void *userdata, struct str path)
{
	struct sourcecode *source = userdata;
	struct source_file *files;
	char *copy;

	/* .guild is the run's own there; a file of that name can't be. */
	if (str_is(path, ".guild"))
		return 0;
	files = reallocarray(source->files, source->n_files + 1, sizeof(*files));
	if (!files)
		return -ENOMEM;
	source->files = files;
	copy = str_dup(path);
	if (!copy)
		return -ENOMEM;
	files[source->n_files++] = (struct source_file){ .path = copy };
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
	struct source_rules rules = {
		.python = job->source.python,
		.max_size =
			limit(job, "MAX_DEFAULT_SOURCECODE_FILE_SIZE", DEFAULT_MAX_SIZE),
		.max_files = (size_t)limit(job, "MAX_DEFAULT_SOURCECODE_COUNT",
					   DEFAULT_MAX_FILES),
	};
	struct stat home;
	int r;

	if (fstat(home_fd, &home) < 0)
		return -errno;
	rules.home_dev = home.st_dev;
	rules.home_ino = home.st_ino;
	if (git_has_repository(job->source.root)) {
		struct source_rules git_rules = rules;

		git_rules.is_git = true;
		git_rules.max_files = SIZE_MAX;
		r = source_select_git(job, &git_rules, root_fd, add, ret);
		if (r != -ENOENT)
			return r;
	}
	return source_select_walk(&rules, root_fd, add, ret);
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
		r = add(ret, str_from(job->source.also));
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

/* -ENOENT when the file is gone. */
static int copy_file(struct source_file *file, int root_fd, int dest_fd, MD5_CTX *md5)
{
	_cleanup_close_ int from_fd = -1;
	_cleanup_close_ int to_fd = -1;
	struct stat st;
	SHA1_CTX sha1;
	int r;

	from_fd =
		openat(root_fd, file->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
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
			r = copy_file(&file, root_fd, dest_fd, &md5);
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

int sourcecode_add_manifest(const struct sourcecode *source, struct strbuf *ret)
{
	for (size_t i = 0; i < source->n_files; i++) {
		struct str path = str_from(source->files[i].path);

		strbuf_adds(ret, "s ");
		strbuf_add_shell(ret, path);
		strbuf_addf(ret, " %s ", source->files[i].sha1);
		strbuf_add_shell(ret, path);
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

int sourcecode_add_commit(const struct job *job, struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf commit = STRBUF_INIT;
	int r;

	if (!job->source.vcs_commit || is_one(job, "NO_VCS_COMMIT") ||
	    !git_has_repository(job->source.root))
		return -ENOENT;
	r = git_commit(job, &commit);
	if (r < 0)
		return r;
	return strbuf_addf(ret, "git:%s\n", strbuf_cstr(&commit));
}
