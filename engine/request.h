/*
 * A request: what a user writes to `run` and `restart`. Words separated by blanks and
 * newlines, each name=value or an option. Source: section 3 of the interface, restated
 * in runfs(5).
 */
#pragma once

#include <stdbool.h>

#include "engine/flags.h"
#include "engine/strbuf.h"

#define REQUEST_MAX_LEN (1u << 20) /* bytes; more is E2BIG */

struct request {
	struct flags flags; /* the flags written, the last of two equal names */
	struct flags
		texts; /* the same as they were written, for flags that have a type */
	bool needed;
	bool force_flags;
	bool force_sourcecode;

	/*
	 * The name of a last word whose value may still go on; NULL when there is none.
	 * Its value is not among the flags.
	 */
	char *unfinished;
};

#define REQUEST_INIT ((struct request){ 0 })

void request_done(struct request *request);

/*
 * Parses @text. With @complete, it is all there will be; without, a last line that has
 * no newline is judged only as far as no more text could make it right.
 *
 * 0; -EINVAL for what is no request, -E2BIG for one that is too long, each with a
 * sentence; -ENOMEM. Only on 0 is @ret set.
 */
int request_parse(struct str text, bool complete, struct request *ret,
		  struct strbuf *ret_why);
