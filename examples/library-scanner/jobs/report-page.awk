# What a flattened page of `longshore jobs list --json` says of the checksum jobs of one scan, a line each:
#
#     line SHA256  /path     one of the manifest
#     failed JOB STATUS      a job that ended without a checksum
#     next CURSOR            there are more jobs that may belong to the scan
#
# A scan that was killed and retried has two batches. Jobs of the other one may not have ended; they are left out.

BEGIN { FS = "\t" }

match($1, /^\.jobs\[[0-9]+\]/) {
    field = substr($1, RLENGTH + 1)
    number = substr($1, 7, RLENGTH - 7) + 0
    if (field == ".id") { id[number] = $2; last = number; jobs = number + 1 }
    if (field == ".status") { status[number] = decode($2) }
    if (field == ".job_data.scan") { of_scan[number] = $2 }
    if (field == ".result.line") { line[number] = decode($2) }
}

$1 == ".next" && $2 != "null" { next_page = decode($2) }

END {
    for (number = 0; number < jobs; number++) {
        if (of_scan[number] != scan) { continue }
        if (status[number] == "completed") {
            print "line " line[number]
        } else if (status[number] == "cancelled" || status[number] == "dead_letter") {
            print "failed job " id[number] " " status[number]
        }
    }
    if (next_page != "" && id[last] + 0 > scan + 0) { print "next " next_page }
}
