import subprocess
import sys

# A failure keeps its frames, and what they hold, in a cycle; the answer that comes too late collects it.
LATE_ANSWER = """
import gc, time
from bridgecart_assets.sources.kafka import clients
from bridgecart_assets.sources.kafka import positions
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.errors import BrokerUnreachable

def collect_late(_future):
    time.sleep(0.2)
    gc.collect()

def answer(admin, future):
    future.add_done_callback(collect_late)
    return clients.answer(admin, future)

gc.disable()
positions.answer = answer
for _ in range(3):
    try:
        positions.topic_id(KafkaConnection("127.0.0.1:1", "orders", timeout_seconds=0.1))
    except BrokerUnreachable as error:
        cycle = [error]
        cycle.append(cycle)
        del cycle
    time.sleep(0.4)
print("alive")
"""


def test_a_late_answer_after_a_failure_does_not_abort_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", LATE_ANSWER], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
