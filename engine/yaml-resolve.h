/*
 * Which type a scalar of a YAML document has, and its value: YAML 1.1's rules as
 * PyYAML's safe_load applies them, with Guild's wider rule for floats.
 */
#pragma once

#include <stdbool.h>

#include "engine/value.h"

#define YAML_TAG_PREFIX "tag:yaml.org,2002:"

enum yaml_tag {
	YAML_TAG_NULL,
	YAML_TAG_BOOL,
	YAML_TAG_INT,
	YAML_TAG_FLOAT,
	YAML_TAG_STR,
	YAML_TAG_TIMESTAMP,
	YAML_TAG_SEQ,
	YAML_TAG_MAP,
	YAML_TAG_MERGE, /* "<<" */
	YAML_TAG_VALUE, /* "=" */
	YAML_TAG_UNKNOWN,
};

/* The type of a scalar that has neither quotes nor a tag. */
enum yaml_tag yaml_resolve(struct str text);

/* The type that a written tag names ("tag:yaml.org,2002:int"). */
enum yaml_tag yaml_tag_named(const char *tag);

/* "int" for YAML_TAG_INT. */
const char *yaml_tag_name(enum yaml_tag tag);

/* Makes @ret what @text is under @tag. 0, -EINVAL when it is no such thing, -ENOMEM. */
int yaml_construct(struct str text, enum yaml_tag tag, struct value *ret);
