/*
 * A job and its answer as JSON. A JSON string is text and a POSIX one is bytes, so each
 * byte is written as the character of its number (U+0001 to U+00FF).
 */
#include "engine/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/strv.h"

void job_done(struct job *job)
{
	for (size_t i = 0; i < job->n_attrs; i++) {
		free(job->attrs[i].name);
		free(job->attrs[i].text);
	}
	free(job->attrs);
	free(job->id);
	free(job->opref);
	free(job->env_file);
	free(job->pending);
	free(job->failure);
	strv_free(job->others);
	free(job->source.root);
	free(job->source.project);
	free(job->source.prefix);
	free(job->source.dest);
	free(job->source.also);
	free(job->config.path);
	free(job->config.text);
	free(job->config.source);
	free(job->config.uri);
	source_rules_done(&job->source.rules);
	strv_free(job->argv);
	strv_free(job->envp);
	*job = JOB_INIT;
}

int job_add_attr(struct job *job, const char *name, struct str text)
{
	_cleanup_free_ char *name_copy = strdup(name);
	_cleanup_free_ char *text_copy = str_dup(text);
	struct job_attr *attrs;

	attrs = reallocarray(job->attrs, job->n_attrs + 1, sizeof(*attrs));
	if (attrs)
		job->attrs = attrs;
	if (!attrs || !name_copy || !text_copy)
		return -ENOMEM;

	attrs[job->n_attrs].name = take_ptr(name_copy);
	attrs[job->n_attrs].text = take_ptr(text_copy);
	job->n_attrs++;
	return 0;
}

void job_drop_attr(struct job *job, const char *name)
{
	for (size_t i = 0; i < job->n_attrs; i++) {
		if (strcmp(job->attrs[i].name, name) != 0)
			continue;
		free(job->attrs[i].name);
		free(job->attrs[i].text);
		job->n_attrs--;
		memmove(&job->attrs[i], &job->attrs[i + 1],
			(job->n_attrs - i) * sizeof(job->attrs[0]));
		return;
	}
}

const char *job_getenv(const struct job *job, const char *name)
{
	size_t len = strlen(name);

	for (char **word = job->envp; word && *word; word++)
		if (strncmp(*word, name, len) == 0 && (*word)[len] == '=')
			return *word + len + 1;
	return NULL;
}

/* How many bytes at the start of @text are the same in both forms. */
static size_t ascii_len(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && (unsigned char)text[n] < 0x80)
		n++;
	return n;
}

static json_t *bytes_to_json(struct str bytes)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	size_t n = ascii_len(bytes.data, bytes.len);

	if (n == bytes.len)
		return json_stringn_nocheck(bytes.data, bytes.len);
	strbuf_add(&text, bytes.data, n);
	for (size_t i = n; i < bytes.len; i++) {
		unsigned char c = (unsigned char)bytes.data[i];

		if (c >= 0x80)
			strbuf_addc(&text, (char)(0xc0 | c >> 6));
		strbuf_addc(&text, (char)(c < 0x80 ? c : (0x80 | (c & 0x3f))));
	}
	if (strbuf_error(&text) < 0)
		return NULL;
	return json_stringn_nocheck(strbuf_cstr(&text), text.len);
}

/* jansson has checked that the text is UTF-8 without NUL. */
static int bytes_from_json(const json_t *value, struct strbuf *ret)
{
	const char *text = json_string_value(value);
	size_t n;

	if (!text)
		return -EBADMSG;
	n = ascii_len(text, json_string_length(value));
	strbuf_add(ret, text, n);
	text += n;
	while (*text) {
		unsigned char c = (unsigned char)*text++;

		if (c > 0xc3)
			return -EBADMSG;
		if (c >= 0x80)
			c = (unsigned char)((c & 0x03) << 6 | (*text++ & 0x3f));
		strbuf_addc(ret, (char)c);
	}
	return strbuf_error(ret);
}

static int word_from_json(const json_t *value, char **ret)
{
	_cleanup_(strbuf_done) struct strbuf bytes = STRBUF_INIT;
	int r;

	r = bytes_from_json(value, &bytes);
	if (r < 0)
		return r;

	*ret = strbuf_take(&bytes);
	return *ret ? 0 : -ENOMEM;
}

static json_t *words_to_json(char **words)
{
	json_auto_t *array = json_array();

	for (char **word = words; word && *word; word++)
		if (json_array_append_new(array, bytes_to_json(str_from(*word))) < 0)
			return NULL;
	return json_incref(array);
}

static int words_from_json(const json_t *array, char ***ret)
{
	size_t n_words = json_array_size(array);
	int r;

	if (!json_is_array(array))
		return -EBADMSG;
	*ret = calloc(n_words + 1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;

	for (size_t i = 0; i < n_words; i++) {
		r = word_from_json(json_array_get(array, i), &(*ret)[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static json_t *attrs_to_json(const struct job *job)
{
	json_auto_t *array = json_array();

	for (size_t i = 0; i < job->n_attrs; i++) {
		json_t *pair =
			json_pack("[o, o]", bytes_to_json(str_from(job->attrs[i].name)),
				  bytes_to_json(str_from(job->attrs[i].text)));

		if (json_array_append_new(array, pair) < 0)
			return NULL;
	}
	return json_incref(array);
}

static int attr_from_json(const json_t *pair, struct job *job)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_free_ char *name = NULL;
	int r;

	r = word_from_json(json_array_get(pair, 0), &name);
	if (r == 0)
		r = bytes_from_json(json_array_get(pair, 1), &text);
	if (r < 0)
		return r;
	return job_add_attr(job, name, strbuf_str(&text));
}

static int attrs_from_json(const json_t *array, struct job *job)
{
	int r;

	if (!json_is_array(array))
		return -EBADMSG;
	for (size_t i = 0; i < json_array_size(array); i++) {
		r = attr_from_json(json_array_get(array, i), job);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_dump(const json_t *value, struct strbuf *ret)
{
	_cleanup_free_ char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;

	return text ? strbuf_adds(ret, text) : -ENOMEM;
}

static json_t *optional_to_json(const char *text)
{
	return text ? bytes_to_json(str_from(text)) : json_null();
}

static json_t *config_to_json(const struct job *job)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "path",
			 optional_to_json(job->config.path), "text",
			 optional_to_json(job->config.text), "source",
			 optional_to_json(job->config.source), "uri",
			 optional_to_json(job->config.uri));
}

static json_t *rules_to_json(const struct source_rules *rules)
{
	json_auto_t *array = json_array();

	for (size_t i = 0; i < rules->n_items; i++) {
		const struct source_rule *rule = &rules->items[i];
		json_t *item = json_pack("{s:b, s:i, s:o}", "include", (int)rule->include,
					 "type", (int)rule->type, "patterns",
					 words_to_json(rule->patterns));

		if (json_array_append_new(array, item) < 0)
			return NULL;
	}
	return json_incref(array);
}

static json_t *source_to_json(const struct job *job)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:b}", "root",
			 optional_to_json(job->source.root), "project",
			 optional_to_json(job->source.project), "prefix",
			 optional_to_json(job->source.prefix), "dest",
			 optional_to_json(job->source.dest), "also",
			 optional_to_json(job->source.also), "rules",
			 rules_to_json(&job->source.rules), "python",
			 (int)job->source.python, "no_digest", (int)job->source.no_digest,
			 "vcs_commit", (int)job->source.vcs_commit);
}

static json_t *turn_to_json(const struct job *job)
{
	return json_pack("{s:o, s:I, s:b, s:o, s:o}", "pending",
			 optional_to_json(job->pending), "order_us",
			 (json_int_t)job->order_us, "in_turn", (int)job->in_turn,
			 "others", words_to_json(job->others), "failure",
			 optional_to_json(job->failure));
}

int job_format(const struct job *job, struct strbuf *ret)
{
	json_auto_t *value = NULL;

	value = json_pack("{s:i, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
			  "s:I, s:I, s:I}",
			  "kind", (int)job->kind, "id", optional_to_json(job->id), "new",
			  (int)job->is_new, "delete", (int)job->delete_on_success,
			  "opref", optional_to_json(job->opref), "attrs",
			  attrs_to_json(job), "argv", words_to_json(job->argv), "envp",
			  words_to_json(job->envp), "env_file",
			  optional_to_json(job->env_file), "source", source_to_json(job),
			  "config", config_to_json(job), "turn", turn_to_json(job),
			  "n_attempts", (json_int_t)job->n_attempts, "stop_timeout_us",
			  (json_int_t)job->stop_timeout_us, "n_files",
			  (json_int_t)job->n_files);
	return add_dump(value, ret);
}

static int optional_from_json(const json_t *value, char **ret)
{
	return json_is_null(value) ? 0 : word_from_json(value, ret);
}

static int config_from_json(const json_t *config, struct job *job)
{
	int r = optional_from_json(json_object_get(config, "path"), &job->config.path);

	if (r == 0)
		r = optional_from_json(json_object_get(config, "text"),
				       &job->config.text);
	if (r == 0)
		r = optional_from_json(json_object_get(config, "source"),
				       &job->config.source);
	if (r == 0)
		r = optional_from_json(json_object_get(config, "uri"), &job->config.uri);
	return r;
}

static int rule_from_json(const json_t *item, struct source_rules *rules)
{
	json_int_t type = json_integer_value(json_object_get(item, "type"));
	_cleanup_(strv_freep) char **patterns = NULL;
	int r;

	if (type < 0 || type >= SOURCE_RULE_N_TYPES)
		return -EBADMSG;
	r = words_from_json(json_object_get(item, "patterns"), &patterns);
	if (r < 0)
		return r;
	return source_rules_add(rules, json_is_true(json_object_get(item, "include")),
				(enum source_rule_type)type, take_ptr(patterns));
}

static int rules_from_json(const json_t *array, struct source_rules *rules)
{
	int r = json_is_array(array) ? 0 : -EBADMSG;

	for (size_t i = 0; r == 0 && i < json_array_size(array); i++)
		r = rule_from_json(json_array_get(array, i), rules);
	return r;
}

static int source_from_json(const json_t *source, struct job *job)
{
	const struct {
		const char *name;
		char **ret;
	} texts[] = {
		{ "root", &job->source.root },	   { "project", &job->source.project },
		{ "prefix", &job->source.prefix }, { "dest", &job->source.dest },
		{ "also", &job->source.also },
	};
	int r = json_is_object(source) ? 0 : -EBADMSG;

	for (size_t i = 0; r == 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
		r = optional_from_json(json_object_get(source, texts[i].name),
				       texts[i].ret);
	job->source.python = json_is_true(json_object_get(source, "python"));
	job->source.no_digest = json_is_true(json_object_get(source, "no_digest"));
	job->source.vcs_commit = json_is_true(json_object_get(source, "vcs_commit"));
	if (r == 0)
		r = rules_from_json(json_object_get(source, "rules"), &job->source.rules);
	return r;
}

static int turn_from_json(const json_t *turn, struct job *job)
{
	int r;

	if (!json_is_object(turn))
		return -EBADMSG;
	job->order_us = json_integer_value(json_object_get(turn, "order_us"));
	job->in_turn = json_is_true(json_object_get(turn, "in_turn"));
	r = optional_from_json(json_object_get(turn, "pending"), &job->pending);
	if (r == 0)
		r = optional_from_json(json_object_get(turn, "failure"), &job->failure);
	if (r == 0)
		r = words_from_json(json_object_get(turn, "others"), &job->others);
	return r;
}

static int parse_members(const json_t *value, struct job *job)
{
	json_int_t kind = json_integer_value(json_object_get(value, "kind"));
	int r;

	if (kind < 0 || kind >= JOB_N_KINDS)
		return -EBADMSG;
	job->kind = (enum job_kind)kind;
	job->is_new = json_is_true(json_object_get(value, "new"));
	job->delete_on_success = json_is_true(json_object_get(value, "delete"));
	job->n_attempts =
		(unsigned int)json_integer_value(json_object_get(value, "n_attempts"));
	job->stop_timeout_us =
		json_integer_value(json_object_get(value, "stop_timeout_us"));
	job->n_files = (uint64_t)json_integer_value(json_object_get(value, "n_files"));

	r = optional_from_json(json_object_get(value, "id"), &job->id);
	if (r == 0)
		r = optional_from_json(json_object_get(value, "opref"), &job->opref);
	if (r == 0)
		r = optional_from_json(json_object_get(value, "env_file"),
				       &job->env_file);
	if (r == 0)
		r = source_from_json(json_object_get(value, "source"), job);
	if (r == 0)
		r = turn_from_json(json_object_get(value, "turn"), job);
	if (r == 0)
		r = config_from_json(json_object_get(value, "config"), job);
	if (r == 0)
		r = attrs_from_json(json_object_get(value, "attrs"), job);
	if (r == 0)
		r = words_from_json(json_object_get(value, "argv"), &job->argv);
	if (r == 0)
		r = words_from_json(json_object_get(value, "envp"), &job->envp);
	return r;
}

static bool is_file_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

/* Leads it, part by part, to a place below? */
static bool is_below(const char *path)
{
	struct str rest = str_from(path), part;

	while (str_split(&rest, '/', &part))
		if (part.len == 0 || str_is(part, "..") || str_is(part, "."))
			return false;
	return *path != '\0';
}

/* A path that stays where it begins, and is whole. */
static bool is_config_sound(const struct job *job)
{
	struct str rest = str_from(job->config.path), place;

	if (!job->config.path)
		return true;
	if (!job->config.text || !is_below(job->config.path) ||
	    !job->config.source != !job->config.uri)
		return false;
	while (str_split(&rest, '/', &place))
		if (str_is(place, ".guild"))
			return false;
	return true;
}

/* What names files of the home must not lead out of it. */
static bool is_sound(const struct job *job)
{
	if (!is_config_sound(job) || (job->source.dest && !is_below(job->source.dest)))
		return false;
	for (size_t i = 0; i < job->n_attrs; i++)
		if (!is_file_name(job->attrs[i].name))
			return false;
	for (char **id = job->others; *id; id++)
		if (!is_file_name(*id))
			return false;
	if (job_is_errand(job))
		return true;
	if (!job->id || !is_file_name(job->id))
		return false;
	if (job->kind == JOB_LEAVE || job->kind == JOB_FAIL)
		return true;
	return job->argv[0] && *job->argv[0];
}

int job_parse(struct str text, struct job *ret)
{
	_cleanup_(job_done) struct job job = JOB_INIT;
	json_auto_t *value = NULL;
	int r;

	value = json_loadb(text.data, text.len, 0, NULL);
	if (!json_is_object(value))
		return -EBADMSG;
	r = parse_members(value, &job);
	if (r < 0)
		return r;
	if (!is_sound(&job))
		return -EBADMSG;

	*ret = job;
	job = JOB_INIT;
	return 0;
}

int job_format_answer(int r, struct str why, struct strbuf *ret)
{
	json_auto_t *value =
		json_pack("{s:i, s:o}", "errno", -r, "why", bytes_to_json(why));

	return add_dump(value, ret);
}

int job_parse_answer(struct str text, struct strbuf *ret_why)
{
	json_auto_t *value = json_loadb(text.data, text.len, 0, NULL);
	const json_t *number = json_object_get(value, "errno");

	if (!json_is_integer(number) ||
	    bytes_from_json(json_object_get(value, "why"), ret_why) < 0) {
		strbuf_adds(ret_why, "the supervisor of the run ended without an answer");
		return -EIO;
	}
	return -(int)json_integer_value(number);
}
