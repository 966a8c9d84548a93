#!/bin/bash
# The flags of an operation on a real project: typed, checked, shown and passed as its
# guild.yml says; and on a restart as it said when the run was made.
. "$(dirname "$0")/lib.sh"

range='out of range'
number='write a number'
whole='write a whole number'
use_project optimizers
cat >>"$project/guild.yml" <<'END'

typed:
  description: Every kind of flag
  exec: env
  flags:
    s: {type: string, default: 1, description: A text}
    i: {type: int, default: 1, min: 1, max: 9}
    x: {type: float, default: 1, max: 2.5}
    n: {type: number, alias: count}
    b: {type: boolean, default: no}
    p: {type: path, default: data}
    e: {type: existing-path}
    c:
      choices:
        - small
        - {value: 100, alias: big, description: The big one, flags: {i: 9}}
    o: {choices: [1, 2], allow-other: yes, default: 1}
END
start_mount

# missing FILE REQUEST ERRNO SENTENCE: refused when it is carried out, since more lines
# could have made it right.
missing()
{
	expect_eq "$(echo "$2" | python3 "$(dirname "$0")/ask.py" "$1")" "$3 $3"
	expect_eq "$(cat "$1")" "error: $4"
}

# refused FILE REQUEST ERRNO SENTENCE: when it is written.
refused()
{
	expect_errno "$3" put "$1" "$2"
	missing "$@"
}

# flags ID: on one line.
flags()
{
	tr '\n' ' ' <"$mnt/runs/$1/flags"
}

### What help says
expect_eq "$(cat "$mnt/ops/add/help")" "Add two numbers in a shell

flag  default     type
a     (required)  int
b     2"
expect_eq "$(cat "$mnt/ops/hello/help")" "Say hello

flag  default  takes                      description
name  world    world, moon, 'red planet'  Who to greet"
grep -q '^lr .* 0 to 1 .* Learning rate$' "$mnt/ops/train/help" ||
	fail "$(cat "$mnt/ops/train/help")"
grep -q '^c .* small, big$' "$mnt/ops/typed/help" ||
	fail "$(cat "$mnt/ops/typed/help")"

### A required flag
sentence='Operation requires the following missing flags: a: write them as name=value'
missing "$mnt/ops/add/run" '' EINVAL "$sentence"
missing "$mnt/ops/add/run" b=3 EINVAL "$sentence"
missing "$mnt/ops/add/run" a=null EINVAL "$sentence"
refused "$mnt/ops/add/run" a= EINVAL \
	"invalid value '' for a: invalid value for type 'int': write a whole number"
add=$(start_run add a=40)
expect_result "$add" "completed 0"
expect_eq "$(cat "$mnt/runs/$add/output")" 42
# The run has it now.
echo b=3 >"$mnt/runs/$add/restart"
expect_result "$add" "completed 0"
expect_eq "$(cat "$mnt/runs/$add/output")" 43
expect_eq "$(flags "$add")" "a=40 b=3 "

### Types
for word in x 1.5 "'1.5'" inf; do
	shown=${word//inf/.inf}
	refused "$mnt/ops/add/run" "a=$word" EINVAL \
		"invalid value $shown for a: invalid value for type 'int': $whole"
done
id=$(start_run add "a='1'")
expect_result "$id" "completed 0"
expect_eq "$(flags "$id")" "a=1 b=2 "
id=$(start_run typed "s=007 x=2 count=5 b=abc e=$project/guild.yml")
expect_result "$id" "completed 0"
expect_eq "$(flags "$id")" \
	"b=yes c=null e=$project/guild.yml i=1 n=5 o=1 p=$project/data s='007' x=2.0 "
grep -qx FLAG_S=007 "$mnt/runs/$id/output"
grep -qx FLAG_X=2.0 "$mnt/runs/$id/output"
grep -qx FLAG_B=1 "$mnt/runs/$id/output"
refused "$mnt/ops/typed/run" e=/none EINVAL \
	"invalid value /none for e: /none does not exist: write the path of what is\
 there, seen from the project"
refused "$mnt/ops/typed/run" x=a EINVAL \
	"invalid value a for x: invalid value for type 'float': write a number"
refused "$mnt/ops/typed/run" n=a EINVAL \
	"invalid value a for n: invalid value for type 'number': write a number"

### Limits
refused "$mnt/ops/train/run" lr=2 ERANGE \
	"invalid value 2.0 for lr: $range (greater than max 1): $number from 0 up to 1"
refused "$mnt/ops/train/run" lr=-0.5 ERANGE \
	"invalid value -0.5 for lr: $range (less than min 0): $number from 0 up to 1"
refused "$mnt/ops/typed/run" x=3 ERANGE \
	"invalid value 3.0 for x: $range (greater than max 2.5): $number up to 2.5"

### Choices
refused "$mnt/ops/hello/run" name=mars EINVAL \
	"Unsupported value for 'name' - supported values are: world, moon, 'red planet'"
refused "$mnt/ops/typed/run" c=tiny EINVAL \
	"Unsupported value for 'c' - supported values are: small, big"
id=$(start_run typed c=big)
expect_result "$id" "completed 0"
grep -qx FLAG_C=100 "$mnt/runs/$id/output"
grep -qx FLAG_I=9 "$mnt/runs/$id/output"
id=$(start_run typed 'c=big i=3 o=7')
expect_result "$id" "completed 0"
expect_eq "$(flags "$id" | cut -d ' ' -f 2,4,6)" "c=100 i=3 o=7"

### Aliases, unknown names, and what --force-flags skips
refused "$mnt/ops/typed/run" 'n=1 count=2' EINVAL \
	"cannot specify both alias 'count' and name for flag 'n': write one of them\
 (--force-flags skips this check)"
refused "$mnt/ops/add/run" 'a=1 q=2' EINVAL \
	"unsupported flag 'q': add takes a, b (--force-flags skips this check)"
id=$(start_run typed 'i=x c=tiny q=2 --force-flags')
expect_result "$id" "completed 0"
expect_eq "$(flags "$id" | cut -d ' ' -f 2,4,8)" "c=tiny i=x q=2"

### A restart is judged as the first start was, also without the project
hello=$(start_run hello name=moon)
expect_result "$hello" "completed 0"
said=$(cat "$mnt/runs/$hello/output")
typed=$(start_run typed c=small)
expect_result "$typed" "completed 0"
mv "$project" "$dir/gone"
refused "$mnt/runs/$hello/restart" name=mars EINVAL \
	"Unsupported value for 'name' - supported values are: world, moon, 'red planet'"
refused "$mnt/runs/$add/restart" a=x EINVAL \
	"invalid value x for a: invalid value for type 'int': write a whole number"
missing "$mnt/runs/$add/restart" a=null EINVAL "$sentence"
refused "$mnt/runs/$typed/restart" i=10 ERANGE \
	"invalid value 10 for i: $range (greater than max 9): $number from 1 up to 9"
echo name=world >"$mnt/runs/$hello/restart"
expect_result "$hello" "completed 0"
expect_eq "$(cat "$mnt/runs/$hello/output")" "${said/moon/world}"
echo count=7 >"$mnt/runs/$typed/restart"
expect_result "$typed" "completed 0"
grep -qx FLAG_N=7 "$mnt/runs/$typed/output"
echo >"$mnt/runs/$typed/restart"
expect_result "$typed" "completed 0"
grep -qx FLAG_N=7 "$mnt/runs/$typed/output"
echo --needed >"$mnt/runs/$typed/restart"
expect_eq "$(cat "$mnt/runs/$typed/restart")" \
	"Skipping run because flags have not changed (--needed specified)"
