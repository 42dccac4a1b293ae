-- What was read before has no digests: from the next batch on, its history is asked for.
alter table if exists raw.batches
    add column if not exists last_records STRUCT("partition" INTEGER, "offset" BIGINT, digest VARCHAR)[];
