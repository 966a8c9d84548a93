#!/bin/bash
# Any system call fails that changes the home or takes a resource: the request fails with
# that errno and nothing has changed, or it succeeds all the same. A sample of the faults;
# RUNFS_FAULTS=all tries each, RUNFS_FAULTS=restart/supervisors/changes:50:EIO one, and
# RUNFS_SEED=N another sample: as many as there are hold them all.
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2086 # a list of words
"$(dirname "$0")/faults.py" "$dir/faults" ${RUNFS_FAULTS:-250}
