#!/bin/bash
# A home is mounted, shows itself, and is unmounted without a trace.
. "$(dirname "$0")/lib.sh"

start_mount
expect_eq "$(ls "$mnt")" "README
jobs
ops
runs
trash"
[ -s "$mnt/README" ]
expect_eq "$(ls "$mnt/runs")" ""

stop_mount
expect_not is_mounted "$mnt"
expect_not mount_pid
expect_eq "$(ls "$mnt")" ""

# And once more: nothing is left that would be in the way.
start_mount
[ -s "$mnt/README" ]
