"""Writes the rows of a Parquet file as pyarrow does, several times; prints the median time.

Arguments: the file, the file to write, how often.
"""

import json
import os
import statistics
import sys
import time

import pyarrow.parquet as pq

source, target, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
rows = pq.read_table(source)


def write():
    started = time.perf_counter()
    pq.write_table(rows, target, compression="zstd")
    with open(target, "rb") as written:
        os.fsync(written.fileno())
    return time.perf_counter() - started


write()
seconds = statistics.median(write() for _ in range(rounds))
print(json.dumps({"seconds": seconds, "bytes": os.path.getsize(target)}))
