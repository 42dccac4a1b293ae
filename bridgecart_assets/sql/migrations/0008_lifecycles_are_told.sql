-- What the topic of segment changes has told so far says nothing of lifecycles.
alter table if exists gold.announced_segments add column if not exists lifecycle varchar;
alter table if exists gold.segment_changes add column if not exists from_lifecycle varchar;
alter table if exists gold.segment_changes add column if not exists to_lifecycle varchar;
