/* The parameters of guild.yml: {{name}} in texts. */
#pragma once

#include "engine/value.h"

/*
 * Replaces {{NAME}} in all texts of @value, down lists and maps, by what the map @params
 * has for it: a text that is nothing else becomes the parameter itself, of whatever type.
 * Parameters may name others. What is no parameter, goes round in a circle or grows
 * beyond measure stays as it is. 0 or -ENOMEM.
 */
int guild_params_resolve(struct value *value, const struct value *params);
