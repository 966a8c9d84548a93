#!/bin/bash
# Two who start one run at the same moment, through one mount or through two of one home:
# exactly one of them does, the other is told that the run is busy.
. "$(dirname "$0")/lib.sh"

race=$(dirname "$0")/race.py
rounds=100

# It notes each start, and lives until it is told to end, so that nobody comes too late.
make_program noted <<'END'
#!/bin/bash
echo $$ >>starts
[ -p tell ] || mkfifo tell
read -r _ code <tell
exit "$code"
END
start_mount
mnt=$dir/second start_mount
id=$(start_run noted)
tell "$id" 'exit 0'
expect_result "$id" "completed 0"

first=$mnt/runs/$id/restart
second=$dir/second/runs/$id/restart
"$race" "$rounds" "$home/runs/$id" "$first" "$first"
"$race" "$rounds" "$home/runs/$id" "$first" "$second"

# Who has lost can do it the next time, and nothing of the races is left in the run.
echo >"$second"
expect_errno EBUSY put "$first" ""
expect_eq "$(cat "$first")" "error: the run $id is running: wait for its end (cat wait),\
 or stop it first (echo > stop)"
tell "$id" 'exit 0'
expect_result "$id" "completed 0"
expect_eq "$(ls "$home/runs/$id/.guild")" "attempts
attrs
manifest
opref
output
output.index"
