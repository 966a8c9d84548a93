/*
 * Makes the job of a supervisor, of a start or a stage: every attribute that Guild would
 * write for a new run or a restart, in Guild's form and order (sections 1.6 and 4.4 of
 * guild-behaviour.md).
 */
#pragma once

#include "engine/command.h"
#include "engine/job.h"
#include "engine/operation.h"
#include "engine/rendering.h"
#include "engine/request.h"

/* What a job is made of; all borrowed. */
struct preparation {
	enum job_kind kind;
	const struct operation *operation;
	const struct request *request;
	const struct flags *flags;   /* the whole set that the run gets */
	const struct flags *written; /* those of the request */
	const struct command *command;
	const struct rendering *rendering; /* NULL: none */
	const char *id;
	const char *project; /* to copy the source code from; NULL: none is copied */
	unsigned int n_attempts;
	int64_t stop_timeout_us;
	uint64_t n_files; /* as in the job */
};

/* 0 and a job that the caller gives to job_done(), or -errno. */
int prepare_new(const struct preparation *preparation, struct job *ret);

/* For a run that waits and can't be started, for which @why is a sentence. */
int prepare_failure(const struct run *run, struct str why, struct job *ret);

/* For a restart of @run: what stays as it is on disk is not in the job. */
int prepare_restart(const struct preparation *preparation, const struct run *run,
		    struct job *ret);
