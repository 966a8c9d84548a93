/*
 * The command line of mount.runfs, as mount(8) calls it and as people do:
 * mount.runfs HOME MOUNTPOINT [-sfnv] [-o OPTION,...]
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/jobs.h"
#include "engine/strbuf.h"

struct options {
	const char *home, *mountpoint; /* as given; borrowed from argv */
	char *project;		       /* as given, or NULL */
	unsigned int n_attempts;
	int64_t stop_timeout_us;
	bool has_jobs;
	struct jobs jobs;
	bool read_only;
	bool nofollow;
	bool foreground, debug;
	bool fake;    /* -f: check everything, mount nothing */
	bool sloppy;  /* -s: unknown options are passed over */
	bool verbose; /* -v */
	bool help, version;
	bool has_uid, has_gid;
	uid_t uid;
	gid_t gid;
	struct strbuf fuse; /* comma-separated, for libfuse */
};

/* 0; -EINVAL with a sentence. The caller gives it to options_done() in each case. */
int options_parse(int argc, char **argv, struct options *ret, struct strbuf *ret_why);
void options_done(struct options *options);
