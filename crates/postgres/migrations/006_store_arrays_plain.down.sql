ALTER TABLE longshore.started ALTER COLUMN are_accompanied SET STORAGE EXTENDED;
ALTER TABLE longshore.started ALTER COLUMN claim_numbers SET STORAGE EXTENDED;
ALTER TABLE longshore.started ALTER COLUMN ids SET STORAGE EXTENDED;
ALTER TABLE longshore.started ALTER COLUMN slots SET STORAGE EXTENDED;
ALTER TABLE longshore.started RESET (toast_tuple_target);
ALTER TABLE longshore.claim ALTER COLUMN ids SET STORAGE EXTENDED;
ALTER TABLE longshore.claim RESET (toast_tuple_target);
