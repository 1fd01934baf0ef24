use crate::{
    schema::{ObjectKind, ObjectName},
    target::{Definition, Session, TargetError},
};

/// Views and triggers of the application, wherever they are: SQLite reads each of them when a table is renamed, and
/// stops at one over a table that is not there just then.
#[derive(Debug)]
pub(super) struct Outside {
    definitions: Vec<Definition>,
}

impl Outside {
    /// Puts all of them aside; those on `tables` are made again by other means, or they go.
    pub(super) fn put_aside(session: &mut dyn Session, tables: &[String]) -> Result<Self, TargetError> {
        let mut definitions = session.definitions()?;
        definitions.retain(|one| matches!(one.object.kind, ObjectKind::View | ObjectKind::Trigger));
        // Triggers first: those on a view go with it.
        definitions.sort_by_key(|one| one.object.kind == ObjectKind::View);
        for Definition { object, .. } in &definitions {
            session.execute(&format!("DROP {} \"{}\"", object.kind.word(), object.name.replace('"', "\"\"")))?;
        }
        definitions.retain(|one| tables.iter().all(|own| own != one.object.owner()));
        Ok(Self { definitions })
    }

    /// Makes again whatever is not there now. An error undoes the adoption.
    pub(super) fn put_back(self, session: &mut dyn Session) -> Result<(), TargetError> {
        let there: Vec<ObjectName> = session.definitions()?.into_iter().map(|one| one.object).collect();
        let missing = self.definitions.iter().rev().filter(|one| !there.contains(&one.object));
        missing.map(|one| session.execute(&one.sql)).try_for_each(|made| made.map(|_| ()))
    }
}
