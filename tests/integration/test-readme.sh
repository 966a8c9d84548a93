#!/bin/bash
# What README.md says is printed by its examples is printed, when they are typed as they
# stand there.
. "$(dirname "$0")/lib.sh"

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
mkdir "$dir/bin" "$dir/example"
ln -s "$RUNFS_MOUNT" "$dir/bin/mount.runfs"
PATH=$dir/bin:$PATH

# What it begins with is for a mount that is there.
use_project optimizers
start_mount
cd "$mnt"
"$here/readme.py" "" "$root"
cd "$dir/example"
stop_mount

# The rest begins with an empty directory.
"$here/readme.py" "The tree by example" "$root"
pid=$(mount_pid mnt)
unmount "$dir/example/mnt"
wait_for has_ended "$pid"
