-- How the batch is read: what its rows depend on besides raw.
-- needs: $batch_key, $rules_version, $setting_names, $setting_values, $mapping
-- gives: silver.readings
-- through: silver/mappings

select
    $batch_key as batch_key,
    $rules_version as rules_version,
    map($setting_names::varchar[], $setting_values::varchar[]) as settings,
    $mapping::varchar as mapping
