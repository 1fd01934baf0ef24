-- longshore: loses longshore.token
DROP TABLE longshore.token;
