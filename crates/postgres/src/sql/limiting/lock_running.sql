-- Waits for the claims that are under way. Those behind it know the new version before they take anything, because a
-- statement locks its tables before it takes its snapshot.
LOCK TABLE ONLY longshore.running IN SHARE ROW EXCLUSIVE MODE
