# Prints the value of one path of flattened JSON, decoded and without a line end; fails where there is none.

BEGIN { FS = "\t" }

$1 == path && !found {
    found = 1
    printf "%s", decode($2)
}

END { exit !found }
