/*
 * Which flags a run gets: what was written, over what the run has, over the defaults
 * (sections 3.4 and 4.3 of guild-behaviour.md).
 */
#pragma once

#include "engine/operation.h"
#include "engine/request.h"

/*
 * The flags of @request as typed values of @operation's, under their own names: texts are
 * decoded by the flag's type, paths seen from the directory @dir. With @request's
 * force_flags, a text that is nothing of the type is taken as it is. 0; -EINVAL with a
 * sentence; -ENOMEM.
 */
int assign_written(const struct operation *operation, const struct request *request,
		   const char *dir, struct flags *ret, struct strbuf *ret_why);

/*
 * All flags of a run: those @written over its @own (NULL for a new run) over the
 * defaults, with what the choices set. Checks choices and limits, and with @complete,
 * when no more can be written, required flags; nothing of it with force_flags. 0; -EINVAL
 * or -ERANGE with Guild's sentence and what would be right; -ENOMEM.
 */
int assign_flags(const struct operation *operation, const struct flags *written,
		 const struct flags *own, const char *dir, bool complete,
		 bool force_flags, struct flags *ret, struct strbuf *ret_why);
