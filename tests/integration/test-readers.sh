#!/bin/bash
# Two thousand readers of one run: all get all of it, nobody else has to wait for them,
# and when they are gone, however they went, nothing of them is left.
. "$(dirname "$0")/lib.sh"

here=$(dirname "$0")
n_readers=2000

make_told
start_mount
id=$(start_run told)
run=$mnt/runs/$id
daemon=$(mount_pid)

# What the daemon holds: descriptors, and what it watches of the home.
held()
{
	stat "$mnt" >/dev/null # what was closed before has been released by then
	echo "$(find "/proc/$daemon/fd" -type l | wc -l) descriptors," \
		"$(cat "/proc/$daemon/fdinfo"/* | grep -c ^inotify) watches"
}
holds_as_before()
{
	[ "$(held)" = "$before" ]
}
# One reader has come and gone before we count.
tell "$id" 'echo first'
expect_eq "$(head -n 1 "$run/output")" first
before=$(held)

waiting_threads()
{
	cat "/proc/$1"/task/*/wchan | grep -o request_wait_answer | wc -l
}
all_wait()
{
	[ "$(waiting_threads "$1")" -ge "$2" ]
}

# The slowest of a hundred looks at other files, in ms; each opens, reads and closes.
slowest_look()
{
	timeout "$deadline" python3 -c '
import os, sys, time
times = []
for i in range(100):
    start = time.monotonic()
    os.stat(sys.argv[1] + "/status")
    open(sys.argv[1] + "/flags").read()
    times.append(time.monotonic() - start)
print(int(sorted(times)[-10] * 1000))' "$run"
}

### All get all of it

exec {crowd}< <(exec "$here/crowd.py" "$n_readers" "$run/output")
crowd_pid=$!
expect_line "$crowd" "all read"
wait_for all_wait "$crowd_pid" "$n_readers"
[ "$(held | cut -d ' ' -f 1)" -ge "$n_readers" ] # else the end would prove nothing
[ "$(slowest_look)" -lt 1000 ]

tell "$id" 'for i in {1..20}; do printf "%05000d\n" $i; done; echo last'
expect_eq "$(head -n 22 "$run/output" | tail -n 1)" last
[ "$(slowest_look)" -lt 1000 ]
wait_for all_wait "$crowd_pid" "$n_readers"
tell "$id" 'exit 0'
sum=$(md5sum <"$home/runs/$id/.guild/output")
expect_line "$crowd" "$n_readers ${sum%% *}"
expect_no_more "$crowd"
expect_eq "$(wc -c <"$run/output")" $((6 + 20 * 5001 + 5))
wait_for holds_as_before

### Readers that are killed

echo >"$run/restart"
tell "$id" 'echo first'
"$here/crowd.py" "$n_readers" "$run/output" >"$dir/crowd" &
crowd_pid=$!
wait_for grep -q 'all read' "$dir/crowd"
wait_for all_wait "$crowd_pid" "$n_readers"
kill -KILL "$crowd_pid"
expect_exit "$crowd_pid" 137
wait_for holds_as_before

waiters=()
for ((i = 0; i < 50; i++)); do
	cat "$run/output" >/dev/null &
	waiters+=("$!")
	cat "$run/wait" >/dev/null &
	waiters+=("$!")
done
for pid in "${waiters[@]}"; do
	wait_for is_waiting "$pid"
done
kill -KILL "${waiters[@]}"
for pid in "${waiters[@]}"; do
	expect_exit "$pid" 137
done
wait_for holds_as_before

# Those who only poll.
pollers=()
for method in poll select epoll epoll-edge; do
	for file in output wait; do
		exec {poller}< <(exec "$here/follow.py" "$method" "$run/$file")
		pollers+=("$!")
		[ "$file" = output ] || expect_line "$poller" "not readable"
		[ "$file" = wait ] || expect_line "$poller" first
		exec {poller}<&-
	done
done
kill -KILL "${pollers[@]}"
for pid in "${pollers[@]}"; do
	expect_exit "$pid" 137
done
wait_for holds_as_before

### Readers that are interrupted

for file in output wait; do
	expect_eq "$("$here/at-terminal.py" cat "$run/$file")" SIGINT
	expect_eq "$("$here/at-terminal.py" bash -c "read -r line <$run/wait")" SIGINT
	env --default-signal=INT cat "$run/$file" >/dev/null &
	reader=$!
	wait_for is_waiting "$reader"
	kill -INT "$reader"
	expect_exit "$reader" 130
done
wait_for holds_as_before

# A reader that is held and let go on reads on; so does one with a handler.
cat "$run/output" >"$dir/text" &
reader=$!
wait_for is_waiting "$reader"
kill -STOP "$reader"
wait_for grep -q '^State:.T' "/proc/$reader/status"
kill -CONT "$reader"
wait_for is_waiting "$reader"
exec {alarmed}< <(exec python3 -c 'import os, signal, sys
def ring(*_):
    print("rings", flush=True)
signal.signal(signal.SIGALRM, ring)
fd = os.open(sys.argv[1], os.O_RDONLY)
print("opened", flush=True)
print(os.read(fd, 100), flush=True)' "$run/wait")
alarmed_pid=$!
expect_line "$alarmed" opened
wait_for is_waiting "$alarmed_pid"
kill -ALRM "$alarmed_pid"
expect_line "$alarmed" rings
wait_for is_waiting "$alarmed_pid"

tell "$id" 'echo second; exit 3'
expect_line "$alarmed" "b'error 3\\n'"
expect_exit "$reader" 0
expect_eq "$(cat "$dir/text")" "first
second"
wait_for holds_as_before
