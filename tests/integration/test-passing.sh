#!/bin/bash
# How flags reach a command: as arguments and variables, by what guild.yml and the
# script's own parser say; and the layers of the environment.
. "$(dirname "$0")/lib.sh"

make_program show <<'END'
#!/bin/sh
printf '[%s]' "$@"; echo
env | grep '^\(FLAG_\|MY_\)' | LC_ALL=C sort
END
cat >"$project/arg.py" <<'END'
import argparse, sys
p = argparse.ArgumentParser(description='Takes arguments')
p.add_argument('--rate', type=float, default=0.5, help='How fast')
p.add_argument('--sizes', type=int, nargs='+', default=[1, 2])
p.add_argument('--on', action='store_true')
p.add_argument('--off', action='store_false')
p.add_argument('--mode', choices=['a', 'b'], default='a')
p.add_argument('--fast', action=argparse.BooleanOptionalAction, default=True)
p.add_argument('--level', action='store_const', const=5, default=1)
p.add_argument('--tag', action='append')
p.add_argument('-v', '--verbose', action='count', default=0)
p.add_argument('--must', required=True)
p.add_argument('-s', default='short')
print(sorted(vars(p.parse_args()).items()), sys.argv[1:])
END
cat >"$project/clicks.py" <<'END'
import click
@click.command(help='Takes options')
@click.option('--n', default=3, type=click.IntRange(1, 5), help='How often')
@click.option('--name', default='x', type=click.Choice(['x', 'y']))
@click.option('--loud/--quiet', default=False)
@click.option('--dry', is_flag=True)
def main(**flags):
    print(sorted(flags.items()))
main()
END
cat >"$project/broken.py" <<'END'
import argparse
import no_such_module
argparse.ArgumentParser().parse_args()
END
cat >"$project/vars.py" <<'END'
x, y = 1, 2
a = 1
b = True
l = ['1', 2]
o = None
print(a, b, l, o)
END
cat >"$project/guild.yml" <<'END'
args:
  exec: ./show ${flag_args} end ${split}
  env: {MY_A: 'a=${plain}', MY_B: '${bool}'}
  flags:
    plain: 1.5e-5
    bool: yes
    null-one: null
    named: {default: 2, arg-name: other-name, env-name: MY_NAMED}
    skipped: {default: 3, arg-skip: yes}
    switch: {default: yes, arg-switch: yes}
    no-switch: {default: no, arg-switch: no}
    split: {default: "1 'b c' yes", arg-split: yes}
    comma: {default: 'a,,b c', arg-split: ','}
    coded:
      default: yes
      arg-encoding: {yes: 'on', no: 'off'}
      env-encoding: {yes: 'T', no: 'F'}
skip:
  exec: ./show ${flag_args}
  default-flag-arg-skip: yes
  flags: {a: 1, b: {default: 2, arg-skip: no}}
shadow: {exec: './show --a 5 ${flag_args}', flags: {a: 1, b: 2}}
vars: {main: vars, flags-import: [l, b, o], flags: {a: {default: 1, arg-split: no}}}
imports:
  main: arg
  flags-import: all
  flags-import-skip: [sizes, must]
  flags: {rate: {max: 1}}
none: {exec: './show ${nope}'}
END
start_mount
show()
{
	expect_result "$1" "completed 0"
	cat "$mnt/runs/$1/output"
}

### Attributes of flags
args="[--coded][on][--comma][a][b c][--other-name][2][--no-switch][--plain][1.5e-05]"
args="${args}[--split][1][b c][yes][--switch][end][1 'b c' yes]"
expect_eq "$(show "$(start_run args)" | sed "s/\[--bool\]\[1\]//")" "$args
FLAG_BOOL=1
FLAG_CODED=T
FLAG_COMMA=a,,b c
FLAG_NO_SWITCH=
FLAG_NULL_ONE=
FLAG_PLAIN=1.5e-05
FLAG_SKIPPED=3
FLAG_SPLIT=1 'b c' yes
FLAG_SWITCH=1
MY_A=a=1.5e-05
MY_B=1
MY_NAMED=2"
args="[--bool][][--coded][off][--comma][x][--other-name][2][--plain][1]"
expect_eq "$(show "$(start_run args \
	'bool=no switch=no no-switch=yes coded=no comma=x split= plain=1')" |
	head -n 1)" \
	"${args}[--split][end][]"
expect_eq "$(show "$(start_run skip)" | head -n 1)" "[--b][2]"
expect_eq "$(show "$(start_run shadow)" | head -n 1)" "[--a][5][--b][2]"
grep -qxF "flag a: is no argument, it's shadowed in the operation cmd as --a." \
	"$mnt/ops/shadow/help"

### A parser's options
help=$(cat "$mnt/ops/arg.py/help")
grep -q '^Takes arguments$' <<<"$help"
grep -q '^must .*(required)' <<<"$help"
grep -q '^mode .*a, b' <<<"$help"
grep -q '^rate .*0\.5 .*float .*How fast' <<<"$help"
expect_not grep -q '^s ' <<<"$help"
expect_eq "$(show "$(start_run arg.py must=1)")" \
	"[('fast', True), ('level', 1), ('mode', 'a'), ('must', '1'), ('off', True),\
 ('on', False), ('rate', 0.5), ('s', 'short'), ('sizes', [1, 2]), ('tag', None),\
 ('verbose', 0)] ['--mode', 'a', '--must', '1', '--rate', '0.5', '--sizes', '1', '2']"
expect_eq "$(show "$(start_run arg.py \
	'must=1 on=yes off=no fast=no level=5 tag=t verbose=yes sizes="3 4" mode=b')")" \
	"[('fast', False), ('level', 5), ('mode', 'b'), ('must', '1'), ('off', False),\
 ('on', True), ('rate', 0.5), ('s', 'short'), ('sizes', [3, 4]), ('tag', ['t']),\
 ('verbose', 1)] ['--no-fast', '--level', '--mode', 'b', '--must', '1', '--off', '--on',\
 '--rate', '0.5', '--sizes', '3', '4', '--tag', 't', '--verbose']"
expect_errno EINVAL put "$mnt/ops/arg.py/run" 'must=1 mode=c'
expect_errno EINVAL put "$mnt/ops/arg.py/run" 'must=1 rate=fast'
expect_eq "$(cut -d = -f 1 "$mnt/ops/imports/flags" | tr '\n' ' ')" \
	"fast level mode off on rate tag verbose "
expect_errno ERANGE put "$mnt/ops/imports/run" rate=2
if python3 -c 'import click' 2>/dev/null; then
	expect_eq "$(show "$(start_run clicks.py 'n=5 loud=yes dry=yes name=y')")" \
		"[('dry', True), ('loud', True), ('n', 5), ('name', 'y')]"
	expect_errno ERANGE put "$mnt/ops/clicks.py/run" n=6
	expect_errno EINVAL put "$mnt/ops/clicks.py/run" name=z
fi
grep -q "^error: broken.py: line 2: There is no module 'no_such_module' for /usr/bin/" \
	"$mnt/ops/broken.py/help"
expect_errno EINVAL put "$mnt/ops/broken.py/run" ''

### Variables of a module, with their types
expect_eq "$(cat "$mnt/ops/vars/flags")" "a=1
b=yes
l='\"''1''\" 2'
o=null"
expect_eq "$(show "$(start_run vars)")" "1 True ['1', 2] None"
expect_eq "$(show "$(start_run vars "a='1' b=no l='x 2.5 null' o=[1,2]")")" \
	"1 False ['x', 2.5, None] [1, 2]"
# A whole number is not cut, however long.
big=$(printf '%0100000d' 0 | tr 0 9)
id=$(start_run args "plain=$big")
expect_result "$id" "completed 0"
grep -qxF "plain=$big" "$mnt/runs/$id/flags"
grep -qF "[--plain][$big]" "$mnt/runs/$id/output"

### The environment, each layer over the one before
env_of()
{
	sed -n "s/^$1=//p" "$mnt/runs/$id/env"
}
id=$(start_run skip)
expect_result "$id" "completed 0"
expect_eq "$(env_of RUN_ID)" "$id"
expect_eq "$(env_of RUN_DIR)" "$home/runs/$id"
expect_eq "$(env_of PROJECT_DIR)" "$project"
expect_eq "$(env_of CMD_DIR)" "$project"
expect_eq "$(env_of GUILD_HOME)" "$home"
expect_eq "$(env_of GUILD_OP)" skip
expect_eq "$(env_of LOG_LEVEL)" 20
expect_eq "$(env_of GUILD_PLUGINS)" cpu,disk,memory,perf
expect_eq "$(env_of HOME)" "$HOME"
expect_not grep -q '^_=' "$mnt/runs/$id/env"
expect_errno EINVAL put "$mnt/ops/none/run" ''
expect_eq "$(cat "$mnt/ops/none/run")" "error: the command of none contains the reference\
 'nope', which is no flag of it"
