#!/bin/bash
# Very many short runs with fifty readers: at the end the daemon holds what it held at the
# start. RUNFS_SOAK=2000 is the whole of it; without, a short form.
. "$(dirname "$0")/lib.sh"

make_program short <<'END'
#!/bin/sh
for i in 1 2 3 4 5; do echo line $i; done
[ "$FLAG_ASLEEP" != 1 ] || exec sleep 1000
END
start_mount
"$(dirname "$0")/soak.py" "$mnt" "$(mount_pid)" "${RUNFS_SOAK:-100}" 50
expect_eq "$(ls "$mnt/runs")$(ls -A "$home/runs")" ""
stop_mount
nothing_runs || fail "left behind: $(processes_left)"
