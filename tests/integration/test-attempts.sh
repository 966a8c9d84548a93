#!/bin/bash
# A restart keeps what it replaces: attempts/N has the flags, the output and the end of
# the N-th start, as many as the mount keeps, whatever dies in between.
. "$(dirname "$0")/lib.sh"

make_told
make_program print <<'END2'
#!/bin/sh
echo "this is $FLAG_N"
[ "$FLAG_N" != 2 ] || exit 4
END2
cat >"$project/guild.yml" <<'END2'
print:
  exec: ./print
  flags: { n: 1 }
END2
start_mount -o stop_timeout=1
id=$(start_run print)
expect_result "$id" "completed 0"
run=$mnt/runs/$id
files=$home/runs/$id/.guild

# again FLAG RESULT
again()
{
	echo "n=$1" >"$run/restart"
	expect_result "$id" "$2"
}

# kept: the numbers that there are, in order
kept()
{
	local names
	names=$(ls "$run/attempts")
	sort -n <<<"$names" | paste -sd ' '
}
has_kept()
{
	[ "$(kept)" = "$1" ]
}

### What there is

expect_eq "$(kept)" ""
started=$(cat "$run/started")
stopped=$(cat "$run/stopped")
again 2 "error 4"
again 3 "completed 0"
expect_eq "$(kept)" "1 2"
expect_eq "$(cd "$run/attempts/1" && cat flags output status exit_status)" "n=1
this is 1
completed
0"
expect_eq "$(cat "$run/attempts/1/started")" "$started"
expect_eq "$(cat "$run/attempts/1/stopped")" "$stopped"
expect_eq "$(cd "$run/attempts/2" && cat flags output status exit_status)" "n=2
this is 2
error
4"
expect_eq "$(cat "$run/output")" "this is 3"
expect_eq "$(ls "$run/attempts/2")" "exit_status
flags
output
started
status
stopped"
for file in flags output status exit_status started stopped; do
	expect_eq "$(stat -c %s "$run/attempts/2/$file")" \
		"$(wc -c <"$run/attempts/2/$file")"
	expect_errno EACCES put "$run/attempts/2/$file" x
done
expect_errno ENOENT cat "$run/attempts/3/output"
expect_errno ENOENT cat "$run/attempts/01/output"
expect_errno EPERM rm "$run/attempts/1/output"

### A reader of the last start keeps to it

exec {output}<"$run/output"
again 4 "completed 0"
expect_line "$output" "this is 3"
expect_no_more "$output"
exec {output}<&-
expect_eq "$(cat "$run/attempts/3/output")" "this is 3"

### The last ten are kept, and of these the mount keeps as many as it is told

for n in {5..12}; do
	again "$n" "completed 0"
done
wait_for has_kept "2 3 4 5 6 7 8 9 10 11"
stop_mount
start_mount -o attempts=2
expect_eq "$(kept)" "2 3 4 5 6 7 8 9 10 11"
again 13 "completed 0"
wait_for has_kept "11 12"
stop_mount
start_mount -o attempts=0
again 14 "completed 0"
wait_for has_kept ""
again 15 "completed 0"
wait_for has_kept ""
stop_mount
start_mount
again 16 "completed 0"
expect_eq "$(kept)" "15" # no number is given twice
expect_eq "$(cat "$run/attempts/15/output")" "this is 15"

### A start that dies between two of its steps: what it had replaced is not lost

# As the supervisor leaves it when it is killed after it has changed the attributes.
mkdir "$files/start"
mv "$files/attrs" "$files/start/attrs"
mkdir "$files/attrs"
for attr in "$files"/start/attrs/*; do
	[ "${attr##*/}" = exit_status ] || cp "$attr" "$files/attrs"
done
echo "$(($(cat "$files/start/attrs/started") + 1))" >"$files/attrs/started"
: >"$files/start/output"
: >"$files/start/output.index"
expect_eq "$(cat "$run/status")" error
again 17 "completed 0"
[ ! -e "$files/start" ]
expect_eq "$(kept)" "15 16 17"
expect_eq "$(cat "$run/attempts/16/output")" "this is 16"
expect_eq "$(cat "$run/attempts/16/status")" completed
expect_eq "$(cat "$run/attempts/17/output")" ""
expect_eq "$(cat "$run/attempts/17/status")" error

### A start that never ended, whose reader does not wait

told=$(start_run told)
tell "$told" 'echo said'
wait_for grep -q said "$home/runs/$told/.guild/output"
kill -KILL "$(cat "$mnt/runs/$told/pid")"
wait_for grep -q error "$mnt/runs/$told/status"
echo >"$mnt/runs/$told/restart"
expect_eq "$(timeout 1 cat "$mnt/runs/$told/attempts/1/output")" said
expect_eq "$(cat "$mnt/runs/$told/attempts/1/status")" error
expect_eq "$(cat "$mnt/runs/$told/status")" running
echo >"$mnt/runs/$told/stop"
expect_result "$told" "terminated -15"

### What was only staged is no attempt

exec {stage}<>"$mnt/ops/print/stage"
echo n=1 >&"$stage"
read -r staged <&"$stage"
exec {stage}>&-
echo n=5 >"$mnt/runs/$staged/flags"
echo n=6 >"$mnt/runs/$staged/restart"
expect_result "$staged" "completed 0"
expect_eq "$(ls "$mnt/runs/$staged/attempts")" ""
[ ! -e "$home/runs/$staged/.guild/start" ]
