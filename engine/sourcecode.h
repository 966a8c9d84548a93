/*
 * The source code of a project: which files are its source by Guild's rules, and their
 * copy in a run. (Sections 1.10 to 1.12 of guild-behaviour.md.)
 *
 * By the default rules, these are outside git the text files of at most 1 MiB, 100 of
 * them, without hidden directories and those that hold .guild-nocopy; for Python
 * (job.source.python) also without build products and virtual environments. In a git work
 * tree they are the files that git does not ignore. The rules of the job (from
 * `sourcecode` of guild.yml) come after these. The job's environment may say
 * NO_SOURCECODE, MAX_DEFAULT_SOURCECODE_FILE_SIZE, MAX_DEFAULT_SOURCECODE_COUNT and
 * NO_VCS_COMMIT; git is run with it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engine/job.h"
#include "engine/strbuf.h"

struct source_file {
	char *path; /* in the run; after the job's dest, the path from its root */
	char sha1[41];
};

struct sourcecode {
	struct source_file *files; /* in the byte order of their paths */
	size_t n_files;
	char digest[33]; /* md5 of all paths and contents; empty without files */
	char **warnings; /* what Guild warns of: files left out for a limit alone */
};

#define SOURCECODE_INIT ((struct sourcecode){ 0 })

void sourcecode_done(struct sourcecode *source);

/*
 * Finds the source code of job.source.root. The home, a FUSE file system that is mounted
 * below the root (ours, say) and what is called .guild are none of it. 0, or -errno with
 * a sentence; -ENOENT when there is no such directory.
 */
int sourcecode_select(const struct job *job, int home_fd, struct sourcecode *ret,
		      struct strbuf *ret_why);

bool sourcecode_has(const struct sourcecode *source, const char *path);

/* Leaves out the file @path, if it is one. */
void sourcecode_drop(struct sourcecode *source, const char *path);

/*
 * Copies the files to the directory @dest_fd, with their modes but not their times, and
 * fills in sha1 and digest. 0, or -errno with a sentence.
 */
int sourcecode_copy(const struct job *job, struct sourcecode *source, int dest_fd,
		    struct strbuf *ret_why);

/* Waits until a copy is on the disk. 0 or -errno. */
int sourcecode_sync(const struct sourcecode *source, int dest_fd);

/* Appends the lines of .guild/manifest: s PATH SHA1 PROJECT_PATH. */
int sourcecode_add_manifest(const struct job *job, const struct sourcecode *source,
			    struct strbuf *ret);

/* Appends the attribute sourcecode_digest, as YAML. */
int sourcecode_add_digest(const struct sourcecode *source, struct strbuf *ret);

/* And sourcecode_warnings: a list of texts. */
int sourcecode_add_warnings(const struct sourcecode *source, struct strbuf *ret);

/*
 * Appends the attribute vcs_commit, as YAML: the last commit that touched the project,
 * and
 * "*" when the work tree has changes. -ENOENT when there is none, or none is wanted.
 */
int sourcecode_add_commit(const struct job *job, struct strbuf *ret);
