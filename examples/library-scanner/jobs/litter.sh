# Completes and leaves processes behind, one of them in a session of its own: they are ended with it.
sleep 3600 &
if command -v setsid > /dev/null; then setsid sleep 3600 & fi
echo 'gone without cleaning up'
