#!/usr/bin/python3
"""Reads a file to its end as programs with an event loop do: asks poll(2), select(2) or
epoll(7) first, and never waits in read(2).

follow.py poll|select|epoll|epoll-edge FILE: prints what it reads, "not readable" and
"waits" where it has to wait for the first time, and at last "[end]".
"""

import os
import select
import sys


def poll(fd):
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return poller.poll


def select_one(fd):
    def wait(timeout=None):
        return select.select([fd], [], [], timeout)[0]
    return wait


def epoll(fd, flags=select.EPOLLIN):
    poller = select.epoll()
    poller.register(fd, flags)
    return poller.poll


def epoll_edge(fd):
    """Says once that there is something; then all of it is read."""
    return epoll(fd, select.EPOLLIN | select.EPOLLET)


METHODS = {"poll": poll, "select": select_one, "epoll": epoll, "epoll-edge": epoll_edge}


def say(text):
    os.write(sys.stdout.fileno(), text)


def read_all(fd):
    """Reads what there is. Returns whether there was something."""
    some = False
    while data := os.read(fd, 65536):
        say(data)
        some = True
    return some


def follow(method, path):
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    wait = METHODS[method](fd)
    if not wait(0):
        say(b"not readable\nwaits\n")
    # Readable with nothing to be read: that is the end.
    while wait(None) and read_all(fd):
        pass
    say(b"[end]\n")


follow(sys.argv[1], sys.argv[2])
