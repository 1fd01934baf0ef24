-- Before a claim locks anything: whoever changes rules waits until it has ended, and it waits for him with empty hands.
LOCK TABLE ONLY longshore.running IN ROW EXCLUSIVE MODE
