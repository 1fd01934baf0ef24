# Completes and leaves processes behind, one of them in its own session. The worker ends them too.
sleep 3600 &
if command -v setsid > /dev/null; then setsid sleep 3600 & fi
echo 'gone without cleaning up'
