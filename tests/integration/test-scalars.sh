#!/bin/bash
# What a run prints of its scalars stands in scalars and series/, while it goes on and
# after; a big output is worked through without holding others up, and not twice.
. "$(dirname "$0")/lib.sh"

has_no_child()
{
	! pgrep -P "$(mount_pid)" >/dev/null
}

# bytes_read: how many the daemon has read since it was started. What its children have
# read, as the supervisor did all of the output, counts as its own once they are reaped.
bytes_read()
{
	wait_for has_no_child
	awk '$1 == "rchar:" { print $2 }' "/proc/$(mount_pid)/io"
}

# expect_true_size FILE: it has as many bytes as it says.
expect_true_size()
{
	cat "$1" >"$dir/content"
	expect_eq "$(stat -c %s "$1")" "$(stat -c %s "$dir/content")"
}

cp -r "$fixtures/guild-home/runs" "$home/runs"
cat >"$project/steps.py" <<'END'
epochs = 3
for epoch in range(1, epochs + 1):
    print("step: %d" % epoch)
    print("epochs: %d" % epoch)
    print("loss: %f" % 0.5**epoch)
END
make_told
start_mount

### A run of Guild's, with a pattern of its own

run=$mnt/runs/00000000000000000000000000000a04
expect_eq "$(cat "$run/scalars")" "loss=0.512"
expect_eq "$(ls "$run/series")" loss
expect_eq "$(cat "$run/series/loss")" $'0\t0.8\n1\t0.64\n2\t0.512'
expect_true_size "$run/scalars"
expect_true_size "$run/series/loss"
expect_errno ENOENT cat "$run/series/step"
expect_errno EACCES put "$run/scalars" x
expect_eq "$(cat "$mnt/runs/00000000000000000000000000000a01/scalars")" ""
expect_eq "$(ls "$mnt/runs/00000000000000000000000000000a01/series")" ""

### Guild's own patterns, on a script that prints steps

id=$(start_run steps.py epochs=4)
expect_result "$id" "completed 0"
expect_eq "$(cat "$mnt/runs/$id/scalars")" "loss=0.0625"
expect_eq "$(cat "$mnt/runs/$id/series/loss")" $'1\t0.5\n2\t0.25\n3\t0.125\n4\t0.0625'

### Live, and with names that no file can have

id=$(start_run told)
run=$mnt/runs/$id
cat_is()
{
	[ "$(cat "$1")" = "$2" ]
}
size_is()
{
	[ "$(stat -c %s "$1")" -eq "$2" ]
}
expect_eq "$(cat "$run/scalars")" ""
tell "$id" 'echo loss: 1; echo val/loss: 5; echo 100%: 7; echo a%b: 7'
wait_for cat_is "$run/scalars" $'a%b=7.0\nloss=1.0\nval/loss=5.0'
tell "$id" 'printf "loss: 0.2"'
wait_for size_is "$run/output" 44
expect_eq "$(cat "$run/scalars")" $'a%b=7.0\nloss=1.0\nval/loss=5.0'
tell "$id" 'echo 5'
wait_for cat_is "$run/scalars" $'a%b=7.0\nloss=0.25\nval/loss=5.0'
expect_eq "$(ls "$run/series")" $'a%25b\nloss\nval%2Floss'
expect_eq "$(cat "$run/series/val%2Floss")" $'0\t5.0'
expect_eq "$(cat "$run/series/loss")" $'0\t1.0\n1\t0.25'
expect_errno ENOENT stat "$run/series/val%2floss"
expect_true_size "$run/scalars"
tell "$id" exit
expect_result "$id" "completed 0"

### The same, without a cache, by another daemon, and in a home that has none

cache=$home/cache/runfs/scalars
cat "$run/scalars" >/dev/null
wait_for test -s "$cache/$id"
rm -r "$cache"
stop_mount
touch "$home/cache/runfs/scalars"
start_mount
expect_eq "$(cat "$run/scalars")" $'a%b=7.0\nloss=0.25\nval/loss=5.0'
rm "$home/cache/runfs/scalars"
stop_mount
start_mount
expect_eq "$(cat "$run/scalars")" $'a%b=7.0\nloss=0.25\nval/loss=5.0'
wait_for test -s "$cache/$id"

### A big output

make_program big <<'END'
#!/usr/bin/python3
line = "2026-01-31 12:00:00 INFO trainer: batch %07d took 0.123 s, 34 samples\n"
block = "".join(line % i for i in range(1000))
for step in range(2900):
    print("step: %d\nloss: %.6f\n" % (step, 1 / (step + 1)), end=block)
END
big=$(start_run big)
expect_result "$big" "completed 0"
run=$mnt/runs/$big
size=$(stat -c %s "$run/output")
[ "$size" -gt 200000000 ] || fail "the output has only $size bytes"

before=$(bytes_read)
cat "$run/series/loss" >"$dir/loss" &
reader=$!
for _ in 1 2 3; do # in the meantime
	timeout 2 cat "$mnt/runs/$id/status" >/dev/null || fail "the others wait"
done
expect_exit "$reader" 0
expect_eq "$(cat "$run/scalars")" "loss=0.000345"
expect_eq "$(wc -l <"$dir/loss")" 2900
after=$(bytes_read)
[ $((after - before)) -lt $((size + 10000000)) ] ||
	fail "$((after - before)) bytes were read of an output of $size"

expect_eq "$(cat "$run/scalars")" "loss=0.000345"
expect_eq "$(ls "$run/series")" loss
cmp "$run/series/loss" "$dir/loss"
[ $(($(bytes_read) - after)) -lt 1000000 ] || fail "the output was read again"

wait_for test -s "$cache/$big"
stop_mount
start_mount
before=$(bytes_read)
expect_eq "$(cat "$run/scalars")" "loss=0.000345"
cmp "$run/series/loss" "$dir/loss"
[ $(($(bytes_read) - before)) -lt 1000000 ] || fail "another daemon read it again"

### A restart begins anew, and a reader that gives up does no harm

timeout 0.01 cat "$run/scalars" >/dev/null || true
restarted=$mnt/runs/$id
echo >"$restarted/restart"
expect_eq "$(cat "$restarted/scalars")" ""
expect_eq "$(ls "$restarted/series")" ""
tell "$id" 'echo new: 1; exit'
expect_result "$id" "completed 0"
expect_eq "$(cat "$restarted/scalars")" "new=1.0"
