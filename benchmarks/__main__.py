"""`python -m benchmarks [--quick | --full | --profile] [NAME...]`: measure, print, store, write the document."""

import argparse
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import report
from benchmarks.benchmark import Benchmark, Scale
from benchmarks.measuring import ChildFailed, alternate
from benchmarks.profiling import profile
from benchmarks.results import Result, origin


def main() -> None:
    """Run the benchmarks of a scale, all or those that are named; one that cannot be prepared leaves the others."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    scale = parser.add_mutually_exclusive_group()
    for name, says in (
        ("quick", "in less than five minutes, the default"),
        ("full", "the sizes of the targets"),
        ("profile", "which statements take long, only printed"),
    ):
        scale.add_argument(f"--{name}", dest="scale", action="store_const", const=name, default="quick", help=says)
    known = {benchmark.name: benchmark for benchmark in report.BENCHMARKS}
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(known)}")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - known.keys())
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(known)}")
    # Also where a shell had us ignore the one, or a time limit sends the other: children and folders are cleaned up.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    failed = False
    for name in options.names or known:
        try:
            if options.scale == "profile":
                print_profile(known[name])
            else:
                measure_and_store(known[name], options.scale)
        except ChildFailed as failure:
            failed = True
            sys.stderr.write(f"{name}: {failure}\n")
    sys.exit(int(failed))


def measure_and_store(benchmark: Benchmark, scale: Scale) -> None:
    """Measure one benchmark, print its table, store its figures, write the document anew."""
    sizes = benchmark.full if scale == "full" else benchmark.quick
    if sizes is None:
        return
    with TemporaryDirectory(prefix="bridgecart-benchmark-") as name, benchmark.sides(sizes, Path(name)) as sides:
        rounds, failures = alternate(sides, sizes["repeats"], Path(name))
    result = Result(benchmark=benchmark.name, scale=scale, sizes=sizes, rounds=rounds, failures=failures, **origin())
    result.write()
    report.write()
    for row in ((benchmark.name, scale), *report.table(benchmark, result)):
        sys.stdout.write(f"{' | '.join(row)}\n")


def print_profile(benchmark: Benchmark) -> None:
    """Run the sides whose time is worth a look, once each, and print where it goes."""
    for asked, sizes in benchmark.profiled.items():
        with TemporaryDirectory(prefix="bridgecart-benchmark-") as name:
            folder = Path(name)
            with benchmark.sides({**benchmark.full, **sizes}, folder) as sides:
                (side,) = [side for side in sides if side.name == asked]
                sys.stdout.write("\n".join([f"{benchmark.name}: {asked}", *profile(side, folder / "data"), ""]))


if __name__ == "__main__":
    main()
