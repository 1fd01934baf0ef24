-- What attempts store with their job for later attempts: where they stand (step ''), and the result of each step that ran
-- once. A job that has a row here has a story, so claims look for rows of such jobs alone.
CREATE TABLE longshore.checkpoint (
    id bigint NOT NULL,
    step text COLLATE "C" NOT NULL,
    attempt integer NOT NULL,
    saved_at timestamptz NOT NULL,
    value json NOT NULL,
    PRIMARY KEY (id, step)
);

-- The content of the job is another one, so nothing of the old one is done.
ALTER FUNCTION longshore.replace_job(bigint, longshore.job, boolean) RENAME TO replace_content;
CREATE FUNCTION longshore.replace_job(holder bigint, body longshore.job, is_pushed_back boolean) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT longshore.replace_content(holder, body, is_pushed_back) THEN
        RETURN false;
    END IF;
    DELETE FROM longshore.checkpoint AS c
    WHERE c.id = holder;
    RETURN true;
END
$$;
