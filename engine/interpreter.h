/*
 * Which Python runs an operation, as Guild picks it (guild-behaviour 5.3), found anew
 * each time:
 *
 *   GUILD_PYTHON_EXE, a path or a name in PATH;
 *   python in PATH, if VIRTUAL_ENV or CONDA_PREFIX is an environment (has bin/python);
 *   the project's venv/bin/python, .venv/bin/python or env/bin/python: Guild is
 *     installed there, and uses its own;
 *   python3 in PATH.
 *
 * `python-requires` is a version as 3.11 (any 3.11.x), or conditions as ">=3.8,<3.12" by
 * PEP 440. The Python above is kept if its file is a python3.X that will do; otherwise it
 * is the newest python3.X of the same directory. (Guild takes the first by name.)
 */
#pragma once

#include "engine/strbuf.h"

/*
 * @project may be NULL, @requires empty. 0 and the path; with a sentence, -ENOENT or
 * -EACCES where there is none, -EINVAL for a @requires that is no version.
 */
int interpreter_find(const char *project, struct str requires, struct strbuf *ret_path,
		     struct strbuf *ret_why);
