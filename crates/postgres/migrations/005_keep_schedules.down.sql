-- longshore: loses longshore.schedule, longshore.tick
DROP TABLE longshore.tick;
DROP TABLE longshore.schedule;
