#!/bin/bash
# Eight processes at once ask two mounts of one home for whatever there is, and edit it by
# hand: all that they are told is what happened, and no run is lost. RUNFS_RACES=10000
# asks more, and RUNFS_SEED=N something else.
. "$(dirname "$0")/lib.sh"

"$(dirname "$0")/races.py" "$dir/races" "${RUNFS_RACES:-1600}"
