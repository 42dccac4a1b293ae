"""`python -m benchmarks --quick | --full | --profile [NAME...]`: measure, print, store, write the document."""

import argparse
import signal
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import report, results
from benchmarks.benchmark import Benchmark, Scale
from benchmarks.catalog import BENCHMARKS
from benchmarks.measuring import alternate, run_child
from benchmarks.profiling import Profile, profiled, sampled
from benchmarks.results import ProfileResult, Result


def main() -> None:
    """Run the benchmarks of a scale, all or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    scale = parser.add_mutually_exclusive_group(required=True)
    scale.add_argument("--quick", dest="scale", action="store_const", const="quick", help="in less than five minutes")
    scale.add_argument("--full", dest="scale", action="store_const", const="full", help="the sizes of the targets")
    scale.add_argument("--profile", dest="scale", action="store_const", const=None, help="where their time goes")
    known = {benchmark.name: benchmark for benchmark in BENCHMARKS}
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(known)}")
    options = parser.parse_args()
    # Also where a shell had us ignore the one, or a time limit sends the other: children and folders are cleaned up.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    unknown = sorted(set(options.names) - known.keys())
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(known)}")
    for name in options.names or known:
        if options.scale is None:
            profile_and_store(known[name])
        else:
            measure_and_store(known[name], options.scale)
    report.write()


def measure_and_store(benchmark: Benchmark, scale: Scale) -> None:
    """Measure one benchmark, print its table, store its figures."""
    sizes = benchmark.sizes(scale)
    if sizes is None:
        return
    started = time.perf_counter()
    with TemporaryDirectory(prefix="bridgecart-benchmark-") as name:
        folder = Path(name)
        with benchmark.sides(sizes, folder) as sides:
            measured = alternate(sides, sizes["repeats"], folder)
    result = Result.of(benchmark, scale, sizes, measured)
    results.write(result)
    title = f"{benchmark.title} ({scale}, {time.perf_counter() - started:.0f} s)"
    lines = [title, "", *report.table(benchmark, result), *report.verdicts(benchmark, [result])]
    sys.stdout.write("\n".join([*lines, "", ""]))
    sys.stdout.flush()


def profile_and_store(benchmark: Benchmark) -> None:
    """Run the sides of which the document shows where their time goes, once each, and store that."""
    found = []
    for asked in benchmark.profiles:
        with TemporaryDirectory(prefix="bridgecart-benchmark-") as name:
            folder = Path(name)
            measured_in, sampled_in = folder / "measured", folder / "sampled"
            measured_in.mkdir()
            sampled_in.mkdir()
            with benchmark.sides({**benchmark.full, **asked.sizes}, folder) as sides:
                side = next(side for side in sides if side.name == asked.side)
                profile = Profile.of({**run_child(profiled(side), measured_in), "samples": sampled(side, sampled_in)})
        found.append(ProfileResult.of(benchmark, asked.side, profile))
        sys.stdout.write("\n".join([*report.profile_section(found[-1]), "", ""]))
        sys.stdout.flush()
    if found:
        results.write_profiles(benchmark, found)


if __name__ == "__main__":
    main()
