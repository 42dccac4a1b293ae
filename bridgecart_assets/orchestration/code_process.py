"""The process of the code server: what `dagster api grpc` does, but for the processes of runs.

Started by `code_server` as `python -m`, with the workspace file that tells others where it is.
"""

import json
import logging
import sys
import threading
from pathlib import Path
from typing import Any

from bridgecart_assets.orchestration.location import LOCATION, MODULE
from bridgecart_assets.orchestration.run_processes import run_processes
from bridgecart_assets.orchestration.storage.dagster_internals import (
    DagsterApiServer,
    DagsterGrpcServer,
    FuturesAwareThreadPoolExecutor,
    LoadableTargetOrigin,
    configure_loggers,
    get_python_environment_entry_point,
    setup_interrupt_handlers,
)


class _CodeServer(DagsterApiServer):
    """Dagster's, with processes of runs as `run_processes` makes them."""

    def __init__(self, folder: Path, logger: logging.Logger, **options: Any) -> None:
        # Before the definitions are loaded here: the fork server loads them at the same time.
        processes = run_processes(folder, logger)
        super().__init__(logger=logger, **options)
        self._mp_ctx = processes  # type: ignore[assignment]


def serve(workspace: Path) -> None:
    """Serve the definitions at the place that the workspace file names, until interrupted."""
    setup_interrupt_handlers()
    configure_loggers(formatter="colored", log_level="INFO")
    logger = logging.getLogger("dagster.code_server")
    (location,) = json.loads(workspace.read_text(encoding="utf-8"))["load_from"]
    place = location["grpc_server"]
    del place["location_name"]
    is_to_end, threads = threading.Event(), FuturesAwareThreadPoolExecutor()
    servicer = _CodeServer(
        workspace.parent,
        logger,
        server_termination_event=is_to_end,
        server_threadpool_executor=threads,
        loadable_target_origin=LoadableTargetOrigin(
            executable_path=sys.executable, module_name=MODULE, working_directory=str(Path.cwd())
        ),
        entry_point=get_python_environment_entry_point(sys.executable),
        location_name=LOCATION,
    )
    server = DagsterGrpcServer(
        server_termination_event=is_to_end,
        dagster_api_servicer=servicer,
        logger=logger,
        threadpool_executor=threads,
        **place,
    )
    logger.info("Started Dagster's code server")
    try:
        server.serve()  # type: ignore[no-untyped-call]
    except KeyboardInterrupt:
        logger.info("The code server was interrupted")


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
