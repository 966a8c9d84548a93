#!/usr/bin/python3
"""Many readers of one file at once: crowd.py N FILE

Says "all read" once each of them has got something, and at the end how many there were,
each with the md5 of what it got.
"""

import collections
import hashlib
import os
import resource
import sys
import threading

STACK_SIZE = 128 << 10


class Crowd:
    def __init__(self, n_readers, path):
        self.path = path
        self.barrier = threading.Barrier(n_readers, action=self.say_all_read)
        self.sums = collections.Counter()
        self.threads = [threading.Thread(target=self.read) for _ in range(n_readers)]

    def say_all_read(self):
        print("all read", flush=True)

    def read(self):
        fd = os.open(self.path, os.O_RDONLY)
        md5 = hashlib.md5()
        data = os.read(fd, 65536)
        self.barrier.wait()
        while data:
            md5.update(data)
            data = os.read(fd, 65536)
        os.close(fd)
        self.sums[md5.hexdigest()] += 1

    def run(self):
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join()
        for md5, n in self.sums.items():
            print(n, md5)


limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
threading.stack_size(STACK_SIZE)
Crowd(int(sys.argv[1]), sys.argv[2]).run()
