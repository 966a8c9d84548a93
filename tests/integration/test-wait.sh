#!/bin/bash
# Reading wait waits for the end of a run, gives its result, and the run can be started
# again that very moment.
. "$(dirname "$0")/lib.sh"

here=$(dirname "$0")
make_told
make_program nothing <<'END'
#!/bin/sh
END
start_mount

### The results

id=$(start_run told)
run=$mnt/runs/$id
expect_eq "$(stat -c %s "$run/wait")" 4096

exec {first}< <(exec cat "$run/wait")
wait_for is_waiting $!
exec {second}< <(read -r line <"$run/wait" && echo "$line")
exec {polled}< <(exec "$here/follow.py" poll "$run/wait")
exec {edge}< <(exec "$here/follow.py" epoll-edge "$run/wait")
for fd in "$polled" "$edge"; do
	expect_line "$fd" "not readable"
	expect_line "$fd" "waits"
done
expect_errno EAGAIN dd if="$run/wait" iflag=nonblock status=none
supervisor=$(cat "$run/pid")
tail --pid="$supervisor" -f /dev/null &
tail_pid=$!

tell "$id" 'exit 3'
for fd in "$first" "$second" "$polled" "$edge"; do
	expect_line "$fd" "error 3"
done
expect_line "$polled" "[end]"
expect_no_more "$first"
expect_exit "$tail_pid" 0

# Now at once, to any reader.
expect_result "$id" "error 3"
expect_eq "$(dd if="$run/wait" iflag=nonblock status=none)" "error 3"
expect_eq "$(dd if="$run/wait" bs=1 status=none)" "error 3"
expect_eq "$("$here/follow.py" select "$run/wait")" "error 3
[end]"

echo >"$run/restart"
tell "$id" 'exit 0'
expect_result "$id" "completed 0"

echo >"$run/restart"
tell "$id" 'kill -TERM $$'
expect_result "$id" "terminated -15"
expect_eq "$(cat "$run/status")" terminated
expect_eq "$(cat "$run/exit_status")" -15

# A staged run, as Guild makes one, has no end to wait for.
mkdir -p "$home/runs/staged/.guild/attrs"
printf "script:%s '' '' told" "$project" >"$home/runs/staged/.guild/opref"
touch "$home/runs/staged/.guild/STAGED"
expect_result staged staged

### An interrupted reader

echo >"$run/restart"
expect_eq "$("$here/at-terminal.py" cat "$run/wait")" SIGINT
expect_eq "$(cat "$run/status")" running
timeout -s INT 0.2 cat "$run/wait" >"$dir/text" || status=$?
expect_eq "$status" 124
expect_eq "$(cat "$dir/text")" ""
tell "$id" 'exit 0'
expect_result "$id" "completed 0"

### The moment after

id=$(start_run nothing)
run=$mnt/runs/$id
for ((i = 0; i < 100; i++)); do
	expect_result "$id" "completed 0"
	echo >"$run/restart" || fail "round $i: wait was over, but the run was not"
done
expect_result "$id" "completed 0"
for ((i = 0; i < 20; i++)); do
	echo >"$run/restart"
	timeout "$deadline" cat "$run/output"
	expect_eq "$(cat "$run/status")" completed
done
