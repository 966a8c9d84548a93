/* The cache of a run's scalars. */
#include "engine/scalar-cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/durable.h"
#include "engine/file.h"

#define DIR_NAME  "cache/runfs/scalars/"
#define PIECE_LEN (1u << 20)
#define FILE_MAX  ((size_t)4 << 30)

/* The first line; a file of another form has another one. */
#define FORM "runfs scalars 1\n"

/* Tells a file that was cut or changed from a whole one; nobody is to be kept out. */
static uint64_t sum(struct str text)
{
	uint64_t hash = text.len, word;

	for (; text.len >= sizeof(word); text.data += sizeof(word)) {
		memcpy(&word, text.data, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15;
		hash ^= hash >> 32;
		text.len -= sizeof(word);
	}
	for (; text.len > 0; text.len--)
		hash = (hash ^ (unsigned char)*text.data++) * 0x100000001b3;
	return hash ^ hash >> 29;
}

int scalar_cache_format(const struct scalar_cache *cache,
			const struct scalar_series *series, struct strbuf *ret)
{
	char digits[17];
	size_t start;

	strbuf_adds(ret, FORM);
	start = ret->len;
	strbuf_addf(ret, "%016x\n%s %" PRIu64 " %" PRId64 " %d %zu\n", 0, cache->key,
		    cache->lines.ino, (int64_t)output_lines_place(&cache->lines),
		    cache->lines.skipping, cache->lines.tail_len);
	strbuf_add(ret, cache->lines.tail, cache->lines.tail_len);
	strbuf_addstr(ret, cache->slow);
	strbuf_addc(ret, '\n');
	if (scalar_series_save(series, ret) < 0)
		return -ENOMEM;
	(void)snprintf(
		digits, sizeof(digits), "%016" PRIx64,
		sum((struct str){ ret->data + start + 16, ret->len - start - 16 }));
	memcpy(ret->data + start, digits, 16);
	return 0;
}

/* Takes the first line and the sum off @text, which has a NUL behind it. */
static int check_sum(struct str *text)
{
	char digits[17];

	if (!str_starts(*text, FORM) || text->len < strlen(FORM) + 17)
		return -EBADMSG;
	text->data += strlen(FORM);
	text->len -= strlen(FORM);
	(void)snprintf(digits, sizeof(digits), "%016" PRIx64,
		       sum((struct str){ text->data + 16, text->len - 16 }));
	if (memcmp(digits, text->data, 16) != 0 || text->data[16] != '\n')
		return -EBADMSG;
	text->data += 17;
	text->len -= 17;
	return 0;
}

static int parse_head(struct str *text, struct scalar_cache *ret)
{
	_cleanup_free_ char *head = NULL;
	struct str line;
	int64_t offset;
	int skipping;

	if (!str_split(text, '\n', &line))
		return -EBADMSG;
	head = str_dup(line);
	if (!head)
		return -ENOMEM;
	/* The sum has told that the numbers are ours. */
	if (sscanf(head, "%32s %" SCNu64 " %" SCNd64 " %d %zu", ret->key, &ret->lines.ino,
		   &offset, &skipping, &ret->lines.tail_len) != 5 ||
	    offset < 0 || ret->lines.tail_len > OUTPUT_TAIL_LEN ||
	    ret->lines.tail_len > text->len)
		return -EBADMSG;
	ret->lines.offset = offset;
	ret->lines.skipping = skipping;
	memcpy(ret->lines.tail, text->data, ret->lines.tail_len);
	text->data += ret->lines.tail_len;
	text->len -= ret->lines.tail_len;
	return str_split(text, '\n', &ret->slow) ? 0 : -EBADMSG;
}

int scalar_cache_parse(struct str text, struct scalar_cache *ret_cache,
		       struct scalar_series **ret_series)
{
	int r = check_sum(&text);

	*ret_cache = (struct scalar_cache){ .lines = OUTPUT_LINES_INIT };
	if (r == 0)
		r = parse_head(&text, ret_cache);
	return r < 0 ? r : scalar_series_load(text, ret_series);
}

void scalar_cache_file_done(struct scalar_cache_file *file)
{
	if (file->name)
		(void)unlinkat(file->dir_fd, file->name, 0);
	close_fd(file->dir_fd);
	close_fd(file->fd);
	free(file->name);
	strbuf_done(&file->text);
	*file = SCALAR_CACHE_FILE_INIT;
}

bool scalar_cache_file_is_open(const struct scalar_cache_file *file)
{
	return file->fd >= 0;
}

/* A link in the home may lead into our own mount, where we would wait for ourselves. */
static int open_dir(int home_fd, bool make)
{
	const char *name;

	return durable_open_parent(home_fd, DIR_NAME, make, &name);
}

int scalar_cache_file_read(struct scalar_cache_file *file, int home_fd, const char *id)
{
	_cleanup_close_ int dir_fd = open_dir(home_fd, false);

	if (dir_fd < 0)
		return dir_fd;
	file->fd = file_open_beneath(dir_fd, id, O_RDONLY | O_NONBLOCK);
	return file->fd < 0 ? file->fd : 0;
}

int scalar_cache_file_read_on(struct scalar_cache_file *file)
{
	char *end = strbuf_reserve(&file->text, PIECE_LEN);
	ssize_t n;

	if (!end)
		return -ENOMEM;
	n = read(file->fd, end, PIECE_LEN);
	if (n < 0)
		return -errno;
	strbuf_grew(&file->text, (size_t)n);
	return file->text.len > FILE_MAX ? -EFBIG : n > 0;
}

int scalar_cache_file_write(struct scalar_cache_file *file, int home_fd, const char *id)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT;

	if (strbuf_addf(&name, ".%s.%d", id, (int)getpid()) < 0)
		return -ENOMEM;
	file->dir_fd = open_dir(home_fd, true);
	if (file->dir_fd < 0)
		return file->dir_fd;
	file->fd = openat(file->dir_fd, strbuf_cstr(&name),
			  O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (file->fd < 0)
		return -errno;
	file->name = strbuf_take(&name);
	return 0;
}

int scalar_cache_file_write_on(struct scalar_cache_file *file, const char *id)
{
	size_t rest = file->text.len - file->begin;
	ssize_t n = write(file->fd, file->text.data + file->begin,
			  rest < PIECE_LEN ? rest : PIECE_LEN);

	if (n < 0)
		return -errno;
	file->begin += (size_t)n;
	if (file->begin < file->text.len)
		return 1;
	if (renameat(file->dir_fd, file->name, file->dir_fd, id) < 0)
		return -errno;
	free(take_ptr(file->name));
	return 0;
}

void scalar_cache_remove(int home_fd, const char *id)
{
	_cleanup_close_ int dir_fd = open_dir(home_fd, false);

	if (dir_fd >= 0)
		(void)unlinkat(dir_fd, id, 0);
}
