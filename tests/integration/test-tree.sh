#!/bin/bash
# No process of a run is alive once its status is final, wherever it has got to: out of
# the session, below init, held, deaf to SIGTERM, or one of many that come and go.
. "$(dirname "$0")/lib.sh"

make_told
start_mount -o stop_timeout=1
id=$(start_run told)
run=$mnt/runs/$id
files=$home/runs/$id

restart()
{
	[ "$(cat "$run/status")" = running ] || echo >"$run/restart"
}

# All that a program of this story has left its number with in the file pids has ended.
expect_all_ended()
{
	local pid
	[ -s "$files/pids" ]
	while read -r pid; do
		has_ended "$pid" || fail "$pid goes on"
	done <"$files/pids"
	: >"$files/pids"
}

# has_pids N: so many have left their numbers.
has_pids()
{
	[ "$(wc -l <"$files/pids")" -ge "$1" ]
}

cat >"$dir/daemonise.py" <<'END2'
# Forks twice, leaves the session, its descriptors, its directory and its environment.
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open("pids", "a") as file:
            file.write(f"{os.getpid()}\n")
        os.chdir("/")
        null = os.open("/dev/null", os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        os.execve("/bin/sleep", ["sleep", "1000"], {})
    os._exit(0)
os.wait()
END2

### Stopped

tell "$id" "python3 '$dir/daemonise.py'"
tell "$id" 'setsid sleep 1000 & echo $! >>pids'
wait_for has_pids 2
echo >"$run/stop"
expect_result "$id" "terminated -15"
expect_all_ended

### At the end of the command

restart
tell "$id" "python3 '$dir/daemonise.py'"
tell "$id" 'setsid sleep 1000 >/dev/null 2>&1 & echo $! >>pids'
wait_for has_pids 2
tell "$id" 'exit 0'
expect_result "$id" "completed 0"
expect_all_ended

### Deaf, and held

restart
tell "$id" '(trap "" TERM; echo $BASHPID >>pids; exec setsid sleep 1000) &'
tell "$id" 'setsid bash -c "kill -STOP \$\$" & echo $! >>pids'
wait_for has_pids 2
echo >"$run/stop"
expect_result "$id" "terminated -15"
expect_all_ended

restart
tell "$id" 'setsid bash -c "kill -STOP \$\$" >/dev/null 2>&1 & echo $! >>pids'
wait_for has_pids 1
tell "$id" 'exit 3'
expect_result "$id" "error 3"
expect_all_ended

### Signals reach all

restart
tell "$id" 'setsid sleep 1000 & echo $! >>pids'
wait_for has_pids 1
far=$(cat "$files/pids")
echo STOP >"$run/stop"
wait_for grep -q '^State:.T' "/proc/$far/status"
echo CONT >"$run/stop"
wait_for grep -q '^State:.S' "/proc/$far/status"
echo INT >"$run/stop"
wait_for has_ended "$far"
expect_result "$id" "terminated -2"

restart
tell "$id" 'trap "" TERM; setsid sleep 1000 & echo $! >>pids'
wait_for has_pids 2
echo KILL >"$run/stop"
expect_result "$id" "terminated -9"
expect_all_ended

### A supervisor that is killed: the daemon that is there ends what is left, or the next

# leave: the run goes on, with a process in its session and, where there are cgroups, one
# that has left it.
leave()
{
	restart
	tell "$id" 'sleep 1000 & echo $! >>pids'
	! grep -q / "$home/runfs/live/$id" ||
		tell "$id" 'cd /; setsid env -i sleep 1000 & cd - >&2; echo $! >>pids'
	wait_for has_pids "$(($(grep -c / "$home/runfs/live/$id" || true) + 1))"
}

all_have_ended()
{
	local pid
	while read -r pid; do
		has_ended "$pid" || return 1
	done <"$files/pids"
}

: >"$files/pids"
leave
kill -KILL "$(cat "$run/pid")"
wait_for all_have_ended
expect_eq "$(cat "$run/status")" error
wait_for test ! -e "$home/runfs/live/$id"
expect_all_ended

leave
stop_mount
kill -KILL "$(cat "$files/.guild/LOCK")"
start_mount -o stop_timeout=1
wait_for all_have_ended
expect_all_ended

### Many that come and go, each in a session of its own (500 at most)

make_program storm <<'END2'
#!/usr/bin/python3
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
with open("pids", "a", buffering=1) as file:
    for i in range(500):
        if os.fork() == 0:
            os.setsid()
            file.write(f"{os.getpid()}\n")
            time.sleep(0.05 if i % 2 else 1000)
            os._exit(0)
        time.sleep(0.002)
time.sleep(1000)
END2
id=$(start_run storm)
run=$mnt/runs/$id
files=$home/runs/$id
wait_for test -e "$files/pids"
wait_for has_pids 30
echo >"$run/stop"
expect_result "$id" "terminated -9"
expect_all_ended
