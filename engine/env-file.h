/* .guild/ENV, what Guild lays beside a staged run for who starts it by hand (1.4, 1.16).
 */
#pragma once

#include "engine/strbuf.h"
#include "engine/value.h"

/*
 * Appends the variables of the map @env as lines "export NAME=quoted", sorted; without
 * PWD and _, which are the shell's own. 0 or -ENOMEM.
 */
int env_file_format(const struct value *env, struct strbuf *ret);
