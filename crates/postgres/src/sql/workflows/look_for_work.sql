-- Whether there are hints behind number $1, or dependencies whose time has passed.
SELECT EXISTS (SELECT FROM longshore.unsettled WHERE number > $1)
       OR EXISTS (SELECT FROM longshore.dependency WHERE state = 'waiting' AND timeout_at <= longshore.now())
