/*
 * An ordinary text file that is being edited: what one open file makes of the text, until
 * it is saved. It is saved as a whole, when its writer closes it or asks for fsync(2);
 * whose FLUSH is the writer's is told as for a request (fs/writing.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/strbuf.h"

#define DRAFT_MAX_LEN (1u << 20)

struct draft {
	pid_t opener;
	bool has_owner;
	uint64_t owner;
	bool appends; /* O_APPEND: each write is at the end, wherever the kernel has it */
	struct strbuf text;
	bool changed; /* not saved yet */
	bool written; /* by more than opening it with O_TRUNC */
	int failed;   /* -errno of a write: the draft is dropped, and so are later ones */
};

void draft_init(struct draft *draft, pid_t opener);
void draft_done(struct draft *draft);

/*
 * What the text is when @data is written at @offset, or when it is cut or filled to @len,
 * in @ret. 0; -EFBIG beyond DRAFT_MAX_LEN; -ENOMEM; the errno of a write that has failed.
 */
int draft_write(const struct draft *draft, off_t offset, struct str data,
		struct strbuf *ret);
int draft_resize(const struct draft *draft, off_t len, struct strbuf *ret);

/* Takes @text over as the draft; @lock_owner wrote it, if nobody did before. */
void draft_accept(struct draft *draft, struct strbuf *text);
void draft_owned(struct draft *draft, uint64_t lock_owner);

/* A write was refused with @r: nothing of what has not been saved will be. */
void draft_fail(struct draft *draft, int r);

/* A FLUSH: is the draft to be saved now? Ends one that has failed. */
bool draft_flush(struct draft *draft, uint64_t lock_owner, pid_t pid);
