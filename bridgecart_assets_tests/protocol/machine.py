"""The state machine: what may happen to the batch protocol, in any order, and what must hold all the same."""

import inspect
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from dagster import DagsterRunStatus
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.orchestration.jobs import SILVER_BATCH
from bridgecart_assets.orchestration.runs import SUBMISSION
from bridgecart_assets.orchestration.sensors import BatchStuck
from bridgecart_assets.sources.kafka.errors import DataLoss, HistoryRewritten, OffsetsWentBackwards
from bridgecart_assets_tests.protocol.fakes import Cluster, Instance, Log, Store
from bridgecart_assets_tests.protocol.world import (
    BATCHES_IN_VAIN,
    RAW,
    WAITS,
    Clock,
    ProtocolBroken,
    Steps,
    World,
    command,
    retained,
    tick,
)

PARTITIONS = st.integers(0, 3)
ANY = st.integers(0, 7)
SOME = st.integers(1, 6)
STEPS_OF_A_RUN = 400
# A person has to decide: nothing is read until then.
STOPS = (DataLoss, HistoryRewritten, OffsetsWentBackwards)


class BatchMachine(RuleBasedStateMachine):
    """Producers, sensor daemon, runs, `bridgecart run`, people and misfortune, at one topic and one warehouse."""

    fail_on_data_loss: bool = True
    histories_are_rewritten: bool = False

    @initialize(partitions=st.integers(1, 2), records=st.integers(0, 6), removed=st.integers(0, 3))
    def begin(self, partitions, records, removed):
        cluster = Cluster([])
        cluster.create_topic(partitions)
        cluster.topic.produce(0, records)
        cluster.topic.logs[0].low = min(removed, records)
        self.world = World(cluster, self.fail_on_data_loss)
        Clock.told = datetime(2026, 1, 31, 7, 5, 10, tzinfo=UTC)
        self.tick: Steps | None = None
        self.command: Steps | None = None
        self.copy = self.world.store.tables, self.world.store.exists, dict(self.world.promised_from)

    # The topic

    @rule(partition=PARTITIONS, records=SOME)
    def produce(self, partition, records):
        topic = self.world.cluster.topic
        topic.produce(partition % len(topic.logs), records)

    @rule(partition=PARTITIONS, records=SOME)
    def retention_removes_records(self, partition, records):
        logs = self.world.cluster.topic.logs
        log = logs[partition % len(logs)]
        log.low = min(log.low + records, log.high)

    @rule()
    def retention_removes_what_was_read(self):
        topic = self.world.cluster.topic
        for partition, end in self.world.store.tables.ledger.committed(topic.topic_id).items():
            log = topic.logs[partition]
            log.low = max(log.low, min(end, log.high))

    @precondition(lambda self: len(self.world.cluster.topic.logs) < 4)
    @rule()
    def add_a_partition(self):
        logs = self.world.cluster.topic.logs
        logs.append(Log())

    @precondition(lambda self: len(self.world.cluster.incarnations) < 4)
    @rule(partitions=st.integers(1, 2), records=st.integers(0, 9))
    def delete_the_topic_and_create_it_again(self, partitions, records):
        self.world.cluster.create_topic(partitions)
        self.world.cluster.topic.produce(0, records)

    @precondition(lambda self: self.histories_are_rewritten)
    @rule(partition=PARTITIONS, lost=SOME, records=st.integers(0, 9))
    def the_history_is_rewritten(self, partition, lost, records):
        topic = self.world.cluster.topic
        topic.logs[partition % len(topic.logs)].rewrite(lost)
        topic.produce(partition % len(topic.logs), records)

    @rule(questions=st.integers(1, 3))
    def the_broker_is_away(self, questions):
        self.world.cluster.unanswered = questions

    @rule(offsets=st.dictionaries(PARTITIONS, ANY))
    def the_group_is_lost_or_set_by_a_foreigner(self, offsets):
        self.world.cluster.group = offsets

    # The daemon

    @rule()
    def daemon_takes_a_step(self):
        if self.tick is None:
            self.tick = tick(self.world)
        self.tick = None if _work(self.tick, 1) else self.tick

    @rule()
    def daemon_ticks(self):
        _outcome(self.tick or tick(self.world))
        self.tick = None

    @rule()
    def daemon_is_killed(self):
        if self.tick:
            self.tick.close()
        self.tick = None

    # Runs

    @rule(which=ANY, steps=SOME)
    def run_takes_steps(self, which, steps):
        self._work_on(self._chosen_run(which), steps)

    @rule(which=ANY)
    def run_works_on(self, which):
        self._work_on(self._chosen_run(which))

    @rule(which=ANY)
    def run_is_killed(self, which):
        self._kill_run(self._chosen_run(which))

    @rule()
    def daemon_ticks_and_runs_work(self):
        self.daemon_ticks()
        for run in list(self.world.working):
            self._work_on(run)

    @rule(steps=st.integers(1, 16), loses=st.sampled_from(["nothing", "nothing", "Dagster's home"]))
    def daemon_ticks_and_its_run_is_killed(self, steps, loses):
        self.daemon_ticks()
        for run in list(self.world.working):
            self._work_on(run, steps)
            self._kill_run(run)
        if loses == "Dagster's home":
            self.the_dagster_instance_is_lost()

    # People

    @rule(steps=SOME)
    def command_takes_steps(self, steps):
        self._command_goes_on(steps)

    @rule()
    def command_works_on(self):
        self._command_goes_on(STEPS_OF_A_RUN)

    @precondition(lambda self: not (self.tick or self.command or self.world.working))
    @rule(command=st.integers(5, 7), run=st.integers(1, 5))
    def command_overtakes_a_slow_daemon(self, command, run):
        """Both give a key to what has arrived; neither knows of the other's."""
        self.produce(0, 2)
        self.daemon_takes_a_step()
        self.time_goes_by(2)
        self._command_goes_on(command)
        self.daemon_ticks()
        for launched in list(self.world.working):
            self._work_on(launched, run)

    @rule()
    def command_is_killed(self):
        if self.command:
            self.command.close()
        self.command = None

    @precondition(lambda self: self.world.instance.keys)
    @rule(which=ANY, assets=st.sampled_from([None, None, frozenset({RAW}), SILVER_BATCH, SILVER_BATCH | {RAW}]))
    def a_person_materializes_a_batch(self, which, assets):
        keys = self.world.instance.keys
        key = keys[-1 - which % len(keys)]
        if assets == SILVER_BATCH and key not in self.world.store.tables.plans:
            # Dagster's UI offers it, but silver without raw is a mistake no protocol can mend.
            return
        self.world.queue(self.world.launch(key, job="__ASSET_JOB" if assets else "orders_batch", selection=assets))

    # Misfortune

    @rule(by=st.sampled_from([-100_000, -60, -1, 0, 1, 60]))
    def the_clock_is_set(self, by):
        Clock.told = Clock.told + timedelta(minutes=by)

    @rule(seconds=st.integers(0, 600))
    def time_goes_by(self, seconds):
        Clock.told = Clock.told + timedelta(seconds=seconds)

    @rule()
    def the_power_is_cut(self):
        self.daemon_is_killed()
        self.command_is_killed()
        for run in list(self.world.working):
            self._kill_run(run)

    @rule()
    def the_dagster_instance_is_lost(self):
        self.the_power_is_cut()
        self.world.working.clear()
        self.world.instance = Instance(Clock)

    @rule()
    def the_warehouse_is_lost(self):
        self.the_power_is_cut()
        self.world.store, self.world.promised_from = Store(), {}

    @rule()
    def the_warehouse_is_copied(self):
        if self.world.store.writer is None:
            self.copy = self.world.store.tables, self.world.store.exists, dict(self.world.promised_from)

    @rule()
    def the_copy_is_put_back(self):
        self.the_warehouse_is_lost()
        self.world.store.tables, self.world.store.exists, promised_from = self.copy
        self.world.promised_from = dict(promised_from)

    @rule(what=st.sampled_from(["retention", "all retention", "new topic", "new partition", "runs", "command"]))
    def something_happens_right_after_the_next_look_at_the_topic(self, what):
        happens: dict[str, Callable[[], object]] = {
            "retention": self.retention_removes_what_was_read,
            "all retention": lambda: [self.retention_removes_records(partition, 9) for partition in range(4)],
            "new topic": lambda: self.delete_the_topic_and_create_it_again(1, 2),
            "new partition": self.add_a_partition,
            "runs": lambda: [self.produce(0, 1), *(self._work_on(run) for run in list(self.world.working))],
            "command": lambda: [self.produce(0, 1), self.command_works_on()],
        }
        self.world.cluster.meanwhile = happens[what]

    @precondition(lambda self: self.histories_are_rewritten and not (self.tick or self.command or self.world.working))
    @rule(steps=SOME, lost=SOME, records=st.integers(0, 3))
    def the_history_is_rewritten_while_a_run_works(self, steps, lost, records):
        self.produce(0, 2)
        self.time_goes_by(60)
        self.daemon_ticks()
        for run in list(self.world.working):
            self._work_on(run, steps)
        self.the_history_is_rewritten(0, lost, lost + records)
        for run in list(self.world.working):
            self._work_on(run)

    # What must hold

    @invariant()
    def every_record_is_in_one_batch_at_most_and_what_was_read_has_no_gap(self):
        if hasattr(self, "world"):
            check_tables(self.world)

    def teardown(self):
        if hasattr(self, "world"):
            self._drain()

    def _drain(self):
        """Nothing goes wrong any more: after a few ticks everything that can be read is in a batch, raw and silver."""
        world = self.world
        world.cluster.unanswered, world.cluster.meanwhile = 0, None
        self._let_finish()
        quiet = 0
        for _ in range(BATCHES_IN_VAIN + retained(world.cluster.topic.state())):
            Clock.told = Clock.told + self._pause()
            before = len(world.instance.runs)
            try:
                list(tick(world))
            except STOPS:
                return
            except BatchStuck:
                # What the error says to do.
                if isinstance(_outcome(command(world)), STOPS):
                    return
            self._let_finish()
            check_tables(world)
            # Two ticks may be spent on finding out that a run is dead.
            quiet = quiet + 1 if len(world.instance.runs) == before else 0
            if quiet == 3:
                check_complete(world)
                return
        raise ProtocolBroken("the sensor asks for batches without end")

    def _pause(self):
        # A daemon that is back goes on with the tick it was killed in. Here it never does, and the sensor has to
        # find out by itself that a run which was created is never going to be queued.
        created = [run for run in self.world.instance.runs if run.status == DagsterRunStatus.NOT_STARTED]
        return SUBMISSION + timedelta(minutes=10) if created else timedelta(minutes=10)

    def _let_finish(self):
        if self.tick:
            _outcome(self.tick)
        self.tick = None
        for _ in range(STEPS_OF_A_RUN):
            for run in list(self.world.working):
                self._work_on(run)
            if self.command and _work(self.command):
                self.command = None
            if not self.world.working and self.command is None:
                return
        raise ProtocolBroken("runs wait for each other")

    def _command_goes_on(self, steps):
        self.command = self.command or command(self.world)
        self.command = None if _work(self.command, steps) else self.command

    def _chosen_run(self, which):
        working = list(self.world.working)
        return working[which % len(working)] if working else None

    def _work_on(self, run, steps=STEPS_OF_A_RUN):
        if run in self.world.working and _work(self.world.working[run], steps):
            del self.world.working[run]

    def _kill_run(self, run):
        # What is queued outlives every process.
        if run in self.world.working and run.status != DagsterRunStatus.QUEUED:
            self.world.working.pop(run).close()


def check_tables(world):
    """What holds at every moment: each record in one batch at most, itself; nothing left out of what was read."""
    tables = world.store.tables
    if tables.raw.keys() != tables.plans.keys():
        raise ProtocolBroken(f"rows without a ledger row, or without rows: {tables.raw.keys() ^ tables.plans.keys()}")
    produced = {topic.topic_id: topic.logs for topic in world.cluster.incarnations}
    rows = [row for batch in tables.raw.values() for row in batch]
    for row in rows:
        if not produced[row.topic_id][row.partition].had(row.offset, row.payload):
            raise ProtocolBroken(f"another record stands at the place of {row}")
    holes = [
        (plan.topic_id, partition, offset)
        for plan in tables.plans.values()
        for partition, span in plan.lost.items()
        for offset in range(span.start, span.end)
    ]
    for topic_id, partition, offset in holes:
        if offset >= produced[topic_id][partition].low:
            raise ProtocolBroken(f"offset {offset} of partition {partition} of {topic_id} is called lost and is not")
    times = Counter([(row.topic_id, row.partition, row.offset) for row in rows] + holes)
    for topic_id, partition, offset in [*times, *_read_so_far(world)]:
        if times[topic_id, partition, offset] != 1:
            batches = times[topic_id, partition, offset]
            raise ProtocolBroken(f"offset {offset} of partition {partition} of {topic_id} is in {batches} batches")


def _read_so_far(world):
    return [
        (topic_id, partition, offset)
        for topic_id, ends in world.store.tables.ledger.ends.items()
        for partition, end in ends.items()
        for offset in range(world.promised_from.get((topic_id, partition), 0), end)
    ]


def check_complete(world):
    """What holds once the sensor says that every record is in a batch."""
    tables, topic = world.store.tables, world.cluster.topic
    committed = tables.ledger.committed(topic.topic_id)
    read = {(row.topic_id, row.partition, row.payload) for rows in tables.raw.values() for row in rows}
    for partition, log in enumerate(topic.logs):
        held = log.payloads[max(log.low, world.promised_from.get((topic.topic_id, partition), 0)) :]
        missing = [payload for payload in held if (topic.topic_id, partition, payload) not in read]
        if missing:
            raise ProtocolBroken(f"in no batch, though its place is: {missing}")
        if committed.get(partition, 0 if committed else log.low) != log.high:
            raise ProtocolBroken(f"partition {partition} is read up to {committed.get(partition)} of {log.high}")
    for key, rows in tables.raw.items():
        if tables.silver.get(key, ()) != rows:
            raise ProtocolBroken(f"batch {key} stands in raw, but not in silver")


def _work(process: Steps, steps: int = STEPS_OF_A_RUN) -> bool:
    """Let it go on by some steps or to where it waits for another; whether it has ended, be it by an error."""
    if inspect.getgeneratorstate(process) == inspect.GEN_RUNNING:
        return False
    try:
        for _, step in zip(range(steps), process, strict=False):
            if step == WAITS:
                return False
    except BridgeCartError:
        return True
    return inspect.getgeneratorstate(process) == inspect.GEN_CLOSED


def _outcome(process: Steps) -> BridgeCartError | None:
    """What it ends with."""
    try:
        for _ in process:
            pass
    except BridgeCartError as error:
        return error
    return None
