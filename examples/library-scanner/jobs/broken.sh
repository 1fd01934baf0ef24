# Reports an invalid payload with a message, instead of with an exit status.
cat > /dev/null
echo '{"longshore": {"failure_type": "validation_error", "error_message": "the payload has no \"title\""}}'
exit 1
