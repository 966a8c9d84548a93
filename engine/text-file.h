/*
 * Whether a file is text, as Guild judges (guild/util.py, is_text_file, which is adapted
 * from binaryornot): by its extension, else by its first bytes. Where Guild asks chardet
 * this knows UTF-8 and the byte order marks of UTF-16 and UTF-32.
 */
#pragma once

#include <stdbool.h>

#include "engine/strbuf.h"

#define TEXT_FILE_SAMPLE_LEN 1024

/* What the extension of @name says: 1 text, 0 binary, -1 nothing. */
int text_file_by_name(const char *name);

/* @sample is what the file begins with, TEXT_FILE_SAMPLE_LEN bytes if it has so many. */
bool text_file_by_sample(struct str sample);
