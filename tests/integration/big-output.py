#!/usr/bin/python3
"""Writes much, fast: 1 GiB in blocks that all differ and hold any byte, the same bytes
each time."""

import random
import sys

BLOCK = 1 << 20
N_BLOCKS = 1 << 10

noise = random.Random(1).randbytes(BLOCK - 16)
for number in range(N_BLOCKS):
    sys.stdout.buffer.write(b"%015d\n" % number)
    sys.stdout.buffer.write(noise)
