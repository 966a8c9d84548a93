/*
 * The file that a run gets where its flags go to one: a configuration file
 * (engine/config.h), or the R script that it runs (engine/r-script.h). It is made from a
 * template: the project's file; for a restart what that was, which the run records, so
 * that it needs no project.
 */
#pragma once

#include "engine/cleanup.h"
#include "engine/operation.h"
#include "engine/run.h"

/* The attribute in which a run keeps the template, as text. */
#define RENDERING_TEMPLATE "config_template"

struct rendering {
	char *path;   /* in the run; NULL: there is no such file */
	char *source; /* of the template, in the project */
	char *uri;    /* what Guild calls it: config:FILE; NULL for a script */
	char *template;
	char *text;
};

#define RENDERING_INIT ((struct rendering){ 0 })

void rendering_done(struct rendering *rendering);

/*
 * Makes the file for @flags of @operation, from the template in the directory @source, or
 * of @run where that is NULL. 0, also when the operation has no such file; with a
 * sentence, -ENOENT (or what else open says) where there is no template, -EINVAL where it
 * or a flag does not fit; -ENOMEM.
 */
int rendering_make(const struct operation *operation, const struct flags *flags,
		   const struct run *run, const char *source, struct rendering *ret,
		   struct strbuf *ret_why);
