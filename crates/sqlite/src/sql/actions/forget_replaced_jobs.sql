-- Records of the triggers from a statement that replaced nothing. They are not needed after the statement. A job that
-- is later deleted without triggers would be subtracted a second time because of them.
DELETE FROM job_replaced
