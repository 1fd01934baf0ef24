-- longshore: loses longshore.audit
DROP TABLE longshore.audit;
