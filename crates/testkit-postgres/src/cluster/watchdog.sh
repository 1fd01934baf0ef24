# Stops the shared server when no process has used it for half a minute. $1: server binaries, $2: folder.
exec 9<"$2/watchdog"
flock -w 10 9 || exit 1
idle=0
while "$1/pg_ctl" status -D "$2/data" >/dev/null 2>&1; do
    # The lock must end with this script, not with its last sleep.
    sleep 3 9<&-
    if ! flock -n "$2/users" true 9<&-; then
        idle=0
        continue
    fi
    idle=$((idle + 1))
    [ "$idle" -ge 10 ] || continue
    # A process that enters holds this lock until it is counted as a user.
    exec 8<"$2/lock"
    flock 8
    if flock -n "$2/users" true 8<&- 9<&-; then
        "$1/pg_ctl" stop -D "$2/data" -w -t 60 -m immediate 8<&- 9<&-
        rm -rf "$2"
        exit 0
    fi
    exec 8<&-
    idle=0
done
