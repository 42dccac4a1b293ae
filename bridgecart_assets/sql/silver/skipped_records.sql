-- How many records of the batch its mapping leaves out.
-- needs: skipped
-- gives: silver.skipped_records

select * from skipped
