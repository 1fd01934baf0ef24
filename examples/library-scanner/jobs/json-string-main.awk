BEGIN {
    json_string_init()
    printf "%s", json_string(ARGV[1])
    exit
}
