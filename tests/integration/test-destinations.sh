#!/bin/bash
# Where flags go: configuration files in three formats, an R script, and a dict and a
# namespace of a module.
. "$(dirname "$0")/lib.sh"

mkdir "$project/conf"
cat >"$project/conf/train.yml" <<'END'
# how to train
lr: 0.1
layers: [64, 32]
data: {path: /data, shuffle: yes}
END
echo '{"depth": 3, "opt": {"name": "adam"}}' >"$project/model.json.in"
printf '[DEFAULT]\nseed = 1\n[net]\nname = a b\nseed = 0o7\n' >"$project/net.ini"
cat >"$project/show.py" <<'END'
import sys
print(sys.argv[1:], open(sys.argv[1]).read(), sep='\n', end='')
END
cat >"$project/mod.py" <<'END'
from types import SimpleNamespace
params = {'x': 1, 'deep': {'y': 'a'}, 'l': [1, True]}
space = SimpleNamespace(lr=0.5)
print(params, space)
END
cat >"$project/guild.yml" <<'END'
yml:
  exec: cat conf/train.yml
  flags-dest: config:conf/train.yml
  flags-import: all
  flags: {lr: {max: 1}, where: {arg-name: data.path, default: null}}
json: {main: show model.json, flags-dest: 'config:model.json.in', flags-import: all}
ini:
  exec: cat net.ini
  flags-dest: config:net.ini
  flags-import: [net.name, DEFAULT.seed]
r: {exec: Rscript train.R fast, flags-dest: train.R, flags-import: [lr], label: 'r ${lr}'}
dict: {main: mod, flags-dest: 'dict:params', flags-import: yes}
space: {main: mod, flags-dest: 'namespace:space', flags-import: all}
lost: {exec: x, flags-dest: 'config:none.yml'}
bad: {exec: x, flags-dest: 'config:a.toml'}
END
# What R would get: its arguments, and the script that they name.
mkdir "$dir/bin"
cat >"$dir/bin/Rscript" <<'END'
#!/bin/sh
echo "$@"; cat "$1"
END
chmod +x "$dir/bin/Rscript"
printf 'lr <- 0.1  # fast\nname <- "a"\nprint(lr)\n' >"$project/train.R"
PATH=$dir/bin:$PATH start_mount

### What stands in a file is the flags' defaults
expect_eq "$(cat "$mnt/ops/yml/flags")" "data.path=/data
data.shuffle=yes
layers='64 32'
lr=0.1
where=null"
expect_eq "$(cat "$mnt/ops/json/flags")" "depth=3
opt.name=adam"
expect_eq "$(cat "$mnt/ops/ini/flags")" "DEFAULT.seed=1
net.name='a b'"
expect_eq "$(cat "$mnt/ops/dict/flags")" "deep.y=a
l='1 true'
x=1"

### A run has its own, and the project's stays as it is
show()
{
	expect_result "$1" "completed 0"
	cat "$mnt/runs/$1/output"
}
before=$(cat "$project/conf/train.yml")
id=$(start_run yml "lr=0.5 layers='8 a' where=/tmp data.shuffle=no")
expect_eq "$(show "$id")" "data:
  path: /tmp
  shuffle: false
layers:
- 8
- a
lr: 0.5"
expect_eq "$(cat "$project/conf/train.yml")" "$before"
grep -q "^d conf/train.yml [0-9a-f]\{40\} config:conf/train.yml$" \
	"$home/runs/$id/.guild/manifest"
expect_not grep -q "^s conf/train.yml" "$home/runs/$id/.guild/manifest"
grep -q '^  flags-dest: config:conf/train.yml$' "$home/runs/$id/.guild/attrs/op"
expect_eq "$(cat "$home/runs/$id/.guild/attrs/deps")" "config:conf/train.yml:
  config:conf/train.yml:
    paths:
    - conf/train.yml
    uri: config:conf/train.yml"
expect_eq "$(show "$(start_run json opt.name=sgd)")" "['model.json']
{\"depth\": 3, \"opt\": {\"name\": \"sgd\"}}"
expect_eq "$(show "$(start_run ini 'net.name=b DEFAULT.seed=5')")" "[DEFAULT]
seed = 5

[net]
name = b
seed = 0o7"
expect_eq "$(show "$(start_run dict 'x=2.5 deep.y=b l="yes 2"')")" \
	"{'deep': {'y': 'b'}, 'l': [True, 2], 'x': 2.5} namespace(lr=0.5)"
expect_eq "$(show "$(start_run space lr=1)")" \
	"{'x': 1, 'deep': {'y': 'a'}, 'l': [1, True]} namespace(lr=1)"

### An R script has variables, which are set in the run's copy
expect_eq "$(cat "$mnt/ops/train.R/flags")" "lr=0.1
name=a"
r_id=$(start_run train.R 'lr=0.5 name="b\"c"')
expect_eq "$(show "$r_id")" 'train.R
lr <- 0.5  # fast
name <- "b\"c"
print(lr)'
grep -q "^s train.R $(sha1sum <"$project/train.R" | cut -c 1-40) train.R$" \
	"$home/runs/$r_id/.guild/manifest"
echo lr=0.25 >"$mnt/runs/$r_id/restart"
expect_eq "$(show "$r_id" | sed -n 2,3p)" 'lr <- 0.25  # fast
name <- "b\"c"'
expect_errno EINVAL put "$mnt/runs/$r_id/restart" depth=3
expect_eq "$(cat "$mnt/runs/$r_id/restart")" \
	"error: unsupported flag 'depth': train.R takes lr, name\
 (--force-flags skips this check)"
sed -i 's/print/show/' "$project/train.R"
echo --force-sourcecode >"$mnt/runs/$r_id/restart"
expect_eq "$(show "$r_id" | sed -n '2p;4p')" 'lr <- 0.25  # fast
show(lr)'
r_id=$(start_run r lr=2)
expect_eq "$(show "$r_id" | head -n 3)" 'train.R fast
lr <- 2  # fast
name <- "a"'
expect_eq "$(cat "$mnt/runs/$r_id/label")" "r 2"
mv "$dir/bin/Rscript" "$dir/bin/away"
if ! command -v Rscript >/dev/null; then
	expect_errno ENOENT put "$mnt/ops/train.R/run" lr=1
	expect_eq "$(cat "$mnt/ops/train.R/run")" "error: 'Rscript' is in no directory of\
 PATH: install it, or give its path; it belongs to R, which runs .R files"
fi

### What does not fit starts nothing
refused()
{
	expect_errno "$1" put "$mnt/ops/$2/run" "$3"
	case $(cat "$mnt/ops/$2/run") in
	"error: "*"$4"*) ;;
	*) fail "$2/run says '$(cat "$mnt/ops/$2/run")'" ;;
	esac
}
n_runs=$(ls "$mnt/runs" | wc -l)
refused ERANGE yml lr=2 'out of range (greater than max 1)'
refused EINVAL yml lr=fast "invalid value fast for lr: invalid value for type 'number'"
refused EINVAL yml '--force-flags lr.rate=1' \
	"'lr.rate' cannot be nested: conflicts with {'lr': 0.1}"
refused EINVAL lost '' \
	"line 14: operation lost: flags-dest: none.yml can't be read: No such file or"
refused EINVAL bad '' 'config type for a.toml not supported: the file is .yml'
expect_eq "$(ls "$mnt/runs" | wc -l)" "$n_runs"

### A restart takes what the run was made from, also when the project is gone
touch "$home/runs/$id/made"
echo "lr=0.25" >"$mnt/runs/$id/restart"
grep -qx 'lr: 0.25' <<<"$(show "$id")"
grep -qx -- '- 8' "$mnt/runs/$id/output"
[ -e "$home/runs/$id/made" ]
expect_eq "$(grep -c ' config:conf/train.yml$' "$home/runs/$id/.guild/manifest")" 1
rm "$home/runs/$id/conf/train.yml"
mv "$project" "$dir/gone"
echo "lr=0.75" >"$mnt/runs/$id/restart"
grep -qx 'lr: 0.75' <<<"$(show "$id")"
echo '--needed lr=0.75' >"$mnt/runs/$id/restart"
grep -q '^Skipping run' "$mnt/runs/$id/restart"
mv "$dir/gone" "$project"

### The project's file anew, with its new content; flags that the run has stay
echo "more: 1" >>"$project/conf/train.yml"
grep -qx more=1 "$mnt/ops/yml/flags"
echo "--force-sourcecode" >"$mnt/runs/$id/restart"
expect_eq "$(show "$id" | tail -n 2)" "lr: 0.75
more: 1"
expect_eq "$(find "$home/runs/$id/.guild" -name '*new*')" ""

### A staged run has its file, which follows its flags
exec 3<>"$mnt/ops/yml/stage"
echo lr=0.125 >&3
read -r staged <&3
exec 3>&-
grep -qx 'lr: 0.125' "$home/runs/$staged/conf/train.yml"
echo lr=0.0625 >"$mnt/runs/$staged/flags"
grep -qx 'lr: 0.0625' "$home/runs/$staged/conf/train.yml"

### A file that the run can't have for what is in its way
rm -r "$home/runs/$id/conf"
echo in the way >"$home/runs/$id/conf"
expect_errno ENOTDIR bash -c 'exec 3<>"$1"; echo lr=0.5 >&3; cat <&3' - \
	"$mnt/runs/$id/restart"
expect_eq "$(cat "$mnt/runs/$id/status")" completed
grep -qx lr=0.75 "$mnt/runs/$id/flags"
