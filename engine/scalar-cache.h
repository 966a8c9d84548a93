/*
 * HOME/cache/runfs/scalars/ID: what the output of a run has said so far, so that it need
 * not be read again. A file that is not as it should be, or is another run's or another
 * start's, counts for nothing; it is written beside and put in place by rename.
 */
#pragma once

#include "engine/output-lines.h"
#include "engine/scalar-series.h"
#include "engine/strbuf.h"

#define SCALAR_KEY_LEN 32 /* hex digits */

/* What a file is for and up to where it goes. */
struct scalar_cache {
	char key[SCALAR_KEY_LEN + 1]; /* of the start, and of what is looked for */
	struct output_lines lines;    /* with nothing ahead */
	struct str slow;	      /* of scalar_rules_slow() */
};

/* Appends the content of a file. 0 or -ENOMEM. */
int scalar_cache_format(const struct scalar_cache *cache,
			const struct scalar_series *series, struct strbuf *ret);

/* Reads one; @ret_cache->slow is a view of @text. 0, -EBADMSG, -ENOMEM. */
int scalar_cache_parse(struct str text, struct scalar_cache *ret_cache,
		       struct scalar_series **ret_series);

/* A file that is being read or written, a piece at a time. */
struct scalar_cache_file {
	int dir_fd, fd;
	char *name;   /* while it is written: where it lies until then */
	size_t begin; /* of what is still to be written */
	struct strbuf text;
};

#define SCALAR_CACHE_FILE_INIT                                                           \
	((struct scalar_cache_file){ .dir_fd = -1, .fd = -1, .text = STRBUF_INIT })

/* Takes away what has not been put in place. */
void scalar_cache_file_done(struct scalar_cache_file *file);

bool scalar_cache_file_is_open(const struct scalar_cache_file *file);

/* Each pair: 0 or -errno; then 1 while there is more to do, 0 at the end, or -errno. */
int scalar_cache_file_read(struct scalar_cache_file *file, int home_fd, const char *id);
int scalar_cache_file_read_on(struct scalar_cache_file *file);
int scalar_cache_file_write(struct scalar_cache_file *file, int home_fd, const char *id);
int scalar_cache_file_write_on(struct scalar_cache_file *file, const char *id);

/* Removes the file of @id, if there is one. */
void scalar_cache_remove(int home_fd, const char *id);
