/*
 * One operation as a model of guild.yml has it: its command, flags and everything else
 * that concerns running it (section 5.2 of guild-behaviour.md). What a run can't do
 * without and runfs does not do is a problem of the operation; what only Guild makes use
 * of is a remark.
 */
#pragma once

#include "engine/guild-model.h"
#include "engine/operation.h"

/* Appends OP or MODEL:OP. */
int guild_op_full_name(const struct guild_op_place *place, struct strbuf *ret);

/* As guildfile_operation(). */
int guild_op_read(const struct guild_op_place *place,
		  const struct guildfile_script *script, struct operation **ret,
		  struct guildfile_main *ret_main);
