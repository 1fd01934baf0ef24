# Runs into its time limit of one second, and does not listen to SIGTERM either.
trap '' TERM
echo 'this will take a while'
while :; do sleep 1; done
