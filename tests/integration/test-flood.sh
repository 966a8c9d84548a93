#!/bin/bash
# A run that prints faster than anybody can read keeps nobody waiting but its readers, and
# what somebody puts into the home does not lead the daemon into its own mount.
. "$(dirname "$0")/lib.sh"

cat >"$project/flood" <<'END'
#!/usr/bin/env python3
import os
while True:
    os.write(1, b"x\n")
END
chmod +x "$project/flood"
start_mount

# A file per printed line changes, twice; each reader asks about each change.
id=$(start_run flood "")
for i in 1 2 3 4 5; do
	cat "$mnt/runs/$id/wait" >"$dir/result.$i" &
done
for i in 1 2 3 4 5 6 7 8 9 10; do
	timeout 10 cat "$mnt/README" >"$dir/readme"
	expect_eq "$(timeout 10 cat "$mnt/runs/$id/status")" running
done
timeout 10 bash -c 'echo KILL >"$1"' - "$mnt/runs/$id/stop"
wait
expect_eq "$(cat "$dir"/result.*)" "$(printf 'terminated -9\n%.0s' 1 2 3 4 5)"

# Links of the home into the mount, where the daemon would wait for itself.
ln -s "$mnt/runs/$id" "$home/runs/evil"
ln -s "$mnt/latest" "$home/runs/best"
expect_eq "$(timeout 10 ls "$mnt/runs")" "$id"
expect_not timeout 10 ls "$mnt/runs/evil"
timeout 10 cat "$mnt/latest/status" >"$dir/status"

# A link to a run that lies elsewhere is a run.
mv "$home/runs/$id" "$dir/moved"
ln -s "$dir/moved" "$home/runs/$id"
expect_eq "$(timeout 10 cat "$mnt/runs/$id/status")" terminated

# Attributes that lead there, too, are none.
mv "$dir/moved/.guild/attrs" "$dir/attrs"
ln -s "$mnt/runs/$id/attrs" "$dir/moved/.guild/attrs"
expect_eq "$(timeout 10 cat "$mnt/runs/$id/status")" error
