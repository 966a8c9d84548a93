#!/bin/bash
# What can be written in a request: words, quotes, brackets, comments and options, in one
# write(2) or in many.
. "$(dirname "$0")/lib.sh"

cat >"$project/show.py" <<'END'
a = 0
b = 0
print(repr(a), repr(b))
END
# Whatever is written: the flags have no type.
cat >"$project/guild.yml" <<'END'
show: {main: show, flags-dest: globals, flags-import: no, flags: {a: 0, b: 0}}
END
start_mount
run=$mnt/ops/show/run

# ask FILE REQUEST: writes it as it is, without a newline, and prints the answer.
ask()
{
	local answer
	exec 3<>"$1"
	printf %s "$2" >&3
	read -r answer <&3
	exec 3>&-
	echo "$answer"
}

skipped='Skipping run because flags have not changed (--needed specified)'

# gives REQUEST VALUES: the script gets them; and what the file flags says is the same
# request again.
gives()
{
	local r
	r=$mnt/runs/$(ask "$run" "$1")
	expect_eq "$(cat "$r/output")" "$2"
	expect_eq "$(ask "$r/restart" "--needed"$'\n'"$(cat "$r/flags")")" "$skipped"
}

### Words, blanks and lines
gives $'\n' "0 0"
gives ' ' "0 0"
gives 'a=1 b=2' "1 2"
gives $'a=1\nb=2\n' "1 2"
gives $'a=1 b=2\n' "1 2"
gives $'\n\n \t a=1 \t\n\n\tb=2  \n ' "1 2"
gives $'a=1\r\nb=2\r\n' "1 2"
gives 'a=1 a=2 b=3 a=4' "4 3"
gives $'a=1\na=2\n' "2 0"
gives $'# a=1\nb=2\n#b=3\n#' "0 2"
gives $'#\na=1' "1 0"
gives $'# it\'s open: "[\na=1' "1 0"

### Values, as Guild decodes them
gives 'a=x b=y' "'x' 'y'"
gives 'a=1.5 b=-3' "1.5 -3"
gives 'a=1e-3 b=1e3' "0.001 1000.0"
gives 'a=007 b=0x10' "7 16"
gives 'a=1_000 b=10:30' "'1_000' '10:30'"
gives 'a=yes b=false' "True False"
gives 'a=y b=None' "'y' 'None'"
gives 'a= b=2' "'' 2"
gives 'a=x=y b==' "'x=y' '='"
gives 'a=http://x/y?z=1#q b=a:b' "'http://x/y?z=1#q' 'a:b'"
gives 'a=--needed b=#' "'--needed' 0"
gives 'a=inf b=1e400' "inf inf"
gives 'a=100000000000000000000 b=0.1' "100000000000000000000 0.1"
gives 'a=äöü b=日本' "'äöü' '日本'"
gives 'a=2020-01-01' "datetime.date(2020, 1, 1) 0"

### Quotes protect blanks, and are decoded as Guild does
gives "a='a b' b=\"c d\"" "'a b' 'c d'"
gives "a='1' b=\"2\"" "'1' '2'"
gives "a='' b=\"\"" "'' ''"
gives "a=it's b=say\"hi" "\"it's\" 'say\"hi'"
gives "a=it's b=dogs'" "\"it's\" \"dogs'\""
gives "a='it''s' b='  '" "\"it's\" '  '"
gives 'a="a\nb" b="\t\u00e9\"\\"' "'a\\nb' '\\té\"\\\\'"
gives "a='# no comment' b='x=1 y=2'" "'# no comment' 'x=1 y=2'"

### Brackets protect blanks and quotes
gives 'a=[1, 2, 3] b=[]' "[1, 2, 3] []"
gives 'a=[1,2] b={}' "[1, 2] {}"
gives "a=[x y, 'a, b', \"]\"] b=1" "['x y', 'a, b', ']'] 1"
gives "a=[it's, dogs'] b=1" "[\"it's\", \"dogs'\"] 1"
gives 'a={k: 1, l: [2, {m: n o}]} b=1' "{'k': 1, 'l': [2, {'m': 'n o'}]} 1"
gives "a={k: '}'} b=[[1, 2], [3]]" "{'k': '}'} [[1, 2], [3]]"
gives 'a=x[1 b=y]' "'x[1' 'y]'"

### Options
gives '--force-flags a=1' "1 0"
r=$mnt/runs/$(ask "$run" 'a=7 --force-flags b=8 new=9')
expect_eq "$(cat "$r/flags")" $'a=7\nb=8\nnew=9'
expect_eq "$(cat "$r/output")" "7 8"
expect_eq "$(cat "$r/wait")" "completed 0"
expect_eq "$(ask "$run" '--force-flags new=9 b=8 a=7 --needed')" "${r##*/}"
expect_eq "$(ask "$r/restart" $'--needed\n')" "$skipped"
expect_eq "$(ask "$r/restart" 'a=7.0 --needed')" "$skipped"
expect_eq "$(ask "$r/restart" "a='7' --needed")" "Restarting ${r##*/}"
expect_eq "$(cat "$r/output")" "'7' 8"
expect_eq "$(cat "$r/restart")" "Restarting ${r##*/}"

### Null is a value like others, and leaves the script its own
r=$mnt/runs/$(ask "$run" 'a=null b=1')
expect_eq "$(cat "$r/flags")" $'a=null\nb=1'
expect_eq "$(cat "$r/output")" "0 1"
expect_eq "$(ask "$r/restart" 'a=~ --needed')" "$skipped"

### In many writes
cat >"$dir/pieces.py" <<'END'
# pieces.py FILE PIECE...: what each write(2), the close, and another look give.
import errno, os, sys

def attempt(call, *args):
    try:
        call(*args)
        return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]

fd = os.open(os.fsencode(sys.argv[1]), os.O_WRONLY)
results = [attempt(os.write, fd, os.fsencode(piece)) for piece in sys.argv[2:]]
results.append(attempt(os.close, fd))
print(*results)
END

# pieces RESULTS FLAGS PIECE...: flags none: no run is started.
pieces()
{
	local results=$1 flags=$2 n
	shift 2
	n=$(ls "$mnt/runs" | wc -l)
	expect_eq "$(python3 "$dir/pieces.py" "$run" "$@")" "$results"
	if [ "$flags" = none ]; then
		case $(cat "$run") in
		error:*) ;;
		*) fail "no error to be read: $(cat "$run")" ;;
		esac
		expect_eq "$(ls "$mnt/runs" | wc -l)" "$n"
	else
		expect_eq "$(tr '\n' ' ' <"$mnt/runs/$(cat "$run")/flags")" "$flags "
		expect_eq "$(ls "$mnt/runs" | wc -l)" $((n + 1))
	fi
}

nl=$'\n'
pieces "ok ok ok ok ok" "a=1 b=2" a =1 " b=" 2
pieces "ok ok ok" "a=10 b=0" a=1 0
pieces "ok ok ok ok" "a=10 b=2" a=1 "0$nl" b=2
pieces "ok ok ok" "a='x y' b=0" "a='x" " y'$nl"
pieces "ok ok ok" "a=[1, 2] b=0" "a=[1," " 2]$nl"
pieces "ok ok ok ok" "a=1 b=0" "# com" "ment=x$nl" "a=1$nl"
pieces "ok ok ok ok" "a=1 b=0" --force -flags " a=1"
pieces "ok ok ok" "a=\"\\xE9\" b=0" $'a=\xc3' $'\xa9\n'
pieces "ok ok" "a=0 b=0" ' '
# What no more text could make right fails at once; the rest when it is carried out.
pieces "EINVAL ok" none nosuch=
pieces "EINVAL ok" none "a=1 nosuch="
pieces "EINVAL ok" none "--nosuch "
pieces "EINVAL ok" none "a "
pieces "EINVAL ok" none "=1"
pieces "EINVAL ok" none $'a=\xff'
pieces "EINVAL ok" none "a='x$nl"
pieces "ok EINVAL ok" none "a='x" "$nl"
pieces "ok EINVAL ok" none "a=[1," "${nl}2]"
pieces "ok EINVAL ok" none $'a=\xc3' "$nl"
pieces "ok EINVAL" none "a='x"
pieces "ok EINVAL" none "a=[1, 2"
pieces "ok EINVAL" none $'a=\xc3'
pieces "ok EINVAL" none a
pieces "ok EINVAL" none nosuch
# What failed is dropped whole, with all that comes after it.
pieces "ok EINVAL ok" none "a=1$nl" "nosuch=1$nl"
pieces "ok EINVAL EINVAL ok" none "a=1$nl" "nosuch=1$nl" "a=2$nl"
pieces "EINVAL EINVAL ok" none "nosuch=1$nl" "a=1$nl"

### The request of a restart is the same
r=$(readlink -f "$mnt/latest")
expect_eq "$(ask "$r/restart" $'# comment\na=\'x y\' b=[1, 2]')" "Restarting ${r##*/}"
expect_eq "$(cat "$r/output")" "'x y' [1, 2]"

### A signal that comes while a request is carried out, such as a shell's SIGCHLD

make_program lasting <<'END'
#!/bin/sh
exec sleep 1000
END
r=$mnt/runs/$(start_run lasting)
for ((round = 0; round < 10; round++)); do
	echo KILL >"$r/stop"
	expect_eq "$(cat "$r/wait")" "terminated -9"
	python3 - "$r" <<'END'
import os, signal, sys

signal.signal(signal.SIGALRM, lambda *_: None)
fd = os.open(sys.argv[1] + "/restart", os.O_WRONLY)
os.write(fd, b"\n")
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
os.close(fd)
signal.setitimer(signal.ITIMER_REAL, 0)
status = open(sys.argv[1] + "/status").read()
assert status == "running\n", status
END
done
