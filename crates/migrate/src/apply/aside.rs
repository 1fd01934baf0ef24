//! Puts what no migration made out of the way of a table rebuild, and back again.

use super::Order;
use crate::{
    schema::{ObjectKind, ObjectName, Schema},
    target::{Definition, Target, TargetError},
};

/// Views, triggers and indexes that no migration made. A view or trigger over a table that is being replaced stops the
/// rename, and an index goes with the old table; the runner owes their owners that they are there afterwards.
#[derive(Debug)]
pub struct Aside {
    definitions: Vec<Definition>,
}

impl Aside {
    /// Drops foreign views and triggers, and remembers them with the foreign indexes.
    pub(super) fn put(target: &mut dyn Target, before: &Schema, order: &Order<'_>) -> Result<Self, TargetError> {
        let is_known = |object: &ObjectName| before.contains(object) || !order.chain.touching(object).is_empty();
        Self::put_unknown(target, &is_known)
    }

    /// The same for a rebuild that is no migration: everything is put back.
    pub fn put_all(target: &mut dyn Target) -> Result<Self, TargetError> {
        Self::put_unknown(target, &|_| false)
    }

    fn put_unknown(target: &mut dyn Target, is_known: &dyn Fn(&ObjectName) -> bool) -> Result<Self, TargetError> {
        let is_movable = |kind| matches!(kind, ObjectKind::View | ObjectKind::Trigger | ObjectKind::Index);
        let mut definitions = target.definitions()?;
        definitions.retain(|definition| is_movable(definition.object.kind) && !is_known(&definition.object));
        // Triggers first: those on a view go with it.
        let mut drops: Vec<&ObjectName> = definitions.iter().map(|definition| &definition.object).collect();
        drops.retain(|object| object.kind != ObjectKind::Index);
        drops.sort_by_key(|object| object.kind == ObjectKind::View);
        for object in drops {
            target.execute(&format!("DROP {} \"{}\"", object.kind.word(), object.name.replace('"', "\"\"")))?;
        }
        Ok(Self { definitions })
    }

    /// The same without what stands on those tables: it is made again by other means, or it goes.
    #[must_use]
    pub fn without(mut self, tables: &[String]) -> Self {
        self.definitions.retain(|definition| {
            let owner = definition.object.table.as_ref();
            owner.is_none_or(|owner| !tables.contains(owner))
        });
        self
    }

    /// Makes again whatever is not there now. An error, a column that is gone say, undoes the migration.
    pub fn put_back(self, target: &mut dyn Target) -> Result<(), TargetError> {
        let there: Vec<ObjectName> = target.definitions()?.into_iter().map(|definition| definition.object).collect();
        let rank = |definition: &Definition| match definition.object.kind {
            ObjectKind::Index => 0,
            ObjectKind::View => 1,
            _ => 2,
        };
        let mut missing: Vec<Definition> =
            self.definitions.into_iter().filter(|definition| !there.contains(&definition.object)).collect();
        missing.sort_by_key(rank);
        for definition in missing {
            target.execute(&definition.sql)?;
        }
        Ok(())
    }
}
