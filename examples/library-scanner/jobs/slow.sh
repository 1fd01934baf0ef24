# Runs longer than its timeout of one second, and ignores SIGTERM.
trap '' TERM
echo 'this will take a while'
while :; do sleep 1; done
