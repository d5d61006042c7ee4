"""How fast FCS files are read, beside FlowIO and beside numpy alone, in the same run; some seconds.

    python -m benchmarks.reading [EVENTS]

The numbers that hold from machine to machine are the ratios. numpy alone is `fromfile` and one copy by blocks into
columns: what reading costs without any keyword.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import flowio
import numpy as np

from nktrace.files.fcs import read_fcs, write_fcs
from nktrace.model.events import Events

CHANNELS = 16
REPEATS = 7
BLOCK_EVENTS = 4096


def float_file(path: Path, events: int) -> Path:
    """A file of float32, as most instruments write."""
    values = np.random.default_rng(1).normal(1000, 300, (events, CHANNELS)).astype(np.float32)
    write_fcs(path, Events(np.asfortranarray(values), tuple(f"C{n}" for n in range(CHANNELS))))
    return path


def integer_file(path: Path, events: int) -> Path:
    """A file of 16-bit integers with a 32-bit Time, as FCS 3.0 instruments write."""
    record = np.dtype([(f"{n}", "<u4" if n == CHANNELS else "<u2") for n in range(1, CHANNELS + 1)])
    data = np.random.default_rng(1).integers(0, 256, events * record.itemsize, dtype=np.uint8).tobytes()
    pairs = {"$BYTEORD": "1,2,3,4", "$DATATYPE": "I", "$MODE": "L", "$NEXTDATA": "0"}
    pairs |= {"$PAR": f"{CHANNELS}", "$TOT": f"{events}"}
    for n in range(1, CHANNELS + 1):
        bits = record[n - 1].itemsize * 8
        pairs |= {f"$P{n}B": f"{bits}", f"$P{n}E": "0,0", f"$P{n}N": f"C{n}", f"$P{n}R": f"{2**bits}"}
    begin = 4096
    pairs |= {"$BEGINDATA": f"{begin}", "$ENDDATA": f"{begin + len(data) - 1}"}
    text = "|" + "".join(f"{name}|{value}|" for name, value in pairs.items())
    header = "FCS3.0    " + "".join(
        f"{offset:>8}" for offset in (58, 57 + len(text), begin, begin + len(data) - 1, 0, 0)
    )
    path.write_bytes((header + text).encode().ljust(begin) + data)
    return path


def numpy_alone(path: Path, record: np.dtype[np.void]) -> np.ndarray:
    """The columns as float32 by numpy, with place and type of DATA known beforehand."""
    fcs = read_fcs(path)
    records = np.fromfile(path, record, fcs.event_count, offset=fcs.layout.begin)
    values = np.empty((len(records), CHANNELS), np.float32, order="F")
    for begin in range(0, len(records), BLOCK_EVENTS):
        block = records[begin : begin + BLOCK_EVENTS]
        for index, name in enumerate(record.names or ()):
            values[begin : begin + BLOCK_EVENTS, index] = block[name]
    return values


def by_flowio(path: Path) -> np.ndarray:
    array: np.ndarray = flowio.FlowData(path).as_array()
    return array


def milliseconds(read: Callable[[], object], repeats: int) -> float:
    """Median over some runs after a first one that warms the cache."""
    read()
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        read()
        took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)


def main(events: int) -> None:
    print(f"{events:,} events x {CHANNELS}, median of {REPEATS}, ms\n")
    print(f"{'file':<28}{'nktrace':>9}{'FlowIO':>9}{'numpy':>9}{'FlowIO/nktrace':>16}{'nktrace/numpy':>15}")
    with tempfile.TemporaryDirectory() as directory:
        mixed = np.dtype([(f"{n}", "<u4" if n == CHANNELS else "<u2") for n in range(1, CHANNELS + 1)])
        floats = np.dtype([(f"{n}", "<f4") for n in range(1, CHANNELS + 1)])
        cases = [
            ("float32", float_file(Path(directory, "float.fcs"), events), floats),
            ("integers, 16 and 32 bits", integer_file(Path(directory, "integer.fcs"), events), mixed),
        ]
        for name, path, record in cases:
            if not np.array_equal(read_fcs(path).scale_values(np.float64).values, by_flowio(path)):
                raise SystemExit(f"{name}: FlowIO reads something else")
            ours = milliseconds(lambda path=path: read_fcs(path).scale_values(), REPEATS)  # type: ignore[misc]
            peer = milliseconds(lambda path=path: by_flowio(path), min(REPEATS, 3))  # type: ignore[misc]
            floor = milliseconds(lambda path=path, record=record: numpy_alone(path, record), REPEATS)  # type: ignore[misc]
            print(f"{name:<28}{ours:>9.1f}{peer:>9.1f}{floor:>9.1f}{peer / ours:>16.1f}{ours / floor:>15.2f}")
            header = milliseconds(lambda path=path: read_fcs(path, header_only=True), REPEATS)  # type: ignore[misc]
            print(f"{'  header only':<28}{header:>9.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
