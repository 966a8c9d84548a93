#!/bin/bash
# A command that ends and leaves children with its output behind: they may go on while
# they print, until they are quiet for a second. Then they are ended, and the run ends.
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
has_ended "$(child_of "$id")"

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
has_ended "$(child_of "$id")"

### Children that have let go of the pipe don't hold it up

make_program apart <<'END'
#!/bin/sh
sleep 1000 >/dev/null 2>&1 &
echo $! >child-pid
END
id=$(start_run apart)
expect_result "$id" "completed 0"
has_ended "$(child_of "$id")"
# Not even for the second that the quiet one had: its end is the end of the pipe.
python3 -c 'import sys
started, stopped = (int(open(path).read()) for path in sys.argv[1:])
sys.exit(stopped - started >= 1000000)' "$home/runs/$id/.guild/attrs"/{started,stopped}

### A child that never ends and never stops writing does not keep the run for ever

make_program endless <<'END'
#!/bin/sh
(while echo again; do sleep 0.1; done) &
echo $! >child-pid
END
id=$(start_run endless)
expect_result "$id" "completed 0"
has_ended "$(child_of "$id")"
expect_eq "$(timeout "$deadline" head -n 1 "$mnt/runs/$id/output")" again

### What a child says when it is told to end counts too

make_program polite <<'END'
#!/bin/bash
(trap 'echo goodbye; exit' TERM; touch ready; while :; do :; done) &
echo $! >child-pid
until [ -e ready ]; do sleep 0.01; done
END
id=$(start_run polite)
expect_eq "$(timeout "$deadline" cat "$mnt/runs/$id/output")" goodbye
expect_result "$id" "completed 0"

### A child that ignores that is killed, and another start does not wait for long

make_program stubborn <<'END'
#!/bin/bash
(trap '' TERM; echo $BASHPID >child-pid; while :; do sleep 0.1; done) >/dev/null 2>&1 &
until [ -s child-pid ]; do sleep 0.01; done
END
id=$(start_run stubborn)
expect_result "$id" "completed 0"
child=$(child_of "$id")
has_ended "$child"
echo >"$mnt/runs/$id/restart"
expect_result "$id" "completed 0"
