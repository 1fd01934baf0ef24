SELECT to_regclass('longshore.longshore_move') IS NOT NULL
