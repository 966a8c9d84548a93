#!/usr/bin/python3
# ask.py FILE <REQUEST: prints what the write, or else the close, and a read on the same
# open file give: "ok", or the name of the errno.
import errno
import os
import sys


def attempt(call, *args):
    try:
        call(*args)
        return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


request = sys.stdin.buffer.read()
fd = os.open(sys.argv[1], os.O_RDWR)
attempt(write_all, fd, request)
read = attempt(os.read, fd, 4096)
attempt(os.close, fd)

fd = os.open(sys.argv[1], os.O_WRONLY)
write = attempt(write_all, fd, request)
close = attempt(os.close, fd)
print(write if write != "ok" else close, read)
