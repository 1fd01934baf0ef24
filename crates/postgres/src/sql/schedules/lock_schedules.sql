-- One process at a time applies schedules, and none is settled meanwhile.
LOCK TABLE longshore.schedule IN SHARE ROW EXCLUSIVE MODE
