/* Text or binary: extensions, then ratios of bytes. */
#include "engine/text-file.h"

#include <string.h>
#include <strings.h>

static const char *const text_extensions[] = { ".csv", ".md", ".py", ".sh", ".txt" };

static const char *const binary_extensions[] = {
	".7z",	 ".ai",	 ".aif",  ".avi",  ".bin",  ".bmp", ".deb",    ".doc",	".docx",
	".gif",	 ".gz",	 ".ico",  ".jpg",  ".jpeg", ".key", ".mid",    ".midi", ".mov",
	".mp3",	 ".mp4", ".mpa",  ".mpeg", ".ogg",  ".pdf", ".pickle", ".pkg",	".pkl",
	".png",	 ".ppt", ".pptx", ".ps",   ".psd",  ".pyc", ".rar",    ".rpm",	".svg",
	".swf",	 ".tar", ".tif",  ".tiff", ".wav",  ".wma", ".wmv",    ".xlr",	".xls",
	".xlsx", ".xz",	 ".z",	  ".zip",
};

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static bool is_among(const char *extension, const char *const *extensions, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(extension, extensions[i]) == 0)
			return true;
	return false;
}

int text_file_by_name(const char *name)
{
	const char *extension = strrchr(name, '.');

	/* As os.path.splitext(): dots at the beginning of a name begin no extension. */
	if (!extension || strspn(name, ".") > (size_t)(extension - name))
		return -1;
	if (is_among(extension, text_extensions, N_ELEMENTS(text_extensions)))
		return 1;
	if (is_among(extension, binary_extensions, N_ELEMENTS(binary_extensions)))
		return 0;
	return -1;
}

static bool is_printable_ascii(unsigned char c)
{
	return (c >= 0x20 && c < 0x7f) || (c != '\0' && strchr("\n\r\t\f\b", c));
}

/* Whole characters only: the sample may end in the middle of one. */
static bool is_utf8_beginning(struct str sample)
{
	for (size_t cut = 0; cut < 4 && cut < sample.len; cut++)
		if (str_is_utf8((struct str){ sample.data, sample.len - cut }))
			return true;
	return false;
}

static bool has_byte_order_mark(struct str sample)
{
	return str_starts(sample, "\xff\xfe") || str_starts(sample, "\xfe\xff") ||
	       str_starts(sample, "\xef\xbb\xbf") ||
	       (sample.len >= 4 && memcmp(sample.data, "\0\0\xfe\xff", 4) == 0);
}

/*
 * chardet is sure of UTF-8 (over 0.9) when it has seen four characters of more than one
 * byte, and says nothing new of ASCII.
 */
static bool is_decodable(struct str sample)
{
	size_t n_characters = 0;

	if (has_byte_order_mark(sample))
		return true;
	for (size_t i = 0; i < sample.len; i++)
		n_characters += ((unsigned char)sample.data[i] & 0xc0) == 0xc0;
	return n_characters >= 4 && is_utf8_beginning(sample);
}

bool text_file_by_sample(struct str sample)
{
	size_t n_not_ascii = 0, n_low = 0;
	double not_ascii, low;

	if (sample.len == 0 || is_decodable(sample))
		return true;
	for (size_t i = 0; i < sample.len; i++) {
		unsigned char c = (unsigned char)sample.data[i];

		n_not_ascii += !is_printable_ascii(c);
		n_low += c < 0x7f;
	}
	not_ascii = (double)n_not_ascii / (double)sample.len;
	low = (double)n_low / (double)sample.len;
	if ((not_ascii > 0.3 && low < 0.05) || (not_ascii > 0.8 && low > 0.8))
		return false;
	return !memchr(sample.data, '\0', sample.len) &&
	       !memchr(sample.data, 0xff, sample.len);
}
