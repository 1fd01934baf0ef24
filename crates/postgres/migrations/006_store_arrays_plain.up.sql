-- What is deleted soon is not worth the time to compress it.
ALTER TABLE longshore.claim SET (toast_tuple_target = 8160);
ALTER TABLE longshore.claim ALTER COLUMN ids SET STORAGE EXTERNAL;
ALTER TABLE longshore.started SET (toast_tuple_target = 8160);
ALTER TABLE longshore.started ALTER COLUMN slots SET STORAGE EXTERNAL;
ALTER TABLE longshore.started ALTER COLUMN ids SET STORAGE EXTERNAL;
ALTER TABLE longshore.started ALTER COLUMN claim_numbers SET STORAGE EXTERNAL;
ALTER TABLE longshore.started ALTER COLUMN are_accompanied SET STORAGE EXTERNAL;
