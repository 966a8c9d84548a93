#!/bin/bash
# A home that Guild wrote reads as Guild says, and its runs start again, though neither
# their project nor Guild is there; and what we write is what Guild would write.
. "$(dirname "$0")/lib.sh"

a=00000000000000000000000000000a
cp -R "$fixtures/guild-home/." "$home"
chmod -R u+w "$home"
[ ! -e /home/me/optimizers ] || fail "the project of the fixture is here"
start_mount

# What two streams say comes in any order, even within a line.
sorted_bytes()
{
	od -An -v -tx1 -w1 | sort
}

### What each run is
while IFS='|' read -r n op status exit_status flags; do
	r=$mnt/runs/$a$n
	expect_eq "$(cat "$r/op")" "$op"
	expect_eq "$(cat "$r/status")" "$status"
	expect_eq "$(cat "$r/exit_status")" "$exit_status"
	expect_eq "$(cat "$r/wait")" "$status${exit_status:+ $exit_status}"
	expect_eq "$(tr '\n' ';' <"$r/flags")" "$flags"
	expect_eq "$(cat "$r/pid")" ""
	expect_not test -e "$r/needed"
	for attr in "$home/runs/$a$n"/.guild/attrs/*; do
		cmp "$attr" "$r/attrs/${attr##*/}"
	done
	expect_eq "$(ls "$r/attrs")" "$(ls "$home/runs/$a$n/.guild/attrs")"
	[ ! -e "$home/runs/$a$n/.guild/output" ] ||
		cmp "$home/runs/$a$n/.guild/output" "$r/output"
done <<'END'
01|echo.py|completed|0|x=1.0;y=2;z=a;
02|echo.py|completed|0|x=10;y=3;z=b;
03|fail.py|error|1|code=1;
04|train|completed|0|delay=0.0;epochs=3;lr=0.2;nesterov=yes;optimizer=sgd;
05|hello|completed|0|name='red planet';
06|add|completed|0|a=40;b=2;
07|echo.py|staged||x=1.0e-05;y=-3;z='1';
08|train|terminated|-15|delay=30.0;epochs=3;lr=0.1;nesterov=no;optimizer=sgd;
END
expect_eq "$(ls "$mnt/runs")" "$(ls "$home/runs")"
expect_eq "$(ls -t "$mnt/runs" | tr -d '\n' | sed "s/$a//g")" 0208070605040301
expect_eq "$(readlink "$mnt/latest")" "runs/${a}02"

r=$mnt/runs/${a}04
expect_eq "$(cat "$r/label")" "my label"
expect_eq "$(cat "$r/tags")" $'best\ntwo words'
expect_eq "$(cat "$r/comment")" "a comment"
expect_eq "$(cat "$r/initialized")" 2026-11-22T07:22:51.326663Z
expect_eq "$(cat "$r/started")" 2026-11-22T07:22:51.345484Z
expect_eq "$(cat "$r/stopped")" 2026-11-22T07:22:51.529951Z
expect_eq "$(cat "$r/elapsed")" 0.184467
expect_eq "$(cat "$r/source")" digest=4a43dbffe7da0c9057211325ea67b3cd
expect_eq "$(grep FLAG_ "$r/env" | tr '\n' ' ')" \
	"FLAG_DELAY=0.0 FLAG_EPOCHS=3 FLAG_LR=0.2 FLAG_NESTEROV=1 FLAG_OPTIMIZER=sgd "
expect_eq "$(cat "$mnt/runs/${a}06/cmd")" "sh -c 'echo \$(( 40 + 2 ))'"
r=$mnt/runs/${a}07
expect_eq "$(cat "$r/output" "$r/started" "$r/stopped" "$r/elapsed" "$r/env")" ""

### Each finished one starts again as it was
for n in 01 02 03 04 05 06; do
	r=$mnt/runs/$a$n
	was=$fixtures/guild-home/runs/$a$n/.guild now=$home/runs/$a$n/.guild
	status=$(cat "$r/wait") cmd=$(cat "$r/cmd")
	echo >"$r/restart"
	expect_eq "$(cat "$r/restart")" "Restarting $a$n"
	expect_eq "$(sorted_bytes <"$r/output")" "$(sorted_bytes <"$was/output")"
	expect_eq "$(cat "$r/wait")" "$status"
	expect_eq "$(cat "$r/cmd")" "$cmd"
	expect_eq "$(readlink "$mnt/latest")" "runs/$a$n"
	# What Guild rewrites or keeps of it, byte for byte.
	expect_eq "$(ls "$now" | tr '\n' ' ')" \
		"attempts attrs manifest opref output output.index "
	expect_eq "$(ls "$now/attrs")" "$(ls "$was/attrs")"
	for attr in "$was"/attrs/*; do
		case ${attr##*/} in
		started | stopped | env | user_flags) continue ;;
		esac
		cmp "$attr" "$now/attrs/${attr##*/}"
	done
	cmp "$was/opref" "$now/opref"
	cmp "$was/manifest" "$now/manifest"
	expect_eq "$(cat "$now/attrs/user_flags")" "{}"
	[ "$(cat "$now/attrs/started")" -gt "$(cat "$was/attrs/stopped")" ]
	[ "$(cat "$now/attrs/stopped")" -ge "$(cat "$now/attrs/started")" ]
	expect_eq "$(grep '^RUN_' "$now/attrs/env" | tr -d \' | tr '\n' ' ')" \
		"RUN_DIR: $home/runs/$a$n RUN_ID: $a$n "
	# All that Guild sets; not what the machine where it ran had besides.
	while IFS=: read -r name _; do
		case $name in
		HOST | NO_PIP_FREEZE | NO_VCS_COMMIT | USER | PYTHONPATH) continue ;;
		esac
		grep -q "^$name: " "$now/attrs/env" || fail "no $name in the environment"
	done <"$was/attrs/env"
done

### And with other flags
# restarts N REQUEST OUTPUT RESULT FLAGS
restarts()
{
	local r=$mnt/runs/$a$1
	echo "$2" >"$r/restart"
	expect_eq "$(tr '\n' ';' <"$r/output" | sorted_bytes)" \
		"$(printf %s "$3" | sorted_bytes)"
	expect_eq "$(cat "$r/wait")" "$4"
	expect_eq "$(tr '\n' ';' <"$r/flags")" "$5"
}
restarts 01 'x=2.5 z="it is"' "2.5 2 'it is';" "completed 0" "x=2.5;y=2;z='it is';"
restarts 02 "z='1'" "10 3 '1';" "completed 0" "x=10;y=3;z='1';"
restarts 03 code=0 "failing with 0;to stderr;" "completed 0" "code=0;"
restarts 03 code=7 "failing with 7;to stderr;" "error 7" "code=7;"
restarts 04 'lr=0.5 epochs=1 nesterov=no' "loss: 0.500000;step: 1;" "completed 0" \
	"delay=0.0;epochs=1;lr=0.5;nesterov=no;optimizer=sgd;"
restarts 05 name=moon "hello moon;" "completed 0" "name=moon;"
restarts 06 'a=1 b=-5' "-4;" "completed 0" "a=1;b=-5;"
expect_eq "$(cat "$home/runs/${a}01/.guild/attrs/user_flags")" $'x: 2.5\nz: it is'
expect_eq "$(cat "$home/runs/${a}02/.guild/attrs/flags")" $'x: 10\n\'y\': 3\nz: \'1\''
expect_eq "$(cat "$mnt/runs/${a}01/label")" "x=2.5 y=2 z='it is'"
# What the user has said of it stays, and so does what it has made.
r=$mnt/runs/${a}04
expect_eq "$(cat "$r/label" "$r/tags" "$r/comment")" \
	$'my label\nbest\ntwo words\na comment'
expect_eq "$(cat "$r/files/model.txt")" 0.500000
expect_eq "$(cat "$home/runs/${a}02/.guild/attrs/marked")" true
# What it was not made for is refused.
expect_errno EINVAL put "$mnt/runs/${a}05/restart" nosuch=1

### The one that was terminated, and is again
r=$mnt/runs/${a}08
echo delay=100 >"$r/restart"
expect_eq "$(cat "$r/status" "$r/exit_status" "$r/stopped")" running
expect_eq "$(ls "$home/runs/${a}08/.guild" | tr '\n' ' ')" \
	"LOCK attempts attrs manifest opref output output.index "
expect_not test -e "$home/runs/${a}08/.guild/attrs/exit_status"
expect_eq "$(cat "$home/runs/${a}08/.guild/LOCK")" "$(cat "$r/pid")"
echo >"$r/stop"
expect_eq "$(cat "$r/wait")" "terminated -15"
expect_eq "$(cat "$home/runs/${a}08/.guild/attrs/exit_status")" -15

### The staged one starts
r=$mnt/runs/${a}07
expect_errno EINVAL put "$r/restart" nosuch=1
expect_eq "$(cat "$r/status")" staged
touch "$r/needed"
echo >"$r/restart"
expect_eq "$(cat "$r/restart")" "Restarting ${a}07"
expect_eq "$(cat "$r/output")" "1e-05 -3 '1'"
expect_eq "$(cat "$r/wait")" "completed 0"
expect_eq "$(ls "$home/runs/${a}07/.guild" | tr '\n' ' ')" \
	"ENV attrs manifest needed opref output output.index "

### Needed compares as Guild does
skipped='Skipping run because flags have not changed (--needed specified)'
echo --needed >"$r/restart"
expect_eq "$(cat "$r/restart")" "$skipped"
echo 'x=0.00001 y=-3.0' >"$r/restart"
expect_eq "$(cat "$r/restart")" "$skipped"
echo 'z=1' >"$r/restart"
expect_eq "$(cat "$r/restart")" "Restarting ${a}07"
expect_eq "$(cat "$r/output")" "1e-05 -3 1"
r=$mnt/runs/${a}08
echo --needed >"$r/restart"
expect_eq "$(cat "$r/restart")" "$skipped"
r=$mnt/runs/${a}03
echo --needed >"$r/restart"
expect_eq "$(cat "$r/restart")" "Restarting ${a}03"
expect_eq "$(cat "$r/wait")" "error 7"
stop_mount

### What we write ourselves
rm -rf "$home/runs"
use_project optimizers
NO_PIP_FREEZE=1 NO_VCS_COMMIT=1 MY_TOKEN=x Password_1=y A_SECRET=z start_mount
form()
{
	local run
	run=$home/$(readlink "$mnt/latest")
	PROJECT=$project python3 "$(dirname "$0")/guild-form.py" "$run" \
		"$fixtures/guild-home/runs/$a$1" || fail "not as Guild has it"
}
echo >"$mnt/ops/echo.py/run"
expect_eq "$(cat "$mnt/latest/wait")" "completed 0"
form 01
echo >"$mnt/ops/fail.py/run"
expect_eq "$(cat "$mnt/latest/wait")" "error 1"
form 03
