/*
 * Runs a fuzz target on files instead of a fuzzer's inputs: its whole corpus, or the one
 * that a fuzzer has found. A directory stands for the files in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/file.h"

#define MAX_LEN (64u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int replay(int dir_fd, const char *name, size_t *n_replayed)
{
	_cleanup_(strbuf_done) struct strbuf input = STRBUF_INIT;
	_cleanup_free_ uint8_t *copy = NULL;
	int r;

	r = file_read(dir_fd, name, MAX_LEN, &input);
	if (r < 0)
		return r;
	/* Of the exact size, so that a sanitizer sees a read beyond the end. */
	copy = malloc(input.len > 0 ? input.len : 1);
	if (!copy)
		return -ENOMEM;
	if (input.len > 0)
		memcpy(copy, input.data, input.len);
	(void)LLVMFuzzerTestOneInput(copy, input.len);
	(*n_replayed)++;
	return 0;
}

static int replay_all(const char *path, size_t *n_replayed)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOTDIR ? replay(AT_FDCWD, path, n_replayed) : -errno;
	while (r == 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			r = replay(dirfd(dir), entry->d_name, n_replayed);
	}
	return r;
}

int main(int argc, char **argv)
{
	size_t n_replayed = 0;

	for (int i = 1; i < argc; i++) {
		int r = replay_all(argv[i], &n_replayed);

		if (r < 0) {
			(void)fprintf(stderr, "%s: %s\n", argv[i], strerror(-r));
			return 1;
		}
	}
	(void)printf("%zu inputs replayed\n", n_replayed);
	return n_replayed > 0 ? 0 : 1;
}
