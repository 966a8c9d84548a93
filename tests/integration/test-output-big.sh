#!/bin/bash
# A reader gets all of a gigabyte that a run writes as fast as it can, while it does.
. "$(dirname "$0")/lib.sh"

deadline=250
big_output=$(dirname "$0")/big-output.py
size=$((1 << 30))

sum=$("$big_output" | md5sum)
make_program big <"$big_output"
start_mount
id=$(start_run big)
cat "$mnt/runs/$id/output" | md5sum >"$dir/sum" &
reader=$!
dd if="$mnt/runs/$id/output" iflag=skip_bytes,fullblock skip=$((size - 1000000)) bs=1M \
	status=none | md5sum >"$dir/last-sum" &
last_reader=$!

expect_exit "$reader" 0
expect_eq "$(cat "$dir/sum")" "$sum"
expect_result "$id" "completed 0"
expect_eq "$(stat -c %s "$mnt/runs/$id/output")" "$size"
expect_exit "$last_reader" 0
expect_eq "$(cat "$dir/last-sum")" \
	"$(tail -c 1000000 "$home/runs/$id/.guild/output" | md5sum)"
expect_eq "$(md5sum <"$home/runs/$id/.guild/output")" "$sum"
