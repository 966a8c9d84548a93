/*
 * A value in its place in nested maps, named with dots: `a.b.c` is where the map has the
 * key `a.b.c`, or in its map `a.b` the key `c`, or in its map `a` ... as Guild looks for
 * it; where there is nothing of the kind, maps are made for it.
 */
#pragma once

#include "engine/strbuf.h"
#include "engine/value.h"

#define PLACED_MAX_DEPTH 100 /* dots in a name */

/*
 * Puts @item into @map under @name and takes it over, also on failure: it is null
 * afterwards. 0; -EINVAL with a sentence when what is no map is in the way, or the name
 * is too deep; -ENOMEM.
 */
int placed_put(struct value *map, struct str name, struct value *item,
	       struct strbuf *ret_why);
