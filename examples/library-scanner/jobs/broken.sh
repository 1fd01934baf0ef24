# Finds its payload invalid and says so itself, in place of an exit status that means something.
cat > /dev/null
echo '{"longshore": {"failure_type": "validation_error", "error_message": "the payload has no \"title\""}}'
exit 1
