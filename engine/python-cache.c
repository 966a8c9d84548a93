/* The cache of what Python says of scripts. */
#include "engine/python-cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <md5.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/durable.h"
#include "engine/file.h"
#include "engine/path.h"

#define DIR_NAME       "cache/runfs/flags/"
#define SCRIPT_MAX_LEN (4u << 20)

/* The first line, before the digest of the rest; another form has another one. */
#define FORM "runfs flags 1 "

static void add(MD5_CTX *md5, struct str text)
{
	MD5Update(md5, (const uint8_t *)text.data, text.len);
	MD5Update(md5, (const uint8_t *)"", 1);
}

static void add_stamp(MD5_CTX *md5, const struct stat *st)
{
	const int64_t numbers[] = { (int64_t)st->st_size, (int64_t)st->st_mtim.tv_sec,
				    (int64_t)st->st_mtim.tv_nsec, (int64_t)st->st_ino };

	MD5Update(md5, (const uint8_t *)numbers, sizeof(numbers));
}

/* The interpreter and the helper are named by path: another version is another file. */
static void add_words(MD5_CTX *md5, char *const *argv, const char *script)
{
	for (; *argv; argv++) {
		_cleanup_close_ int fd = -1;
		struct stat st;

		add(md5, str_from(*argv));
		if (**argv != '/' || strcmp(*argv, script) == 0)
			continue;
		fd = path_open(AT_FDCWD, *argv);
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
			add_stamp(md5, &st);
	}
}

static int is_module(const struct dirent *entry)
{
	return str_ends(str_from(entry->d_name), ".py");
}

/* What may be imported from the directory @path. */
static void add_modules(MD5_CTX *md5, const char *path)
{
	_cleanup_close_ int dir_fd = path_open(AT_FDCWD, path);
	struct dirent **entries = NULL;
	int n = dir_fd < 0 ? 0 : scandirat(dir_fd, ".", &entries, is_module, alphasort);

	for (int i = 0; i < n; i++) {
		_cleanup_close_ int fd = path_open(dir_fd, entries[i]->d_name);
		struct stat st;

		if (fd >= 0 && fstat(fd, &st) == 0) {
			add(md5, str_from(entries[i]->d_name));
			add_stamp(md5, &st);
		}
		free(entries[i]);
	}
	free(entries);
}

int python_cache_key(char *const *argv, const char *script, bool runs, const char *root,
		     char ret[PYTHON_CACHE_KEY_LEN + 1])
{
	_cleanup_(strbuf_done) struct strbuf content = STRBUF_INIT, dir = STRBUF_INIT;
	const char *slash = strrchr(script, '/');
	MD5_CTX md5;
	int r = path_read(AT_FDCWD, script, SCRIPT_MAX_LEN, &content);

	if (r < 0)
		return r;
	MD5Init(&md5);
	add(&md5, strbuf_str(&content));
	add_words(&md5, argv, script);
	if (runs) {
		const char *python_path = getenv("PYTHONPATH");

		add(&md5, str_from(python_path));
		strbuf_add(&dir, script, slash ? (size_t)(slash - script) : 0);
		strbuf_adds(&dir, slash == script ? "/" : "");
		add_modules(&md5, strbuf_cstr(&dir));
		if (root)
			add_modules(&md5, root);
	}
	(void)MD5End(&md5, ret);
	return strbuf_error(&dir);
}

/* A link in the home may lead into our own mount, where we would wait for ourselves. */
static int open_dir(int home_fd, bool make)
{
	const char *name;

	return durable_open_parent(home_fd, DIR_NAME, make, &name);
}

/* Where packages are installed, each is a change of the directory. */
static bool is_up_to_date(const json_t *answer)
{
	const json_t *sites = json_object_get(answer, "sites");

	for (size_t i = 0; i < json_array_size(sites); i++) {
		const json_t *site = json_array_get(sites, i);
		const char *path = json_string_value(json_object_get(site, "path"));
		_cleanup_close_ int fd = path ? path_open(AT_FDCWD, path) : -1;
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0 ||
		    json_integer_value(json_object_get(site, "mtime_ns")) !=
			    (json_int_t)st.st_mtim.tv_sec * 1000000000 +
				    st.st_mtim.tv_nsec)
			return false;
	}
	return true;
}

/* The first line of a file that has @text after it. */
static int add_head(struct str text, struct strbuf *ret)
{
	char digest[MD5_DIGEST_STRING_LENGTH];

	(void)MD5Data((const uint8_t *)text.data, text.len, digest);
	return strbuf_addf(ret, FORM "%s\n", digest);
}

int python_cache_load(int home_fd, const char *key, json_t **ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, head = STRBUF_INIT;
	_cleanup_close_ int dir_fd = open_dir(home_fd, false);
	json_auto_t *answer = NULL;
	struct str rest, line;
	int r;

	if (dir_fd < 0)
		return dir_fd;
	r = file_read(dir_fd, key, PYTHON_CACHE_MAX_LEN, &text);
	if (r < 0)
		return r;
	rest = strbuf_str(&text);
	if (!str_split(&rest, '\n', &line) || add_head(rest, &head) < 0 ||
	    !str_starts(strbuf_str(&text), strbuf_cstr(&head)))
		return -EBADMSG;
	answer = json_loadb(rest.data, rest.len, 0, NULL);
	if (!json_is_object(answer))
		return -EBADMSG;
	if (!is_up_to_date(answer))
		return -ENOENT;
	*ret = json_incref(answer);
	return 0;
}

struct aged {
	char *name;
	struct timespec mtime;
};

static int by_age(const void *a, const void *b)
{
	const struct aged *x = a, *y = b;

	if (x->mtime.tv_sec != y->mtime.tv_sec)
		return x->mtime.tv_sec < y->mtime.tv_sec ? -1 : 1;
	return (x->mtime.tv_nsec > y->mtime.tv_nsec) -
	       (x->mtime.tv_nsec < y->mtime.tv_nsec);
}

static int is_file(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Removes the older half when there are too many files. */
static void prune(int dir_fd)
{
	struct dirent **entries = NULL;
	int n = scandirat(dir_fd, ".", &entries, is_file, NULL);
	_cleanup_free_ struct aged *files =
		n > PYTHON_CACHE_MAX_FILES ? calloc((size_t)n, sizeof(*files)) : NULL;

	for (int i = 0; files && i < n; i++) {
		struct stat st = { 0 };

		(void)fstatat(dir_fd, entries[i]->d_name, &st, AT_SYMLINK_NOFOLLOW);
		files[i] = (struct aged){ entries[i]->d_name, st.st_mtim };
	}
	if (files)
		qsort(files, (size_t)n, sizeof(*files), by_age);
	for (int i = 0; files && i < n - PYTHON_CACHE_MAX_FILES / 2; i++)
		(void)unlinkat(dir_fd, files[i].name, 0);
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
}

int python_cache_store(int home_fd, const char *key, const json_t *answer)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_free_ char *json = json_dumps(answer, JSON_COMPACT);
	_cleanup_close_ int dir_fd = -1;
	int r;

	if (!json || add_head(str_from(json), &text) < 0 || strbuf_adds(&text, json) < 0)
		return -ENOMEM;
	if (text.len > PYTHON_CACHE_MAX_LEN)
		return -EFBIG;
	/* Looking at operations leaves a home that nobody has used as it is. */
	if (faccessat(home_fd, "runs", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	dir_fd = open_dir(home_fd, true);
	if (dir_fd < 0)
		return dir_fd;
	r = file_write(dir_fd, key, strbuf_str(&text), 0644, false);
	prune(dir_fd);
	return r;
}
