-- The mapping that the batch is read by, word for word. One that no batch was read by any more is not kept.
-- needs: silver.mappings, silver.readings, $batch_key, $mapping, $mapping_text
-- gives: nothing
-- changes: silver.mappings

delete from silver.mappings
where mapping not in (select mapping from silver.readings where batch_key <> $batch_key and mapping is not null);

insert into silver.mappings
select $mapping, $mapping_text
where $mapping is not null and not exists (from silver.mappings where mapping = $mapping);
