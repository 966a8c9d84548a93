#!/bin/bash
# Whoever carries out a request dies at any system call that changes the home: the run is
# as it was before or as it was to be, and goes on from there. A sample of the points;
# RUNFS_POINTS=all tries each, RUNFS_POINTS=restart:50 one, and RUNFS_SEED=N another
# sample: as many as there are hold them all.
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2086 # a list of words
"$(dirname "$0")/points.py" "$dir/points" ${RUNFS_POINTS:-250}
