#!/bin/bash
# A command that ends and leaves children with its output behind: the run ends when the
# pipe is drained, or quiet for a second, and the children go on.
. "$(dirname "$0")/lib.sh"

make_told
start_mount

# The pid that the command has left in its directory.
child_of()
{
	cat "$home/runs/$1/child-pid"
}

### A quiet child

make_program quiet <<'END'
#!/bin/sh
sleep 1000 &
echo $! >child-pid
echo done
exit 3
END
id=$(start_run quiet)
started=$SECONDS
expect_result "$id" "error 3"
[ $((SECONDS - started)) -lt 10 ]
expect_eq "$(timeout "$deadline" cat "$mnt/runs/$id/output")" "done"
child=$(child_of "$id")
expect_not has_ended "$child"
kill "$child"

### A child that writes on: all of it counts

make_program busy <<END
#!/bin/sh
(cat "$dir/much"; exec sleep 1000) &
echo \$! >child-pid
END
head -c 20000000 /dev/urandom >"$dir/much"
id=$(start_run busy)
timeout "$deadline" cat "$mnt/runs/$id/output" | cmp - "$dir/much"
expect_result "$id" "completed 0"
child=$(child_of "$id")
expect_not has_ended "$child"
kill "$child"

### Children that have let go of the pipe don't hold it up

make_program apart <<'END'
#!/bin/sh
sleep 1000 >/dev/null 2>&1 &
echo $! >child-pid
END
id=$(start_run apart)
expect_result "$id" "completed 0"
child=$(child_of "$id")
expect_not has_ended "$child"
# Not even for the second that the quiet one had: its end is the end of the pipe.
python3 -c 'import sys
started, stopped = (int(open(path).read()) for path in sys.argv[1:])
sys.exit(stopped - started >= 1000000)' "$home/runs/$id/.guild/attrs"/{started,stopped}
kill "$child"

### A child that never ends and never stops writing does not keep the run for ever

make_program endless <<'END'
#!/bin/sh
(while echo again; do sleep 0.1; done) &
echo $! >child-pid
END
id=$(start_run endless)
expect_result "$id" "completed 0"
child=$(child_of "$id")
expect_eq "$(timeout "$deadline" head -n 1 "$mnt/runs/$id/output")" again
# Nobody reads what it writes any more, and it ends of that.
wait_for has_ended "$child"

### Restarted while a child of the time before is still there: its words are not heard

id=$(start_run told)
mkfifo "$home/runs/$id/later"
tell "$id" '(echo $BASHPID >child-pid; echo left; read -r _ <later; echo too late) &'
wait_for grep -q left "$home/runs/$id/.guild/output"
tell "$id" 'exit 0'
expect_result "$id" "completed 0"
echo >"$mnt/runs/$id/restart"
tell "$id" 'echo anew'
exec {output}< <(exec cat "$mnt/runs/$id/output")
expect_line "$output" anew
child=$(child_of "$id")
echo >"$home/runs/$id/later"
wait_for has_ended "$child"
tell "$id" 'exit 0'
expect_no_more "$output"
expect_result "$id" "completed 0"
