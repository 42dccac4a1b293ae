-- The records of the batch that its mapping leaves out, counted: BridgeCart's own event leaves out none.
-- needs: nothing
-- gives: skipped

create temp table skipped (batch_key varchar, "partition" integer, reason varchar, records bigint);
