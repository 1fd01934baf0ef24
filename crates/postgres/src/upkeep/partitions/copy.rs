use futures_util::{SinkExt, TryStreamExt, pin_mut};
use postgres_types::Type;

use crate::session::columns::Columns;
use crate::session::fault::Fault;
use crate::session::sql::{in_schema, sql};
use crate::session::statements::Session;
use crate::upkeep::partitions::layout::Leaf;

/// How many jobs are copied at once: their rows are in memory meanwhile.
const JOBS_MAX: usize = 500;

/// A new table that will be a partition, and how it is filled.
pub(super) struct Copy {
    table: &'static str,
    /// With its schema.
    name: String,
    /// As SQL.
    columns: String,
}

impl Copy {
    /// Makes the table. It stores rows as an old partition does, and shows that it has no rows beyond its bounds, so that
    /// nobody has to look when it becomes a partition.
    pub(super) async fn prepare(session: &Session, table: &'static str, old: &Leaf, new: &Leaf) -> Result<Self, Fault> {
        let in_schema = |text: &str| in_schema(text, session.schema()).into_owned();
        let (parent, old) =
            (in_schema(&format!("longshore.{table}")), in_schema(&format!("longshore.{}", old.name(table))));
        let rows =
            session.query(sql!("partitions/select_columns"), &[(&parent, Type::TEXT), (&old, Type::TEXT)]).await?;
        let fields = &mut Columns::of(rows.first().expect("the table is there"));
        let columns: String = fields.read()?;
        let (owner, storage): (Option<String>, Option<String>) = (fields.read()?, fields.read()?);
        let name = in_schema(&format!("longshore.{}", new.name(table)));
        let bounds = [(new.low, ">=", i64::MIN), (new.high, "<", i64::MAX)];
        let bounds: Vec<String> = bounds
            .iter()
            .filter(|(id, _, open)| id != open)
            .map(|(id, operator, _)| format!("id {operator} '{id}'::bigint"))
            .collect();
        let storage = storage.filter(|storage| !storage.is_empty());
        let mut ddl = format!(
            "CREATE TABLE {name} (LIKE {parent} INCLUDING ALL, CONSTRAINT bounds CHECK ({})){}",
            bounds.join(" AND "),
            storage.map_or_else(String::new, |storage| format!(" WITH ({storage})"))
        );
        if let Some(owner) = owner {
            ddl += &format!("; ALTER TABLE {name} OWNER TO {owner}");
        }
        session.client.batch_execute(&ddl).await?;
        Ok(Self { table, name, columns })
    }

    /// Copies the rows of these jobs.
    pub(super) async fn run(&self, session: &Session, sources: &[&Leaf], ids: &[i64]) -> Result<(), Fault> {
        for source in sources {
            let from = in_schema(&format!("longshore.{}", source.name(self.table)), session.schema()).into_owned();
            let any = session.client.query_typed(&format!("SELECT FROM {from} LIMIT 1"), &[]).await?;
            if any.is_empty() {
                continue;
            }
            let ids = ids.iter().filter(|id| (source.low..source.high).contains(id)).collect::<Vec<_>>();
            for some in ids.chunks(JOBS_MAX) {
                let ids = some.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
                let select = format!("SELECT {} FROM {from} WHERE id = ANY ('{{{ids}}}'::bigint[])", self.columns);
                self.copy(session, &select).await?;
            }
        }
        Ok(())
    }

    async fn copy(&self, session: &Session, select: &str) -> Result<(), Fault> {
        let Self { name, columns, .. } = self;
        if session.is_pooled() {
            // COPY needs a named statement. So these rows are new to a snapshot from before.
            session.client.batch_execute(&format!("INSERT INTO {name} ({columns}) {select}")).await?;
            return Ok(());
        }
        let rows = session.client.copy_out(&format!("COPY ({select}) TO STDOUT (FORMAT binary)")).await?;
        let rows: Vec<_> = rows.try_collect().await?;
        let target = format!("COPY {name} ({columns}) FROM STDIN (FORMAT binary, FREEZE true)");
        let sink = session.client.copy_in(&target).await?;
        pin_mut!(sink);
        for part in rows {
            sink.feed(part).await?;
        }
        sink.finish().await?;
        Ok(())
    }
}
