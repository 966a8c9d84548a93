#!/bin/bash
# guild.yml: the full form, what its keys make of a run, and a file with a mistake.
. "$(dirname "$0")/lib.sh"

export MY_KEY=hidden
cat >"$project/guild.yml" <<'END'
- config: base
  params: {shell: sh, greeting: hello}
  flags:
    x: {type: float, default: 0.5, min: 0, max: 1}
  operations:
    greet: {exec: "{{shell}} -c 'echo {{greeting}} ${x}'", flags: {$include: base}}
- model: m
  extends: base
  operation-defaults: {label: 'm ${x|%.2f}'}
  operations:
    run:
      description: All the keys
      exec: sh -c 'echo $MY_KEY $PYTHONPATH'
      flags: {$include: 'base#x', name: {default: null, alias: n}}
      tags: [one, two]
      env: {MY_KEY: stored}
      env-secrets: MY_KEY
      run-attrs: {team: red, id: mine}
      python-requires: '>=3'
      default: yes
      compare: [loss]
      plugins: [cpu]
- model: n
  extends: base
  params: {greeting: good day}
- include: more.yml
END
cat >"$project/more.yml" <<'END'
- model: other
  operations:
    all: {steps: [greet, run]}
    greet: {exec: echo other}
END
start_mount

### Models and what they extend
expect_eq "$(ls "$mnt/ops" | tr '\n' ' ')" \
	"m:greet m:run n:greet other:all other:greet "
for pair in m:greet='hello 0.5' n:greet='good day 0.5' other:greet=other; do
	id=$(start_run "${pair%%=*}")
	expect_result "$id" "completed 0"
	expect_eq "$(cat "$mnt/runs/$id/output")" "${pair#*=}"
	expect_eq "$(cat "$mnt/runs/$id/op")" "${pair%%=*}"
done
expect_errno ERANGE put "$mnt/ops/m:greet/run" x=2
expect_eq "$(echo | python3 "$(dirname "$0")/ask.py" "$mnt/ops/other:all/run")" \
	"EINVAL EINVAL"
grep -q "^error: more.yml: line 3: operation all: 'steps' is not supported: " \
	"$mnt/ops/other:all/help"

### What the keys make of a run
attr()
{
	cat "$home/runs/$id/.guild/attrs/$1"
}
id=$(start_run m:run 'x=0.25 n=a')
expect_result "$id" "completed 0"
expect_eq "$(cat "$mnt/runs/$id/output")" stored
expect_eq "$(cat "$mnt/runs/$id/label")" "m 0.25"
expect_eq "$(cat "$mnt/runs/$id/tags")" $'one\ntwo'
expect_eq "$(attr opdef_attrs)" "team: red"
expect_eq "$(attr id)" "$id"
expect_not grep -q MY_KEY "$home/runs/$id/.guild/attrs/env"
grep -q "^python-requires: '>=3'$" "$home/runs/$id/.guild/attrs/op"
expect_eq "$(attr plugins)" "- cpu"
for word in "compare: " "default: " "run-attrs: id is reserved"; do
	grep -q "^$word" "$mnt/ops/m:run/help" || fail "$(cat "$mnt/ops/m:run/help")"
done

### The label follows the flags, by its template, until the user sets one
echo x=0.75 >"$mnt/runs/$id/restart"
expect_result "$id" "completed 0"
expect_eq "$(cat "$mnt/runs/$id/label")" "m 0.75"
expect_not grep -q MY_KEY "$home/runs/$id/.guild/attrs/env"
echo mine >"$home/runs/$id/.guild/attrs/label"
echo x=0.5 >"$mnt/runs/$id/restart"
expect_result "$id" "completed 0"
expect_eq "$(cat "$mnt/runs/$id/label")" mine

### A run that is deleted when it has succeeded
cat >>"$project/more.yml" <<'END'
- model: once
  operations:
    run:
      exec: sh -c "exit ${x}"
      flags: {x: 0}
      delete-on-success: yes
END
exec 3<>"$mnt/ops/once:run/run"
echo x=0 >&3
read -r id <&3
exec 3>&-
gone()
{
	[ ! -e "$mnt/runs/$id" ] && [ -e "$mnt/trash/$id" ]
}
wait_for gone
expect_eq "$(cat "$mnt/trash/$id/wait")" "completed 0"
grep -q '^delete-on-success: true$' "$home/trash/runs/$id/.guild/attrs/op"
mv "$mnt/trash/$id" "$mnt/runs/"
exec 3<"$mnt/runs/$id/wait"
echo x=1 >"$mnt/runs/$id/restart" # not where it has failed
expect_eq "$(cat <&3)" "error 1"
exec 3<"$mnt/runs/$id/wait"
echo x=0 >"$mnt/runs/$id/restart"
expect_eq "$(cat <&3)" "completed 0"
wait_for gone
exec 3<&-
# One that was started with guild run --keep-run.
mv "$mnt/trash/$id" "$mnt/runs/"
sed -i 's/^keep_run: false/keep_run: true/' "$home/runs/$id/.guild/attrs/run_params"
echo >"$mnt/runs/$id/restart"
expect_result "$id" "completed 0"
test -e "$mnt/runs/$id"

### Secrets reach the process, and no file of the home; also when it is started again
stop_mount
export OWN_KEY=hidden-one HF_TOKEN=hidden-two
cat >"$project/guild.yml" <<'END'
secret:
  exec: sh -c 'echo $OWN_KEY $HF_TOKEN | tr a-z A-Z'
  env-secrets: OWN_KEY
END
start_mount
id=$(start_run secret)
expect_result "$id" "completed 0"
expect_eq "$(cat "$mnt/runs/$id/output")" "HIDDEN-ONE HIDDEN-TWO"
expect_not grep -rE "hidden-(one|two)" "$home"
rm "$project/guild.yml"
echo >"$mnt/runs/$id/restart"
expect_result "$id" "completed 0"
expect_eq "$(cat "$mnt/runs/$id/output")" "HIDDEN-ONE HIDDEN-TWO"
expect_not grep -rE "hidden-(one|two)" "$home"
# They are taken from who mounts, each time.
stop_mount
unset HF_TOKEN
export OWN_KEY=hidden-three
start_mount
echo >"$mnt/runs/$id/restart"
expect_result "$id" "completed 0"
expect_eq "$(cat "$mnt/runs/$id/output")" HIDDEN-THREE
expect_not grep -r hidden-three "$home"

### A mistake: the names stay, and all say what is wrong
cat >"$project/guild.yml" <<'END'
train:
  exec: echo train
  flags:
    x: [1
test:
  exec: echo test
END
expect_eq "$(ls "$mnt/ops" | tr '\n' ' ')" "test train "
for op in train test; do
	help=$(grep '^error: ' "$mnt/ops/$op/help")
	case $help in
	"error: guild.yml: line "[0-9]*": "?*) ;;
	*) fail "help says '$help'" ;;
	esac
	expect_errno EINVAL put "$mnt/ops/$op/run" x=1
	expect_eq "$(cat "$mnt/ops/$op/run")" "$help"
done
# One in an operation leaves the others alone.
sed -i 's/x: \[1/x: {min: low}/' "$project/guild.yml"
id=$(start_run test)
expect_result "$id" "completed 0"
expect_errno EINVAL put "$mnt/ops/train/run" ''
expect_eq "$(cat "$mnt/ops/train/run")" \
	"error: guild.yml: line 4: operation train: flag x: 'min' is a number"

### A guild.yml that can't be used at all: nothing is run as if there were none

unusable()
{
	expect_eq "$(ls -I train "$mnt/ops")" "echo.py"$'\n'"hello.sh"
	for op in echo.py hello.sh; do
		grep -qF "error: $1" "$mnt/ops/$op/help"
		expect_errno EINVAL put "$mnt/ops/$op/run" ""
		expect_eq "$(head -c $((7 + ${#1})) "$mnt/ops/$op/run")" "error: $1"
	done
	grep -qF "Nothing in ops can be run: $1" "$mnt/README"
	expect_eq "$(stat -c %s "$mnt/README")" "$(wc -c <"$mnt/README")"
}
rm "$project"/*
cp "$fixtures/optimizers/"{echo.py,hello.sh} "$project"
expect_not grep -q guild.yml "$mnt/README"
printf 'train:\n  main: train\n  x: [1\n' >"$project/guild.yml"
unusable "guild.yml: line 4: "
printf 'just text\n' >"$project/guild.yml"
unusable "guild.yml: line 1: "
printf '\377\376\001' >"$project/guild.yml"
unusable "guild.yml: line "
rm "$project/guild.yml"
mkdir "$project/guild.yml"
unusable "guild.yml can't be read: it is no regular file"
rmdir "$project/guild.yml"
mkfifo "$project/guild.yml"
unusable "guild.yml can't be read: it is no regular file"
rm "$project/guild.yml"
ln -s guild.yml "$project/guild.yml"
unusable "guild.yml can't be read: Too many levels of symbolic links"
rm "$project/guild.yml"
echo x=5 >"$mnt/ops/echo.py/run"
expect_eq "$(cat "$mnt/latest/output")" "5 2 'a'"

# And without a project there is a word about that.
stop_mount
"$RUNFS_MOUNT" "$home" "$mnt"
expect_eq "$(ls "$mnt/ops")" ""
grep -qF "mount with -o project=DIR" "$mnt/README"
