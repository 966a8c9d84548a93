/*
 * What is written between open and close of a control file, and when it is carried out.
 *
 * One request may come as many writes, with a FLUSH between them from every process that
 * only inherited the descriptor. So the writer is known by its lock owner: that of a
 * FLUSH before any data from the process that opened (a shell's redirection), else that
 * of the first write. The request is due at the writer's own FLUSH with data pending, at
 * a read of the same open file, or at the release. Source: fuse-facts 1.1 to 1.3.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/strbuf.h"

struct writing {
	pid_t opener;
	bool has_owner;
	uint64_t owner;
	struct strbuf text;    /* what is pending */
	bool pending;	       /* something was written; it may be an empty line */
	size_t judged_len;     /* of the text, as far as it has been judged */
	size_t line_start;     /* where the line begins in which that ends */
	struct strbuf options; /* a line of those that the lines before it have */
	int failed; /* -errno of a write of this request: it is dropped, and so are later
		       ones */
};

void writing_init(struct writing *writing, pid_t opener);
void writing_done(struct writing *writing);

/* Adds what one write(2) brings. 0, or the errno of a write before it, or -ENOMEM. */
int writing_add(struct writing *writing, uint64_t lock_owner, struct str data);

/*
 * What the last write has to be judged by: all that is pending while that is not much.
 * Else a request in many small writes would be read again and again, so only what is new
 * is judged then, from the beginning of its line on, with the options that stand before
 * it; and a long line that goes on, each time it has doubled. Nothing at all: not now.
 * What is left out is judged when the request is carried out.
 *
 * The view is of the text or of @scratch, and holds until the next call.
 */
struct str writing_to_judge(const struct writing *writing, struct strbuf *scratch);

/* What writing_to_judge() gave was found right. 0 or -ENOMEM. */
int writing_judged(struct writing *writing);

/* The last write was refused with @r: nothing of this request will be carried out. */
void writing_fail(struct writing *writing, int r);

/* A request that has failed ends at a read of its file, too: the next one may come. */
void writing_end_failed(struct writing *writing);

/* A FLUSH: is what is pending due now? Ends a request that has failed. */
bool writing_flush(struct writing *writing, uint64_t lock_owner, pid_t pid);

/* Takes the request's text, which the caller gives to strbuf_done(); then none is
 * pending. */
struct strbuf writing_take(struct writing *writing);
