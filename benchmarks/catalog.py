"""All benchmarks, in the order of the document."""

from benchmarks import costs, disk, end_to_end, freshness, generator, growing_history, ingest, model, overheads, page

BENCHMARKS = (
    ingest.BENCHMARK,
    end_to_end.BENCHMARK,
    growing_history.BENCHMARK,
    freshness.BENCHMARK,
    overheads.BENCHMARK,
    model.BENCHMARK,
    page.BENCHMARK,
    disk.BENCHMARK,
    generator.BENCHMARK,
    costs.BENCHMARK,
)
