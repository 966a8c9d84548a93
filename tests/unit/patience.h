/* Waiting in a test for what comes through a loop, but not for ever. */
#pragma once

#include <stdbool.h>

#include "engine/loop.h"

/* Runs @loop until somebody stops it; fails the test when nobody does for long. */
void run_patiently(struct loop *loop);

/* Runs @loop for @us, or until somebody stops it. */
void run_for(struct loop *loop, int64_t us);

/* Looks again and again until @is_so(@userdata); fails the test when it never is. */
void await(bool (*is_so)(const void *userdata), const void *userdata, const char *what);
