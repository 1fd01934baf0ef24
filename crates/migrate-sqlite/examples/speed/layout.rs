/// A shape that directories of migrations have.
pub(crate) struct Layout {
    pub(crate) name: &'static str,
    /// How large it is, in a unit of its own.
    pub(crate) size: usize,
    /// The statements of each file.
    pub(crate) files: fn(size: usize) -> Vec<String>,
}

pub(crate) const ALL: [Layout; 6] = [
    Layout { name: "500 tables in 20 files", size: 500, files: |size| tables(size, 20) },
    Layout { name: "500 tables in 200 files", size: 500, files: |size| tables(size, 200) },
    Layout { name: "2,000 files, each a column, an index or a view", size: 2000, files: small_changes },
    Layout { name: "10,000 files, most of them of rows", size: 10_000, files: rows },
    Layout { name: "60 views in views", size: 60, files: views },
    Layout { name: "rows by the million", size: 1_000_000, files: bulk },
];

fn table(number: usize) -> String {
    let parent = number / 2;
    format!(
        "CREATE TABLE t{number} (id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT '', parent_id INTEGER REFERENCES t{parent},
         state TEXT CHECK (state IN ('new', 'done')), at TEXT DEFAULT CURRENT_TIMESTAMP);
         CREATE INDEX t{number}_by_name ON t{number} (name, at) WHERE state = 'new';"
    )
}

fn tables(count: usize, files: usize) -> Vec<String> {
    let numbers: Vec<usize> = (0..count).collect();
    numbers.chunks(count.div_ceil(files)).map(|chunk| chunk.iter().map(|number| table(*number)).collect()).collect()
}

fn small_changes(count: usize) -> Vec<String> {
    let tables = count / 8;
    let later = (tables..count).map(|file| {
        let table = file % tables;
        match file % 4 {
            0 => format!("ALTER TABLE t{table} ADD COLUMN c{file} TEXT;"),
            1 => format!("CREATE INDEX i{file} ON t{table} (state);"),
            2 => format!("CREATE VIEW v{file} AS SELECT id, name FROM t{table} WHERE state = \"new\";"),
            _ => format!("DROP VIEW IF EXISTS v{};", file - 1),
        }
    });
    (0..tables).map(table).chain(later).collect()
}

fn rows(count: usize) -> Vec<String> {
    let tables = count / 40;
    let later = (tables..count).map(|file| {
        let table = file % tables;
        match file % 20 {
            0 => format!("ALTER TABLE t{table} ADD COLUMN c{file} TEXT;"),
            1 => format!("UPDATE t{table} SET state = 'done' WHERE id < 10;"),
            _ => format!("INSERT INTO t{table} (name, state) VALUES ('row {file}', 'new');"),
        }
    });
    (0..tables).map(table).chain(later).collect()
}

fn views(count: usize) -> Vec<String> {
    let above = (1..count).map(|level| {
        let below = level - 1;
        format!("CREATE VIEW v{level} AS SELECT a.x FROM v{below} a JOIN v{below} b ON a.x = b.x;")
    });
    std::iter::once("CREATE TABLE v0 (x);".to_owned()).chain(above).collect()
}

fn bulk(count: usize) -> Vec<String> {
    vec![
        "CREATE TABLE a (i INTEGER, t TEXT);".to_owned(),
        format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
             INSERT INTO a SELECT i, 'row ' || i FROM n;"
        ),
        "CREATE INDEX a_t ON a (t);".to_owned(),
    ]
}
