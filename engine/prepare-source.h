/*
 * The part of a job that is about source code: from where in the project, to where in the
 * run, and by which rules.
 */
#pragma once

#include "engine/job.h"
#include "engine/operation.h"

/*
 * Fills in job.source for @operation, with what the directory @project has. 0; -EINVAL
 * when a run records a place that is none in a run; -ENOMEM.
 */
int prepare_source(const struct operation *operation, const char *project,
		   struct job *job);
