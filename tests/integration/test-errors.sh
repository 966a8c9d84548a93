#!/bin/bash
# A request that can't be carried out fails with its errno, says why, and changes nothing.
. "$(dirname "$0")/lib.sh"

use_project optimizers
cat >"$project/tool" <<'END'
#!/bin/sh
echo "tool $FLAG_A"
END
chmod +x "$project/tool"
start_mount

# All that is on the disk of all runs.
runs_on_disk()
{
	(cd "$home" && find runs -type f -print0 | sort -z | xargs -0r sha256sum &&
		find runs -printf '%p %y %m\n' | sort)
}

# What the mount says of all runs, but for what restart says.
runs_in_mount()
{
	grep '' "$mnt"/runs/*/{flags,output,started,status,exit_status,label,cmd} 2>&1 ||
		true
}

# expect_error FILE REQUEST ERRNO SAID...: what is printf's %b of REQUEST fails with the
# errno, however it is written; reading says SAID; and everything is as it was.
expect_error()
{
	local file=$1 request=$2 errno=$3 before answer word
	shift 3
	before=$(runs_on_disk && runs_in_mount)
	answer=$(printf %b "$request" | python3 "$(dirname "$0")/ask.py" "$file")
	expect_eq "$answer" "$errno $errno"
	answer=$(cat "$file")
	case $answer in
	"error: "?*) ;;
	*) fail "$file says '$answer' after $errno" ;;
	esac
	[ "$(wc -l <"$file")" -eq 1 ] || fail "more than a line: $answer"
	for word in "$@"; do
		[[ $answer == *"$word"* ]] || fail "'$answer' does not say '$word'"
	done
	[ "$(runs_on_disk && runs_in_mount)" = "$before" ] || fail "$errno changed a run"
}

# expect_seen FILE REQUEST ERRNO: shells see an error of write(2), bash with its text.
expect_seen()
{
	expect_errno "$3" put "$1" "$2"
	# shellcheck disable=SC2016 # expands in dash
	expect_not dash -c 'echo "$2" >"$1"' dash "$1" "$2" 2>/dev/null
}

echo z=b >"$mnt/ops/echo.py/run"
r=$(readlink -f "$mnt/latest")
expect_eq "$(cat "$r/output")" "1.0 2 'b'"
expect_eq "$(cat "$r/wait")" "completed 0"
echo a=1 >"$mnt/ops/tool/run"
tool=$(readlink -f "$mnt/latest")
expect_eq "$(cat "$tool/output")" "tool 1"
expect_eq "$(cat "$tool/wait")" "completed 0"

### EINVAL: what is no request, or not one for this operation
for file in "$r/restart" "$mnt/ops/echo.py/run"; do
	expect_error "$file" 'x=1 nosuch=1\n' EINVAL "unsupported flag 'nosuch'" "x, y, z"
	expect_seen "$file" 'x=1 nosuch=1' EINVAL
	expect_error "$file" 'x\n' EINVAL "'x'" "name=value"
	expect_seen "$file" 'x' EINVAL
	expect_error "$file" '=1\n' EINVAL "'='" "name=value"
	expect_error "$file" 'x = 1\n' EINVAL "'x'" "name=value"
	expect_error "$file" '--nosuch\n' EINVAL "'--nosuch'" "--force-flags"
	expect_error "$file" "y=1 z='a b\n" EINVAL "'z'" "close it"
	expect_seen "$file" "y=1 z='a b" EINVAL
	expect_error "$file" "z='a\nb'\n" EINVAL "'z'" "close it"
	expect_error "$file" 'z="a b\n' EINVAL "'z'" "close it"
	expect_error "$file" 'z=[1, 2\n' EINVAL "'z'" "close it"
	expect_error "$file" 'z={a: [1}\n' EINVAL "'z'" "close it"
	# No newline: it fails when it is carried out.
	expect_error "$file" "z='a b" EINVAL "'z'" "close it"
	expect_error "$file" 'z=a\0b\n' EINVAL "NUL"
	expect_error "$file" 'z=\xff\n' EINVAL "UTF-8"
	expect_error "$file" 'z=\xc3\x28\n' EINVAL "UTF-8"
	expect_error "$file" 'z=\xc3' EINVAL "UTF-8"
	expect_error "$file" '# \xff\nx=1\n' EINVAL "UTF-8"
done

### E2BIG: a request has at most 1 MiB
big=$(printf '#%1023s' ' ')
big=$(for ((i = 0; i < 1024; i++)); do printf '%s\\n' "$big"; done)
for file in "$r/restart" "$mnt/ops/echo.py/run"; do
	expect_error "$file" "$big"'x=1\n' E2BIG 1048576
done

### ENOENT: something is gone
gone()
{
	expect_error "$1" 'x=3\n' ENOENT "$2"
	expect_seen "$1" 'x=3' ENOENT
}

put_open()
{
	echo "$1" >&3
}

# The run's own copy of the script.
mv "$r/files/echo.py" "$dir"
gone "$r/restart" echo.py
mv "$dir/echo.py" "$r/files/"
mv "$tool/files/tool" "$dir"
gone "$tool/restart" tool
# The interpreter that it names.
sed '1s|.*|#!/no/such|' "$dir/tool" >"$tool/files/tool"
chmod +x "$tool/files/tool"
gone "$tool/restart" /no/such
mv "$dir/tool" "$tool/files/tool"
cp "$project/tool" "$project/broken"
sed -i '1s|.*|#!/no/such -x|' "$project/broken"
gone "$mnt/ops/broken/run" /no/such
# The script, since it was opened; then there is no such operation.
cp "$project/tool" "$project/other"
exec 3<>"$mnt/ops/other/run"
rm "$project/other"
expect_errno ENOENT put_open a=1
expect_errno ENOENT cat <&3
exec 3>&-
expect_errno ENOENT put "$mnt/ops/other/run" a=1
# The run.
cp -R "$home/runs/${tool##*/}" "$home/runs/gone"
exec 3<>"$mnt/runs/gone/restart"
rm -r "$home/runs/gone"
expect_errno ENOENT put_open a=1
exec 3>&-
# Python.
GUILD_PYTHON_EXE=/no/such/python mnt=$dir/no-python start_mount
gone "$dir/no-python/runs/${r##*/}/restart" /no/such/python
gone "$dir/no-python/ops/echo.py/run" /no/such/python
echo a=1 >"$dir/no-python/runs/${tool##*/}/restart"
expect_eq "$(cat "$tool/wait")" "completed 0"
stop_mount "$dir/no-python"

### EACCES: not executable
chmod -x "$tool/files/tool"
expect_error "$tool/restart" 'a=1\n' EACCES tool "chmod +x"
expect_seen "$tool/restart" a=1 EACCES
chmod +x "$tool/files/tool"
cat >"$project/guild.yml" <<'END'
plain:
  exec: ./text.txt
steps:
  steps: [a, b]
strange:
  exec: ./tool
  nosuch: 1
END
echo text >"$project/text.txt"
expect_error "$mnt/ops/plain/run" '\n' EACCES text.txt "chmod +x"
expect_seen "$mnt/ops/plain/run" '' EACCES

### EINVAL: an operation that says more than is understood, or has a mistake
for op in steps:steps strange:nosuch; do
	key=${op#*:} op=${op%:*}
	expect_error "$mnt/ops/$op/run" '\n' EINVAL "guild.yml: line " "'$key' is"
	expect_error "$mnt/ops/$op/run" '--force-flags a=1\n' EINVAL "'$key'"
	grep -q "^error: guild.yml: line [0-9]*: .*'$key' is" "$mnt/ops/$op/help" ||
		fail "help: $(cat "$mnt/ops/$op/help")"
done

### EBUSY: the run goes on
mkfifo "$dir/gate"
cat >"$project/slow" <<END
#!/bin/sh
echo begun
read -r x <$dir/gate
echo "ended \$x"
END
chmod +x "$project/slow"
echo >"$mnt/ops/slow/run"
slow=$(readlink -f "$mnt/latest")
wait_for grep -q begun "$home/runs/${slow##*/}/.guild/output"
busy()
{
	local before answer
	before=$(runs_on_disk)
	expect_seen "$slow/restart" "$1" EBUSY
	answer=$(echo "$1" | python3 "$(dirname "$0")/ask.py" "$slow/restart")
	expect_eq "$answer" "EBUSY EBUSY"
	expect_eq "$(cut -d : -f 1,2 "$slow/restart")" \
		"error: the run ${slow##*/} is $(cat "$slow/status")"
	expect_eq "$(runs_on_disk)" "$before"
}
busy ''
busy a=1
touch "$slow/needed"
busy ''
busy --needed
rm "$slow/needed"
expect_eq "$(cat "$slow/status")" running
echo now >"$dir/gate"
expect_eq "$(cat "$slow/output")" begun$'\n'"ended now"
expect_eq "$(cat "$slow/wait")" "completed 0"
# A run that waits for its turn.
: >"$home/runs/${slow##*/}/.guild/PENDING"
expect_eq "$(cat "$slow/status")" pending
busy ''
rm "$home/runs/${slow##*/}/.guild/PENDING"
expect_eq "$(cat "$slow/status")" completed

### A run that can't be read is an error; the others are as ever
lists_bad()
{
	ls "$mnt/runs" >"$dir/list"
	grep -qx bad "$dir/list"
}
lists_no_bad()
{
	! lists_bad
}
others=$(cat "$r/status" "$tool/status" "$r/flags" "$tool/flags")
for bad in flags op exit_status started stopped; do
	cp -R "$home/runs/${tool##*/}" "$home/runs/bad"
	printf 'a: [1\n\tb: "\n' >"$home/runs/bad/.guild/attrs/$bad"
	wait_for lists_bad
	expect_eq "$(cat "$mnt/runs/bad/status")" error
	expect_eq "$(cat "$mnt/runs/bad/wait" | cut -d ' ' -f 1)" error
	expect_eq "$(cat "$r/status" "$tool/status" "$r/flags" "$tool/flags")" "$others"
	expect_eq "$(ls "$mnt/runs")" "$(ls "$home/runs")"
	expect_eq "$(cat "$mnt/runs/bad/output")" "tool 1"
	cmp "$home/runs/bad/.guild/attrs/$bad" "$mnt/runs/bad/attrs/$bad"
	case $bad in
	flags | op)
		expect_error "$mnt/runs/bad/restart" '\n' EINVAL "$bad" "can't be read"
		expect_error "$mnt/runs/bad/restart" 'a=2\n' EINVAL "$bad"
		;;
	*)
		echo >"$mnt/runs/bad/restart"
		expect_eq "$(cat "$mnt/runs/bad/wait")" "completed 0"
		;;
	esac
	rm -r "$home/runs/bad"
	wait_for lists_no_bad
done
for attrs in attrs attrs/op; do
	cp -R "$home/runs/${tool##*/}" "$home/runs/bad"
	rm -r "$home/runs/bad/.guild/$attrs"
	wait_for lists_bad
	expect_error "$mnt/runs/bad/restart" '\n' EINVAL .guild/attrs/op missing "must be"
	expect_seen "$mnt/runs/bad/restart" '' EINVAL
	rm -r "$home/runs/bad"
	wait_for lists_no_bad
done

# What is YAML, but not what belongs there; and what is no file at all.
make_bad()
{
	local file=$home/runs/bad/.guild/$1
	cp -R "$home/runs/${tool##*/}" "$home/runs/bad"
	rm -f "$file"
	case $2 in
	fifo) mkfifo "$file" ;;
	directory) mkdir "$file" ;;
	link) ln -s "$mnt/README" "$file" ;;
	*) printf '%s' "$2" >"$file" ;;
	esac
	wait_for lists_bad
}
for bad in attrs/flags attrs/op opref needed; do
	for as in fifo link "[1, 2]"; do
		[ "$bad $as" != "needed [1, 2]" ] || continue
		make_bad "$bad" "$as"
		[ "$bad" = needed ] || expect_eq "$(cat "$mnt/runs/bad/status")" error
		expect_error "$mnt/runs/bad/restart" '\n' EINVAL ".guild/$bad" "must be"
		expect_eq "$(timeout 5 ls "$mnt/runs/bad/attrs" | head -n 1)" cmd
		rm -r "$home/runs/bad"
		wait_for lists_no_bad
	done
done
for bad in attrs/started attrs/stopped attrs/label LOCK; do
	for as in fifo directory "[1, 2]"; do
		make_bad "$bad" "$as"
		case $bad in
		attrs/st*)
			expect_eq "$(cat "$mnt/runs/bad/status")" error
			;;
		esac
		echo >"$mnt/runs/bad/stop"
		case "$bad $as" in
		"LOCK directory" | "attrs/label directory")
			expect_eq "$(echo | python3 "$(dirname "$0")/ask.py" \
				"$mnt/runs/bad/restart")" "EISDIR EISDIR"
			expect_eq "$(sed "s/.* \(.guild[^:]*\): .*/\1/" \
				<"$mnt/runs/bad/restart")" ".guild/$bad"
			rmdir "$home/runs/bad/.guild/$bad"
			;;
		esac
		echo >"$mnt/runs/bad/restart"
		expect_eq "$(cat "$mnt/runs/bad/wait")" "completed 0"
		rm -r "$home/runs/bad"
		wait_for lists_no_bad
	done
done

### The project is gone: its runs are not
mv "$project" "$project.gone"
echo x=5 >"$r/restart"
expect_eq "$(cat "$r/output")" "5 2 'b'"
expect_eq "$(cat "$r/wait")" "completed 0"
expect_eq "$(ls "$mnt/ops")" ""
expect_error "$r/restart" '--force-sourcecode\n' ENOENT --force-sourcecode project
mv "$project.gone" "$project"
stop_mount
