# Writes far more than a log keeps, and fails. The head, the tail and the last error lines are kept.
awk 'BEGIN { for (i = 1; i <= 20000; i++) print "page " i " of 20000: nothing remarkable" }'
echo 'page 20000 was torn' >&2
exit 1
