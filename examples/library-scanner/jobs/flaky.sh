# Fails twice with EX_TEMPFAIL and succeeds at the third attempt.
if [ "$LONGSHORE_ATTEMPT" -lt 3 ]; then
    echo "the library does not answer (attempt $LONGSHORE_ATTEMPT)" >&2
    exit 75
fi
echo '{"longshore": {"result": {"answered_at_attempt": 3}}}'
