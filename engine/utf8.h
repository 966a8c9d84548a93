/* Characters of UTF-8 text, for those who escape what they print. */
#pragma once

#include <stdint.h>

#include "engine/strbuf.h"

/*
 * The character at the beginning of @text, which isn't empty. Returns its length in
 * bytes; a byte that is no UTF-8 counts as the character of that number.
 */
static inline size_t utf8_first(struct str text, uint32_t *ret)
{
	unsigned char first = (unsigned char)text.data[0];
	size_t len = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

	*ret = first;
	if (len == 1 || len > text.len || !str_is_utf8((struct str){ text.data, len }))
		return 1;
	*ret = first & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++)
		*ret = *ret << 6 | ((unsigned char)text.data[i] & 0x3f);
	return len;
}
