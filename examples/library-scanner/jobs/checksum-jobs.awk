# One checksum job for each name that is an argument, as NDJSON for `longshore enqueue --batch`.

BEGIN {
    json_string_init()
    for (i = 1; i < ARGC; i++) {
        if (!is_utf8(ARGV[i])) {
            printf "skipped, because its name is no UTF-8: %s\n", json_string(ARGV[i]) | "cat >&2"
            continue
        }
        printf "{\"job_type\": \"checksum\", \"job_data\": {\"scan\": %s, \"path\": %s}}\n", scan, json_string(ARGV[i])
    }
    exit
}
