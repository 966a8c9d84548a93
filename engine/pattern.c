/* Python's regular expressions: rewritten for PCRE2, and carried out within limits. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "engine/pattern.h"

#include <errno.h>
#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * A match may take so many steps from one place, and is looked for from so many places
 * before the time is looked at; so one call of PCRE2 takes some 50 ms at worst.
 */
#define MATCH_LIMIT   100000
#define N_PLACES      64
#define TIME_LIMIT_US 100000

#define JIT_STACK_SIZE (1u << 20)

struct pattern {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
	uint32_t n_groups;
	uint32_t n_names, name_size;
	PCRE2_SPTR names;
	bool anchored;
};

/* A pattern on its way from Python to PCRE2. */
struct rewrite {
	struct str rest;
	struct strbuf *out;
	struct strbuf *why;
	bool in_class;
};

static void put(struct rewrite *rewrite, size_t len)
{
	(void)strbuf_add(rewrite->out, rewrite->rest.data, len);
	rewrite->rest.data += len;
	rewrite->rest.len -= len;
}

static void skip(struct rewrite *rewrite, size_t len)
{
	rewrite->rest.data += len;
	rewrite->rest.len -= len;
}

static int refuse(const struct rewrite *rewrite, const char *what, size_t len)
{
	struct str word = { rewrite->rest.data,
			    len < rewrite->rest.len ? len : rewrite->rest.len };

	strbuf_addf(rewrite->why, "%s ", what);
	(void)strbuf_add_quoted(rewrite->why, word);
	return -EINVAL;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* \xHH, \uHHHH and \UHHHHHHHH, of so many digits exactly. */
static int rewrite_code(struct rewrite *rewrite, size_t n_digits)
{
	if (rewrite->rest.len < 2 + n_digits)
		return refuse(rewrite, "incomplete escape", 2 + n_digits);
	for (size_t i = 0; i < n_digits; i++) {
		if (!is_hex(rewrite->rest.data[2 + i]))
			return refuse(rewrite, "incomplete escape", 2 + n_digits);
	}
	strbuf_addf(rewrite->out, "\\x{%.*s}", (int)n_digits, rewrite->rest.data + 2);
	skip(rewrite, 2 + n_digits);
	return 0;
}

static int rewrite_escape(struct rewrite *rewrite)
{
	char c;

	if (rewrite->rest.len < 2) {
		strbuf_adds(rewrite->why, "it ends with a backslash");
		return -EINVAL;
	}
	c = rewrite->rest.data[1];
	switch (c) {
	case 'x':
		return rewrite_code(rewrite, 2);
	case 'u':
		return rewrite_code(rewrite, 4);
	case 'U':
		return rewrite_code(rewrite, 8);
	case 'v': /* to PCRE2 a class */
		strbuf_adds(rewrite->out, "\\x0b");
		skip(rewrite, 2);
		return 0;
	case 'Z': /* to PCRE2 also before a last newline */
		strbuf_adds(rewrite->out, "\\z");
		skip(rewrite, 2);
		return 0;
	default:
		break;
	}
	if (((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) &&
	    !strchr(rewrite->in_class ? "abdDfnrsStwW" : "AabBdDfnrsStwW", c))
		return refuse(rewrite, "bad escape", 2);
	put(rewrite, 2);
	return 0;
}

static bool is_flag(char c)
{
	return c != '\0' && strchr("imsxu-", c);
}

/* What PCRE2 knows behind "(?" and Python does not would do something else. */
static int rewrite_extension(struct rewrite *rewrite)
{
	static const char *const known[] = { "(?:",  "(?=",  "(?!", "(?<=", "(?<!",
					     "(?P<", "(?P=", "(?>", "(?(" };
	struct str rest = rewrite->rest;
	const char *end;
	size_t len = 2;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (str_starts(rest, known[i])) {
			put(rewrite, strlen(known[i]));
			return 0;
		}
	}
	if (str_starts(rest, "(?#")) {
		end = memchr(rest.data, ')', rest.len);
		if (!end)
			return refuse(rewrite, "no end of the comment", 16);
		skip(rewrite, (size_t)(end - rest.data) + 1);
		return 0;
	}
	while (len < rest.len && is_flag(rest.data[len]))
		len++;
	if (len == 2 || len == rest.len ||
	    (rest.data[len] != ')' && rest.data[len] != ':'))
		return refuse(rewrite, "unknown extension", 4);
	for (size_t i = 0; i <= len; i++) {
		if (rest.data[i] != 'u') /* as it is anyway */
			strbuf_addc(rewrite->out, rest.data[i]);
	}
	skip(rewrite, len + 1);
	return 0;
}

static int rewrite_group(struct rewrite *rewrite)
{
	if (str_starts(rewrite->rest, "(*"))
		return refuse(rewrite, "nothing to repeat at", 2);
	if (str_starts(rewrite->rest, "(?"))
		return rewrite_extension(rewrite);
	put(rewrite, 1);
	return 0;
}

/* {,3} is {0,3} to Python. */
static void rewrite_brace(struct rewrite *rewrite)
{
	struct str rest = rewrite->rest;
	size_t len = 2;

	while (len < rest.len && rest.data[len] >= '0' && rest.data[len] <= '9')
		len++;
	if (rest.len > len && rest.data[1] == ',' && rest.data[len] == '}') {
		strbuf_adds(rewrite->out, "{0");
		skip(rewrite, 1);
	} else {
		put(rewrite, 1);
	}
}

/* The beginning of a class, with a ']' that is one of its characters. */
static void rewrite_class(struct rewrite *rewrite)
{
	rewrite->in_class = true;
	put(rewrite, 1);
	if (str_starts(rewrite->rest, "^"))
		put(rewrite, 1);
	if (str_starts(rewrite->rest, "]")) {
		strbuf_addc(rewrite->out, '\\');
		put(rewrite, 1);
	}
}

static int rewrite_next(struct rewrite *rewrite)
{
	char c = rewrite->rest.data[0];

	if (c == '\\')
		return rewrite_escape(rewrite);
	if (rewrite->in_class && c == '[') {
		strbuf_addc(rewrite->out, '\\'); /* to PCRE2 [: would be a class */
		put(rewrite, 1);
	} else if (rewrite->in_class) {
		rewrite->in_class = c != ']';
		put(rewrite, 1);
	} else if (c == '[') {
		rewrite_class(rewrite);
	} else if (c == '(') {
		return rewrite_group(rewrite);
	} else if (c == '{') {
		rewrite_brace(rewrite);
	} else {
		put(rewrite, 1);
	}
	return 0;
}

static int rewrite_all(struct str text, struct strbuf *ret, struct strbuf *ret_why)
{
	struct rewrite rewrite = { .rest = text, .out = ret, .why = ret_why };
	int r = 0;

	if (text.len > PATTERN_MAX_LEN) {
		strbuf_addf(ret_why, "it has more than %u bytes", PATTERN_MAX_LEN);
		return -EINVAL;
	}
	while (r == 0 && rewrite.rest.len > 0)
		r = rewrite_next(&rewrite);
	return r < 0 ? r : strbuf_error(ret);
}

static int compile(struct pattern *pattern, struct str text, struct strbuf *ret_why)
{
	const uint32_t options =
		PCRE2_UTF | PCRE2_UCP | PCRE2_USE_OFFSET_LIMIT | PCRE2_NEVER_BACKSLASH_C;
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	char message[256];
	size_t place;
	int error;

	if (!context)
		return -ENOMEM;
	(void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	pattern->code = pcre2_compile((PCRE2_SPTR)text.data, text.len, options, &error,
				      &place, context);
	pcre2_compile_context_free(context);
	if (pattern->code)
		return 0;
	if (error == PCRE2_ERROR_NOMEMORY)
		return -ENOMEM;
	if (pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof(message)) < 0)
		return -EINVAL;
	strbuf_adds(ret_why, message);
	return -EINVAL;
}

static int look_into(struct pattern *pattern)
{
	uint32_t options;

	if (pcre2_pattern_info(pattern->code, PCRE2_INFO_CAPTURECOUNT,
			       &pattern->n_groups) < 0 ||
	    pcre2_pattern_info(pattern->code, PCRE2_INFO_NAMECOUNT, &pattern->n_names) <
		    0 ||
	    pcre2_pattern_info(pattern->code, PCRE2_INFO_NAMEENTRYSIZE,
			       &pattern->name_size) < 0 ||
	    pcre2_pattern_info(pattern->code, PCRE2_INFO_NAMETABLE, &pattern->names) <
		    0 ||
	    pcre2_pattern_info(pattern->code, PCRE2_INFO_ALLOPTIONS, &options) < 0)
		return -EINVAL;
	pattern->anchored = options & PCRE2_ANCHORED;
	return 0;
}

/* Without the compiler to machine code, which may be forbidden, it is only slower. */
static int prepare(struct pattern *pattern)
{
	pattern->data = pcre2_match_data_create_from_pattern(pattern->code, NULL);
	pattern->context = pcre2_match_context_create(NULL);
	if (!pattern->data || !pattern->context)
		return -ENOMEM;
	(void)pcre2_set_match_limit(pattern->context, MATCH_LIMIT);
	if (pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE) < 0)
		return 0;
	pattern->stack = pcre2_jit_stack_create(32u << 10, JIT_STACK_SIZE, NULL);
	if (!pattern->stack)
		return -ENOMEM;
	pcre2_jit_stack_assign(pattern->context, NULL, pattern->stack);
	return 0;
}

int pattern_new(struct str text, struct pattern **ret, struct strbuf *ret_why)
{
	_cleanup_(pattern_freep) struct pattern *pattern = calloc(1, sizeof(*pattern));
	_cleanup_(strbuf_done) struct strbuf rewritten = STRBUF_INIT;
	int r;

	if (!pattern)
		return -ENOMEM;
	r = rewrite_all(text, &rewritten, ret_why);
	if (r == 0)
		r = compile(pattern,
			    (struct str){ strbuf_cstr(&rewritten), rewritten.len },
			    ret_why);
	if (r == 0)
		r = look_into(pattern);
	if (r == 0)
		r = prepare(pattern);
	if (r < 0)
		return r;
	*ret = take_ptr(pattern);
	return 0;
}

void pattern_free(struct pattern *pattern)
{
	if (!pattern)
		return;
	pcre2_match_data_free(pattern->data);
	pcre2_match_context_free(pattern->context);
	pcre2_jit_stack_free(pattern->stack);
	pcre2_code_free(pattern->code);
	free(pattern);
}

unsigned int pattern_n_groups(const struct pattern *pattern)
{
	return pattern->n_groups;
}

const char *pattern_group_name(const struct pattern *pattern, unsigned int number)
{
	for (uint32_t i = 0; i < pattern->n_names; i++) {
		PCRE2_SPTR entry = pattern->names + (size_t)i * pattern->name_size;

		if (((unsigned int)entry[0] << 8 | entry[1]) == number)
			return (const char *)entry + 2;
	}
	return NULL;
}

static int64_t processor_time_us(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* Looks for a match that begins between @search->at and @last. */
static int try_places(struct pattern *pattern, const struct pattern_search *search,
		      size_t last)
{
	uint32_t options = PCRE2_NO_UTF_CHECK;

	if (search->was_empty)
		options |= PCRE2_NOTEMPTY_ATSTART;
	(void)pcre2_set_offset_limit(pattern->context, last);
	return pcre2_match(pattern->code, (PCRE2_SPTR)search->text.data, search->text.len,
			   search->at, options, pattern->data, pattern->context);
}

/* Goes on behind @last, at the beginning of a character. */
static void go_on(struct pattern_search *search, size_t last)
{
	search->at = last + 1;
	search->was_empty = false;
	while (search->at < search->text.len &&
	       ((unsigned char)search->text.data[search->at] & 0xc0) == 0x80)
		search->at++;
}

static int find(struct pattern *pattern, struct pattern_search *search)
{
	const size_t len = search->text.len;
	int64_t began = 0, now;

	while (search->at <= len) {
		bool is_last = pattern->anchored || len - search->at < N_PLACES;
		size_t last = is_last ? len : search->at + N_PLACES - 1;
		int result;

		if (!is_last && began == 0)
			began = processor_time_us();
		result = try_places(pattern, search, last);
		if (result != PCRE2_ERROR_NOMATCH || is_last)
			return result;
		go_on(search, last);
		now = processor_time_us();
		search->used_us += now - began;
		began = now;
		if (search->used_us > TIME_LIMIT_US)
			return PCRE2_ERROR_MATCHLIMIT;
	}
	return PCRE2_ERROR_NOMATCH;
}

int pattern_next(struct pattern *pattern, struct pattern_search *search)
{
	const size_t *ends;
	int result;

	if (pattern->anchored && search->at > 0)
		return 0;
	result = find(pattern, search);
	if (result == PCRE2_ERROR_NOMATCH)
		return 0;
	if (result == PCRE2_ERROR_NOMEMORY)
		return -ENOMEM;
	if (result < 0)
		return -E2BIG;
	ends = pcre2_get_ovector_pointer(pattern->data);
	search->at = ends[1];
	search->was_empty = ends[0] == ends[1];
	return 1;
}

bool pattern_group(const struct pattern *pattern, const struct pattern_search *search,
		   unsigned int number, struct str *ret)
{
	const size_t *ends =
		pcre2_get_ovector_pointer(pattern->data) + 2 * (size_t)number;

	if (ends[0] == PCRE2_UNSET)
		return false;
	*ret = (struct str){ search->text.data + ends[0], ends[1] - ends[0] };
	return true;
}
