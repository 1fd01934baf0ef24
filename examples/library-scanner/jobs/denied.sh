# Fails with EX_NOPERM, which no retry mends: it becomes a dead letter at once.
echo 'the archive is locked, ask its keeper' >&2
exit 77
