# Fails with EX_NOPERM, which is not retried: the job becomes a dead letter at once.
echo 'the archive is locked, ask its keeper' >&2
exit 77
