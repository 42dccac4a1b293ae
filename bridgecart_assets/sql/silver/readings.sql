-- How the batch is read: what its rows depend on besides raw.
-- needs: $batch_key, $rules_version, $setting_names, $setting_values
-- gives: silver.readings

select
    $batch_key as batch_key,
    $rules_version as rules_version,
    map($setting_names::varchar[], $setting_values::varchar[]) as settings,
    null::varchar as mapping
