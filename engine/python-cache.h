/*
 * HOME/cache/runfs/flags/KEY: what Python has said of a script, so that the next mount
 * need not ask again. KEY stands for all that the answer depends on: the script's
 * content, the interpreter and the helper, and what they are told. A file that is not as
 * it should be counts for nothing; of too many, the oldest go.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "engine/strbuf.h"

#define PYTHON_CACHE_KEY_LEN   32	    /* hex digits */
#define PYTHON_CACHE_MAX_LEN   (256u << 10) /* a longer answer is not kept */
#define PYTHON_CACHE_MAX_FILES 256

/*
 * The key of the answer that the command @argv gives about @script, one of its words.
 * @runs: it runs the script, so that the other modules beside it, and in the directory
 * @root (or NULL), count too. 0, -EFBIG for a script that is not worth it, or -errno.
 */
int python_cache_key(char *const *argv, const char *script, bool runs, const char *root,
		     char ret[PYTHON_CACHE_KEY_LEN + 1]);

/*
 * Finds an answer, of which @ret becomes the owner. -ENOENT when there is none, or when
 * packages have been installed since; -EBADMSG for no such file, else -errno.
 */
int python_cache_load(int home_fd, const char *key, json_t **ret);

/* Keeps an answer. 0, -EFBIG, -ENOENT in a home without runs/, or -errno. */
int python_cache_store(int home_fd, const char *key, const json_t *answer);
