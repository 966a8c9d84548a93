/*
 * Functions that this project does not call, and what it calls instead. Every
 * file of engine/ and fs/ is compiled with this header first (meson.build).
 */
#pragma once

/* The headers that declare them come first, so that only our own calls are hit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BANNED(name, instead) name##_is_banned_use_##instead

/* Unbounded or unterminated text: struct strbuf. */
#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#define strcpy(...)   BANNED(strcpy, strbuf)
#define strcat(...)   BANNED(strcat, strbuf)
#define strncpy(...)  BANNED(strncpy, strbuf)
#define strncat(...)  BANNED(strncat, strbuf)
#define sprintf(...)  BANNED(sprintf, strbuf_addf)
#define vsprintf(...) BANNED(vsprintf, strbuf_addf)

/* They can't report that the text was no number. */
#define atoi(...) BANNED(atoi, strtol)
#define atol(...) BANNED(atol, strtol)
#define atof(...) BANNED(atof, strtod)

/* Static results. */
#undef strtok
#define strtok(...)    BANNED(strtok, str_split)
#define gmtime(...)    BANNED(gmtime, gmtime_r)
#define localtime(...) BANNED(localtime, localtime_r)
#define ctime(...)     BANNED(ctime, strftime)

/* A shell or a copied address space where a daemon has no use for either. */
#define system(...) BANNED(system, posix_spawn)
#define popen(...)  BANNED(popen, posix_spawn)

/* Everything is relative to a held directory, and never waits. */
#define sleep(...)  BANNED(sleep, loop_timer)
#define usleep(...) BANNED(usleep, loop_timer)
