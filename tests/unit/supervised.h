/*
 * A home in a temporary directory, and runs in it that the built supervisor starts and
 * holds, spawned as the daemon does it. Which program: $RUNFS_SUPERVISOR.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/job.h"
#include "engine/strbuf.h"

#define RUN_ID "0123456789abcdef0123456789abcdef"

extern char home_path[];
extern int home_fd;

/* .init and .fini of a suite. */
void home_make(void);
void home_remove(void);

/* A home on a disk of its own, of @size_kib; skips the test where one can't mount. */
void home_make_on_small_disk(unsigned int size_kib);

/* A job for the run RUN_ID: "sh -c @script", started at 1000. */
void job_init(struct job *job, bool is_new, const char *script);
void job_set_argv(struct job *job, const char *first, const char *second);

struct supervised {
	pid_t pid;
	int result; /* 0 or -errno, as it answered */
	struct strbuf why;
};

#define SUPERVISED_INIT ((struct supervised){ 0 })

/* Starts it and waits for the answer. */
void supervised_start(struct supervised *supervised, const struct job *job);
/* Waits until it has ended; its exit code, or -signal. */
int supervised_wait(struct supervised *supervised);
void supervised_done(struct supervised *supervised);

/* Starts a job and waits for the end of the run. */
void run_through(const struct job *job);
void run_script(bool is_new, const char *script);

/* Files of the run, by path from its directory: content, or NULL. The caller frees. */
char *run_read(const char *path);
void run_write(const char *path, const char *text);
bool run_has(const char *path);
ino_t run_inode(const char *path);
int run_open_guild(void);
void expect_file(const char *path, const char *content);

/* Waits until @path of the run is there; fails the test after a while. */
void await_file(const char *path);
