#!/bin/bash
# What can be run is what the project holds now: scripts, programs and the operations of
# guild.yml; each with its flags, its runs and its own copy of the source.
. "$(dirname "$0")/lib.sh"

# What a program of ours is told.
make_program tell <<'END'
#!/bin/sh
echo "args: $*"
env | grep -E '^(FLAG_|GREETING|NUMBER|PROJECT_DIR)' | sort
END
cat >"$project/show.py" <<'END'
"""Shows its flags."""
a = 1
b = "two"
_hidden = 3
print(repr(a), repr(b))
END
mkdir -p "$project/deep/er" "$project/.hidden"
cp "$project/show.py" "$project/deep/er/show.py"
cp "$project/show.py" "$project/.hidden/show.py"
cp "$project/tell" "$project/deep/tell"
cp "$project/show.py" "$project/.show.py"
echo data >"$project/data.txt"
cat >"$project/guild.yml" <<'END'
shown:
  main: show
  flags-dest: globals
  description: Shows a and b
  flags:
    a: 10
    b:
      default: x y
      description: the second
found:
  main: deep.er.show
  flags: {a: 5}
passed:
  exec: ./tell first ${flag_args} last
  flags-dest: args
  flags: {a: 1, b: it is, c: null, d: true}
referred:
  exec: ./tell a=${a} "b is ${b}" ${a}${b}
  flags: {a: 0.5, b: x}
  env:
    GREETING: hello ${b}
    NUMBER: 7
argued:
  main: args
  flags: {n: 1}
tell: {exec: ./tell of guild.yml}
show.py:
END
cat >"$project/args.py" <<'END'
import argparse
p = argparse.ArgumentParser()
p.add_argument("--n", type=int, default=0)
print(p.parse_args().n)
END
start_mount

# runs OPERATION REQUEST OUTPUT: and prints the ID.
runs()
{
	id=$(start_run "$1" "$2")
	expect_eq "$(cat "$mnt/runs/$id/output")" "$3"
	expect_result "$id" "completed 0"
	expect_eq "$(cat "$mnt/runs/$id/op")" "$1"
	expect_eq "$(readlink "$mnt/latest")" "runs/$id"
	expect_eq "$(readlink -f "$mnt/ops/$1/latest")" "$mnt/runs/$id"
	expect_eq "$(readlink -f "$mnt/ops/$1/runs/$id")" "$mnt/runs/$id"
}

### What there is
expect_eq "$(ls "$mnt/ops" | tr '\n' ' ')" \
	"args.py argued found passed referred show.py shown tell "
for name in deep/tell deep/er/show.py; do
	expect_eq "$(ls "$mnt/ops/$name" | tr '\n' ' ')" "flags help run runs stage "
done
expect_eq "$(ls "$mnt/ops/deep" | tr '\n' ' ')" "er tell "
for name in data.txt nosuch .show.py .hidden/show.py deep/nosuch guild.yml ..; do
	expect_not test -e "$mnt/ops/$name/run"
done
for name in args.py show.py shown tell; do
	expect_eq "$(ls "$mnt/ops/$name" | tr '\n' ' ')" "flags help run runs stage "
done

### Flags and help
expect_eq "$(cat "$mnt/ops/shown/flags")" $'a=10\nb=\'x y\''
expect_eq "$(cat "$mnt/ops/shown/help")" "Shows a and b

flag  default  type    description
a     10       number
b     'x y'    string  the second"
expect_eq "$(cat "$mnt/ops/deep/er/show.py/flags")" $'a=1\nb=two'
head -n 1 "$mnt/ops/deep/er/show.py/help" | grep -q "Shows its flags"
expect_eq "$(cat "$mnt/ops/deep/tell/flags")" ""
grep -q FLAG_NAME "$mnt/ops/deep/tell/help"
expect_eq "$(cat "$mnt/ops/passed/flags")" $'a=1\nb=\'it is\'\nc=null\nd=yes'
expect_eq "$(cat "$mnt/ops/shown/run")" ""

### Scripts by name, programs with any flag
runs deep/er/show.py 'a=2' "2 'two'"
expect_eq "$(cat "$home/runs/$id/.guild/opref")" "script:$project '' '' deep/er/show.py"
blank=' '
runs deep/tell 'my-flag=1 Other="x y" l=[1, 2]' "args:$blank
FLAG_L=1 2
FLAG_MY_FLAG=1
FLAG_OTHER=x y
PROJECT_DIR=$project"
expect_eq "$(cat "$mnt/runs/$id/flags")" "Other='x y'
l=[1, 2]
my-flag=1"

### Operations of guild.yml, which go before scripts of their name
runs shown '' "10 'x y'"
runs shown "a='10' b=null" "10 'null'"
expect_errno EINVAL put "$mnt/ops/shown/run" _hidden=1
runs found 'a=6' "6 'two'"
runs passed 'b="a  b" d=no' "args: first --a 1 --b a  b --d  last
FLAG_A=1
FLAG_B=a  b
FLAG_C=
FLAG_D=
PROJECT_DIR=$project"
expect_errno EINVAL put "$mnt/ops/referred/run" 'b=it is'
runs referred 'b="it is"' "args: a=0.5 b is it is 0.5it is
FLAG_A=0.5
FLAG_B=it is
GREETING=hello it is
NUMBER=7
PROJECT_DIR=$project"
runs argued '' 1
runs argued n=3 3
runs tell '' "args: of guild.yml
PROJECT_DIR=$project"

### What changes is seen at the next look
sed 's/a = 1/a = 11/; s/^b.*/c = []/; s/repr(b)/c/' "$project/deep/er/show.py" \
	>"$dir/new.py"
cat "$dir/new.py" >"$project/deep/er/show.py"
expect_eq "$(cat "$mnt/ops/deep/er/show.py/flags")" $'a=11\nc=\'\''
runs deep/er/show.py 'c=[1, x]' "11 [1, 'x']"
expect_errno EINVAL put "$mnt/ops/deep/er/show.py/run" b=1
echo 'a = (' >"$project/deep/er/show.py"
grep -q '^error: deep/er/show.py: line 1: ' "$mnt/ops/deep/er/show.py/help"
expect_errno EINVAL put "$mnt/ops/deep/er/show.py/run" a=1
sed -i 's/a: 10/a: 12/; s/^found:/renamed:/' "$project/guild.yml"
expect_eq "$(head -n 1 "$mnt/ops/shown/flags")" a=12
expect_eq "$(ls "$mnt/ops" | tr '\n' ' ')" \
	"args.py argued passed referred renamed show.py shown tell "
expect_not test -e "$mnt/ops/found/run"
cp "$project/guild.yml" "$dir/guild.yml"
echo 'a: [' >"$project/guild.yml"
expect_eq "$(ls "$mnt/ops" | tr '\n' ' ')" "a args.py show.py tell "
grep -q '^error: guild.yml: line 2: ' "$mnt/ops/a/help"
cp "$dir/guild.yml" "$project"
chmod -x "$project/deep/tell"
expect_not test -e "$mnt/ops/deep/tell/run"
echo 'print("new")' >"$project/new.py"
runs new.py '' new
rm "$project/new.py"
expect_not test -e "$mnt/ops/new.py"
# Its runs are there nonetheless, and start again.
echo >"$mnt/runs/$id/restart"
expect_eq "$(cat "$mnt/runs/$id/output")" new
expect_result "$id" "completed 0"

### Needed: an equal run does instead
first=$(start_run shown 'a=1')
expect_result "$first" "completed 0"
expect_not test -e "$mnt/ops/shown/needed"
expect_errno EPERM touch "$mnt/ops/shown/nosuch"
touch "$mnt/ops/shown/needed"
expect_eq "$(cat "$mnt/ops/shown/needed")" "completed terminated"
n=$(ls "$home/runs" | wc -l)
expect_eq "$(start_run shown 'a=1')" "$first"
expect_eq "$(start_run shown 'a=1.0 b="x y"')" "$first"
expect_eq "$(cat "$mnt/ops/shown/run")" "$first"
expect_eq "$(ls "$home/runs" | wc -l)" "$n"
second=$(start_run shown a=2)
[ "$second" != "$first" ]
expect_result "$second" "completed 0"
# Another operation has its own; and a run that has failed is no substitute.
[ "$(start_run renamed)" != "$(start_run renamed)" ]
expect_eq "$(start_run shown a=2)" "$second"
echo 1 >"$home/runs/$second/.guild/attrs/exit_status"
third=$(start_run shown a=2)
[ "$third" != "$second" ]
expect_result "$third" "completed 0"
echo -15 >"$home/runs/$third/.guild/attrs/exit_status"
expect_eq "$(start_run shown a=2)" "$third"
echo completed >"$mnt/ops/shown/needed"
expect_eq "$(cat "$mnt/ops/shown/needed")" completed
fourth=$(start_run shown a=2)
[ "$fourth" != "$third" ]
expect_result "$fourth" "completed 0"
expect_errno EINVAL put "$mnt/ops/shown/needed" error
expect_eq "$(cat "$mnt/ops/shown/needed")" completed
# It outlives the mount.
stop_mount
start_mount
expect_eq "$(cat "$mnt/ops/shown/needed")" completed
expect_eq "$(start_run shown 'a=1')" "$first"
rm "$mnt/ops/shown/needed"
expect_not test -e "$mnt/ops/shown/needed"
fifth=$(start_run shown 'a=1')
[ "$fifth" != "$first" ]
expect_result "$fifth" "completed 0"
expect_eq "$(start_run shown 'a=1 --needed')" "$fifth"
expect_eq "$(readlink "$mnt/ops/shown/latest")" "../../runs/$fifth"
expect_eq "$(readlink "$mnt/ops/shown/runs/$fifth")" "../../../runs/$fifth"
expect_eq "$(ls "$mnt/ops/shown/runs")" \
	"$(cd "$mnt/runs" && grep -lx shown -- */op | cut -d / -f 1)"
expect_eq "$(readlink "$mnt/ops/deep/er/show.py/latest" | cut -d / -f 1-5)" \
	../../../../runs

### The run's own copy of the source: Guild's rules
sources()
{
	(cd "$home/runs/$1" &&
		find . -path ./.guild -prune -o ! -type d -printf '%P\n' | sort)
}
rm -r "$project"
mkdir -p "$project"/{sub,.venv,.git-not,env/bin,build,egg.egg-info,__pycache__} \
	"$project"/{data,deep/build}
cd "$project"
echo 'print("run")' >main.py
printf '#!/bin/sh\necho tool\n' >tool
chmod 750 tool
echo s | tee sub/s.txt .venv/x env/bin/activate env/lib.py build/b egg.egg-info/e \
	__pycache__/p data/.guild-nocopy data/d .hidden deep/build/c >/dev/null
printf 'a\0b' >binary
head -c 1048576 /dev/zero | tr '\0' x >big-enough
head -c 1048577 /dev/zero | tr '\0' x >too-big
ln -s sub/s.txt link
ln -s sub linked
cd /
id=$(start_run main.py)
expect_result "$id" "completed 0"
expect_eq "$(sources "$id" | tr '\n' ' ')" \
	".hidden big-enough link linked/s.txt main.py sub/s.txt tool "
expect_eq "$(cut -d ' ' -f 1,2 "$home/runs/$id/.guild/manifest" | tr '\n' ' ')" \
	"s .hidden s big-enough s link s linked/s.txt s main.py s sub/s.txt s tool "
[ ! -h "$home/runs/$id/link" ]
expect_eq "$(stat -c %a "$home/runs/$id/tool")" 750
id=$(start_run tool)
expect_result "$id" "completed 0"
expect_eq "$(sources "$id" | tr '\n' ' ')" ".hidden __pycache__/p big-enough build/b \
deep/build/c egg.egg-info/e env/bin/activate env/lib.py link linked/s.txt main.py \
sub/s.txt tool "
# Which is what it runs, when the project has gone on.
printf '#!/bin/sh\necho changed\n' >"$project/tool"
echo >"$mnt/runs/$id/restart"
expect_eq "$(cat "$mnt/runs/$id/output")" tool
echo other >"$project/other.txt"
expect_result "$id" "completed 0"
echo --force-sourcecode >"$mnt/runs/$id/restart"
expect_eq "$(cat "$mnt/runs/$id/output")" changed
expect_result "$id" "completed 0"
cmp "$project/other.txt" "$mnt/runs/$id/files/other.txt"
for i in $(seq 120); do echo "$i" >"$project/many-$i.txt"; done
id=$(start_run main.py)
expect_result "$id" "completed 0"
expect_eq "$(grep -c '^s ' "$home/runs/$id/.guild/manifest")" 100

### A project in git: what git knows or would know
rm -r "$project"
mkdir -p "$project/sub" "$project/ignored" "$project/.dir"
cd "$project"
git init -q
echo s | tee sub/s.txt ignored/i untracked .dir/d secret.txt unwanted >/dev/null
printf 'ignored/\nsecret.txt\n' >.gitignore
echo unwanted >.guildignore
printf 'a\0b' >binary
head -c 2000000 /dev/zero >big
echo 'print("run")' >main.py
git add . && git -c user.name=me -c user.email=me@x commit -qm first
echo s >later
cd /
id=$(start_run main.py)
expect_result "$id" "completed 0"
expect_eq "$(sources "$id" | tr '\n' ' ')" \
	".dir/d big binary later main.py sub/s.txt untracked "
commit=$(git -C "$project" rev-parse HEAD)
expect_eq "$(cat "$home/runs/$id/.guild/attrs/vcs_commit")" "git:$commit*"
expect_eq "$(grep commit "$mnt/runs/$id/source")" "commit=git:$commit*"
rm "$project/later"
id=$(start_run main.py)
expect_result "$id" "completed 0"
expect_eq "$(cat "$home/runs/$id/.guild/attrs/vcs_commit")" "git:$commit"

### What Python has said of a script is kept for the next mount
cat >"$dir/counted" <<'END'
#!/bin/sh
echo >>"${0%/*}/calls"
exec /usr/bin/python3 "$@"
END
chmod +x "$dir/counted"
export GUILD_PYTHON_EXE=$dir/counted
echo 'lr = 0.1' >"$project/kept.py"
printf 'import argparse\nparser = argparse.ArgumentParser()
parser.add_argument("--rate", type=float)\nparser.parse_args()\n' >"$project/parsed.py"
# expect_asked N: after a mount and a look at both, Python has been asked so often in all.
expect_asked()
{
	stop_mount
	start_mount
	grep -q '^lr ' "$mnt/ops/kept.py/help"
	grep -q '^rate ' "$mnt/ops/parsed.py/help"
	expect_eq "$(wc -l <"$dir/calls")" "$1"
}
expect_asked 3
expect_asked 3
echo 'lr = 0.2' >"$project/kept.py"
expect_asked 5 # another module beside parsed.py may have another parser
expect_asked 5
for file in "$home"/cache/runfs/flags/*; do
	echo nonsense >"$file"
done
expect_asked 8
