"""Failures between BridgeCart and Kafka: one class per remedy, one line per message."""

from bridgecart_assets.base.errors import BridgeCartError


class KafkaFailure(BridgeCartError):
    """Base of all failures raised by this room; the message is one line and never holds a secret."""


class BrokerUnreachable(KafkaFailure):
    """No broker answered in time: a failed read, never an empty topic."""


class BrokerRefused(KafkaFailure):
    """A broker answered and refused: credentials, TLS or access rights."""


class ClusterUnsettled(KafkaFailure):
    """The cluster is electing a leader or a coordinator, which passes by itself."""


class InvalidClientProperty(KafkaFailure):
    """A client property has an unknown name or a value the client does not accept."""


class TopicNotFound(KafkaFailure):
    """The cluster does not have the topic (or hides it from this user)."""


class TopicWithoutId(KafkaFailure):
    """The broker gives topics no ids: one that was created again could not be told from the one before."""


class TopicAlreadyExists(KafkaFailure):
    """The topic to create is there already."""


class TopicReplaced(KafkaFailure):
    """The topic was deleted and created again: offsets of the old one mean nothing in the new one."""


class RecordsGone(KafkaFailure):
    """The broker no longer retains records of a slice that has to be read again."""


class RangeNotReadable(KafkaFailure):
    """The slice ends after the last record that can be read."""


class ReadStalled(KafkaFailure):
    """The broker serves nothing although the slice is not complete."""


class ProduceFailed(KafkaFailure):
    """At least one record was not acknowledged by the broker."""


class OffsetsWentBackwards(KafkaFailure):
    """The ledger is ahead of the topic although the topic id is the same."""


class HistoryRewritten(KafkaFailure):
    """The topic has other records where some were read already, although its id is the same."""


class OtherCluster(KafkaFailure):
    """A topic id that was read from one cluster is found in another."""


class DataLoss(KafkaFailure):
    """Retention removed records that no batch has read."""


class EmbeddedBrokerFailed(KafkaFailure):
    """The embedded broker could not be started."""
