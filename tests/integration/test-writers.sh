#!/bin/bash
# Whoever writes a request, and in however many pieces: it starts one run with all of its
# flags; and who writes nothing starts none.
. "$(dirname "$0")/lib.sh"

# Each start leaves a line of its flags.
cat >"$project/note.sh" <<END
#!/bin/sh
echo \$(env | grep ^FLAG_ | sort) >>$dir/starts
END
chmod +x "$project/note.sh"
start_mount
: >"$dir/starts"

echo a=0 b=0 >"$mnt/ops/note.sh/run"
r=$(readlink -f "$mnt/latest")
expect_eq "$(cat "$r/wait")" "completed 0"
n=0
expected="FLAG_A=0 FLAG_B=0"

# What has been started has also run; nothing else has.
expect_starts()
{
	wait_for grep -qx "${expected##*$'\n'}" "$dir/starts"
	r=$(readlink -f "$mnt/latest")
	expect_eq "$(cat "$r/wait")" "completed 0"
	expect_eq "$(cat "$dir/starts")" "$expected"
}

# once WRITER...: the writer, which is given a file and a number, starts one run with both
# flags. A start more would be EBUSY for the next, or a line too many.
once()
{
	local file
	for file in "$r/restart" "$mnt/ops/note.sh/run"; do
		n=$((n + 1))
		expected+=$'\n'"FLAG_A=$n FLAG_B=$n"
		"$@" "$file" "$n" || fail "$* failed"
		expect_starts
	done
}

# never WRITER...: the writer starts nothing. A start would be EBUSY for the next, and a
# line too many in the end.
never()
{
	local file
	for file in "$r/restart" "$mnt/ops/note.sh/run"; do
		"$@" "$file" $((n + 1)) || fail "$* failed"
	done
}

in_bash()
{
	bash -euc "$1" bash "${@:2}"
}

in_dash()
{
	dash -euc "$1" dash "${@:2}"
}

python()
{
	python3 -c "import os, sys
file, n = sys.argv[1:]
request = 'a=%s\nb=%s\n' % (n, n)
$1" "${@:2}"
}

### One command
for shell in in_bash in_dash; do
	once $shell 'echo "a=$2 b=$2" > "$1"'
	once $shell 'echo "a=$2 b=$2" >> "$1"'
	once $shell 'printf "a=$2\nb=$2\n" > "$1"'
	once $shell 'printf "a=$2 b=$2" > "$1"'
	once $shell 'cat > "$1" <<E
a=$2
b=$2
E'
	once $shell 'printf "a=$2\nb=$2\n" | tee "$1" > /dev/null'
	once $shell 'printf "a=$2\nb=$2\n" | dd of="$1" status=none'
	once $shell 'printf "a=$2\nb=$2\n" | dd of="$1" bs=1 status=none'
	once $shell '/bin/echo "a=$2 b=$2" > "$1"'
	once $shell 'exec > "$1"; echo "a=$2 b=$2"'
done
once in_bash 'echo "a=$2
b=$2" > "$1"'
once in_bash 'echo -e "a=$2\nb=$2" > "$1"'

### Several commands on one redirection
for shell in in_bash in_dash; do
	once $shell '{ echo a=$2; echo b=$2; } > "$1"'
	once $shell '( echo a=$2; echo b=$2 ) > "$1"'
	once $shell '{ echo a=$2; /bin/true; echo b=$2; } > "$1"'
	once $shell '{ echo a=$2; /bin/echo b=$2; } > "$1"'
	once $shell '{ /bin/echo a=$2; /bin/echo b=$2; } > "$1"'
	once $shell 'for x in a b; do echo $x=$2; done > "$1"'
	once $shell '{ echo a=$2; echo b=$2 | cat; } > "$1"'
	once $shell '{ echo a=$2; : "$(true)"; echo b=$2; } > "$1"'
done

### Files
copy()
{
	printf 'a=%s\nb=%s\n' "$2" "$2" >"$dir/request"
	cp "$dir/request" "$1"
}
once copy
# The flags of another run, made behind the mount.
other=$home/runs/other
cp -R "$home/runs/${r##*/}" "$other"
copy_flags()
{
	printf "a: %s\nb: %s\n" "$2" "$2" >"$other/.guild/attrs/flags"
	wait_for grep -qx "a=$2" "$mnt/runs/other/flags"
	cp "$mnt/runs/other/flags" "$1"
}
once copy_flags
rm -rf "$other"

### Other languages
once python 'with open(file, "w") as f: f.write(request)'
once python 'open(file, "w").write(request)'
once python 'f = open(file, "w"); f.write(request); f.flush(); f.close()'
once python 'f = open(file, "w", buffering=1)
f.write("a=%s\n" % n)
f.write("b=%s\n" % n)'
once python 'import subprocess
subprocess.run(["sh", "-c", "echo a=%s; echo b=%s" % (n, n)], stdout=open(file, "w"))'
once python 'import threading
fd = os.open(file, os.O_WRONLY)
for line in request.splitlines(True):
    thread = threading.Thread(target=os.write, args=(fd, line.encode()))
    thread.start(); thread.join()
thread = threading.Thread(target=os.close, args=(fd,))
thread.start(); thread.join()'
once in_bash 'PYTHONUNBUFFERED=1 python3 -c "print(\"a=$2\"); print(\"b=$2\")" > "$1"'
once in_bash 'python3 -c "print(\"a=$2\"); print(\"b=$2\")" > "$1"'
once perl -e 'open(F, ">", $ARGV[0]) or die;
	print F "a=$ARGV[1]\nb=$ARGV[1]\n"; close F or die'
if command -v node >/dev/null; then
	once node -e 'const [file, n] = process.argv.slice(1);
require("fs").writeFileSync(file, `a=${n}\nb=${n}\n`)'
	once node -e 'const [file, n] = process.argv.slice(1);
require("fs").writeFile(file, `a=${n}\nb=${n}\n`, e => { if (e) throw e })'
fi

### Somebody else holds the descriptor
# Nothing that a child does with it carries the request out before the shell is done.
once in_bash 'exec 5> "$1"
( echo a=$2 >&5 )
( echo b=$2 >&5 )
exec 5>&-'
in_background()
{
	{ echo "a=$2 b=$2"; sleep 1000 & } >"$1"
	sleeper=$!
	expect_starts # at the shell's own close
	kill "$sleeper"
	wait "$sleeper" || true
}
once in_background
# The shell is done before its child writes: the last to go carries it out.
mkfifo "$dir/gate"
once in_bash 'exec 5> "$1"
{ read -r go; echo "a=$2" >&5; /bin/echo "b=$2" >&5; } < '"$dir"'/gate &
exec 5>&-
echo go > '"$dir"'/gate
wait'

### A reader on the same descriptor
for shell in bash dash; do
	n=$((n + 1))
	# shellcheck disable=SC2016 # expands in $shell
	id=$($shell -euc 'exec 3<>"$1"; echo "a=$2 b=$2" >&3; read -r id <&3; exec 3>&-
echo "$id"' $shell "$mnt/ops/note.sh/run" "$n")
	expected+=$'\n'"FLAG_A=$n FLAG_B=$n"
	expect_eq "$(cat "$mnt/runs/$id/flags")" "a=$n"$'\n'"b=$n"
	r=$mnt/runs/$id
	expect_starts
	expect_eq "$(cat "$mnt/ops/note.sh/run")" "$id"

	n=$((n + 1))
	# shellcheck disable=SC2016
	answer=$($shell -euc 'exec 3<>"$1"; echo "a=$2 b=$2" >&3
		read -r x <&3; echo "$x"' \
		$shell "$r/restart" "$n")
	expected+=$'\n'"FLAG_A=$n FLAG_B=$n"
	expect_eq "$answer" "Restarting $id"
	expect_starts
done
# The read carries out what was written before it, and only once.
n=$((n + 1))
python 'fd = os.open(file, os.O_RDWR)
os.write(fd, b"a=%s " % n.encode())
os.write(fd, b"b=%s\n" % n.encode())
id = os.read(fd, 100)
with open(os.path.dirname(file) + "/runs/" + id.decode().strip() + "/flags") as flags:
    assert flags.read() == request, id
assert os.read(fd, 100) == b""
os.close(fd)' "$mnt/ops/note.sh/run" $n
expected+=$'\n'"FLAG_A=$n FLAG_B=$n"
expect_starts

### One descriptor, several commands: each is a request
twice()
{
	exec 5>"$1"
	echo "a=$2 b=$2" >&5
	expect_eq "$(cat "$r/wait")" "completed 0"
	echo "a=$2 b=two" >&5
	exec 5>&-
}
n=$((n + 1))
twice "$r/restart" $n
expected+=$'\n'"FLAG_A=$n FLAG_B=$n"$'\n'"FLAG_A=$n FLAG_B=two"
expect_starts

### A writer that is killed
killed()
{
	local status=0
	python 'f = os.open(file, os.O_WRONLY)
os.write(f, b"a=%s\nb=%s" % (n.encode(), n.encode()))
os.kill(os.getpid(), '"$1"')' "${@:2}" || status=$?
	[ $status -eq $((128 + $1)) ]
}
once killed 9
once killed 15

### Long requests
long()
{
	python 'comment = b"#" * 1023 + b"\n"
text = b"a=%s\n" % n.encode() + comment * '"$1"' + b"b=%s\n" % n.encode()
with open(file, "wb") as f: f.write(text)' "${@:2}"
}
once long 1000
# In one write(2) of more than a request may have, which the kernel splits.
too_long()
{
	expect_errno E2BIG long 2000 "$@"
}
never too_long

### Nothing is written
for shell in in_bash in_dash; do
	never $shell ': > "$1"'
	never $shell 'true > "$1"'
	never $shell '/bin/true > "$1"'
	never $shell 'exec 5> "$1"; exec 5>&-'
	never $shell '{ sleep 0 & wait; } > "$1"'
done
never in_bash 'touch "$1"'
never in_bash 'truncate -s 0 "$1"'
never in_bash 'dd if=/dev/null of="$1" status=none'
never in_bash 'printf "" > "$1"'
never in_bash 'exec 5<> "$1"; cat <&5 > /dev/null'
never python 'os.close(os.open(file, os.O_RDWR | os.O_TRUNC | os.O_CREAT))'
never python 'open(file, "w").close()'
never python 'if os.fork() == 0:
	open(file, "w"); os.kill(os.getpid(), 9)
os.wait()'

### An editor
in_vim()
{
	vi -N -u NONE -i NONE -es -c "1s/.*/a=$2\\rb=$2/" -c wq "$1"
}
once in_vim

### What would replace the file
sed_in_place()
{
	sed -i s/a/b/ "$1"
}
move_onto()
{
	echo a=1 >"$dir/request"
	mv "$dir/request" "$1"
}
for command in sed_in_place move_onto "rm -f"; do
	# shellcheck disable=SC2086 # words
	refused()
	{
		expect_errno EPERM $command "$1"
	}
	never refused
done

### Nothing was started that nobody asked for
once in_bash 'echo "a=$2 b=$2" > "$1"'
cat "$mnt"/runs/*/wait >/dev/null
expect_starts
