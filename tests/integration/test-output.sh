#!/bin/bash
# The output of a run is followed to the run's end, from any place, by any reader; and
# whoever does not want to wait does not.
. "$(dirname "$0")/lib.sh"

follow=$(dirname "$0")/follow.py

make_told
start_mount
id=$(start_run told)
run=$mnt/runs/$id
output=$home/runs/$id/.guild/output

### Readers that follow, each from its own place

exec {all}< <(exec cat "$run/output")
exec {later}< <(exec dd if="$run/output" iflag=skip_bytes skip=4 bs=64K status=none)
exec {far}< <(exec dd if="$run/output" bs=1 skip=12 status=none)
exec {tail}< <(exec tail -c +5 "$run/output") # which says it all at the end
exec {polled}< <(exec "$follow" poll "$run/output")
exec {selected}< <(exec "$follow" select "$run/output")
exec {epolled}< <(exec "$follow" epoll "$run/output")
exec {edge}< <(exec "$follow" epoll-edge "$run/output")
wc -c <"$run/output" >"$dir/count" &
wc_pid=$!

# The first four know that they have to wait before there is anything.
for fd in "$polled" "$selected" "$epolled" "$edge"; do
	expect_line "$fd" "not readable"
done
for fd in "$polled" "$selected" "$epolled" "$edge"; do
	expect_line "$fd" "waits"
done

tell "$id" 'echo one two'
for fd in "$all" "$polled" "$selected" "$epolled" "$edge"; do
	expect_line "$fd" "one two"
done
# Not sooner: tail reads an empty file to its end before it follows it.
exec {tailed}< <(exec tail -f "$run/output" 2>/dev/null)
tail_pid=$!
expect_line "$tailed" "one two"
expect_line "$later" "two"
expect_eq "$(stat -c %s "$run/output")" 8

tell "$id" 'echo three, on stderr >&2'
for fd in "$all" "$later" "$polled" "$selected" "$epolled" "$edge" "$tailed"; do
	expect_line "$fd" "three, on stderr"
done
expect_line "$far" "e, on stderr"
expect_eq "$(stat -c %s "$run/output")" 25

### Readers that don't wait, while the run goes on

expect_eq "$(cat "$run/status")" running
now="one two
three, on stderr"
at_once()
{
	timeout "$deadline" "$@" || fail "waited, or failed: $*"
}
expect_eq "$(at_once dd if="$run/output" iflag=nonblock status=none)" "$now"
expect_eq "$(at_once tail -n 1 "$run/output")" "three, on stderr"
expect_eq "$(at_once head -n 1 "$run/output")" "one two"
expect_eq "$(at_once head -c 3 "$run/output")" "one"
expect_eq "$(at_once dd if="$run/output" bs=1 skip=4 count=3 status=none)" "two"
expect_eq "$(at_once python3 -c 'import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK)
print(os.pread(fd, 100, 8), os.pread(fd, 100, 25), os.pread(fd, 100, 1000))
' "$run/output")" "b'three, on stderr\n' b'' b''"

# The flag counts as it is now, not as it was at open(2).
expect_eq "$(at_once python3 -c 'import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK)
print(len(os.read(fd, 100)), len(os.read(fd, 100)))' "$run/output")" "25 0"

mnt=$dir/nofollow start_mount -o nofollow
expect_eq "$(at_once cat "$dir/nofollow/runs/$id/output")" "$now"
expect_eq "$(at_once "$follow" poll "$dir/nofollow/runs/$id/output")" "$now
[end]"

### The end of the run is the end of the file

tell "$id" 'printf "no end"'
wait_for grep -q 'no end' "$output" # or dd could go without it
exec {beyond}< <(exec dd if="$run/output" bs=1 skip=1000 status=none)
wait_for is_waiting $!
wait_for is_waiting "$wc_pid" # what was printed woke it, too
tell "$id" 'exit 0'
expect_result "$id" "completed 0"
for fd in "$polled" "$selected" "$epolled" "$edge"; do
	expect_line "$fd" "no end[end]"
done
expect_line "$tail" two
expect_line "$tail" "three, on stderr"
for fd in "$all" "$later" "$tail"; do
	read -r -d '' -t "$deadline" -u "$fd" rest || :
	expect_eq "$rest" "no end"
done
for fd in "$all" "$later" "$polled" "$selected" "$epolled" "$edge" "$tail" "$beyond"; do
	expect_no_more "$fd"
done
expect_exit "$wc_pid" 0
expect_eq "$(cat "$dir/count")" 31
expect_eq "$(at_once wc -c <"$run/output")" 31
kill "$tail_pid"

# Now nobody waits any more.
expect_eq "$(at_once cat "$run/output")" "$now
no end"
expect_eq "$(at_once "$follow" poll "$run/output" | tail -n 1)" "no end[end]"

### Lines and their streams

expect_eq "$(at_once python3 -c 'import struct, sys
guild = sys.argv[1] + "/.guild/"
index = open(guild + "output.index", "rb").read()
times, streams = zip(*struct.iter_unpack("!QB", index))
started = int(open(guild + "attrs/started").read()) // 1000
stopped = int(open(guild + "attrs/stopped").read()) // 1000
print(streams, started <= times[0] <= times[1] <= times[2] <= stopped)
' "$home/runs/$id")" "(0, 1, 0) True"

### A reader of an output that a restart replaces gets to the end of the one it reads

echo >"$run/restart"
tell "$id" 'echo first'
exec {old}< <(exec cat "$run/output")
expect_line "$old" first
wait_for is_waiting $!
old_reader=$!
kill -STOP "$old_reader"
tell "$id" 'echo last words; exit 0'
expect_result "$id" "completed 0"
echo >"$run/restart"
tell "$id" 'echo second'
kill -CONT "$old_reader"
expect_line "$old" "last words"
expect_no_more "$old"
exec {new}< <(exec cat "$run/output")
expect_line "$new" second
tell "$id" 'exit 0'
expect_no_more "$new"

### Byte for byte

head -c 3000001 /dev/urandom >"$dir/random"
make_program to-stdout <<END
#!/bin/sh
exec cat "$dir/random"
END
make_program to-stderr <<END
#!/bin/sh
exec cat "$dir/random" >&2
END
for program in to-stdout to-stderr; do
	id=$(start_run "$program")
	timeout "$deadline" cat "$mnt/runs/$id/output" >"$dir/followed"
	cmp "$dir/followed" "$dir/random"
	cmp "$home/runs/$id/.guild/output" "$dir/random"
	expect_result "$id" "completed 0"
done
