/* What tests of text share: comparisons that say what was there instead. */
#pragma once

#include "engine/flags.h"
#include "engine/strbuf.h"
#include "engine/value.h"

/* Are the bytes of @text those of @expected? @about says which row it is. */
void expect_text(struct str text, const char *expected, const char *about);

/* Has a judgement said something with @part in it? */
void expect_sentence(const struct strbuf *why, const char *part, const char *about);

/* The words of @strv with " | " between them are @expected. */
void expect_words(char *const *strv, const char *expected, const char *about);

/* What a document says; fails the test when it is none. */
void value_of(const char *yaml, struct value *ret);
void flags_of(const char *yaml, struct flags *ret);

/* @value is the document @yaml, as Guild writes it. */
void expect_document(const struct value *value, const char *yaml, const char *about);
