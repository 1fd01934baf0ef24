use longshore_migrate::schema::{Definition, Facet, ObjectKind, ObjectName};

use super::{
    names::Names,
    owner::{Owners, Rank},
    table::{Draft, joined, literal},
};
use crate::catalog::reader::Fields;

/// A sequence, of its own or of a serial column.
pub(super) fn sequence(row: &Fields<'_>, names: &Names, owners: &mut Owners, draft: Option<&mut Draft>) {
    let name = row.text("name");
    let (schema, own_schema) = (row.text("schema"), row.text("own_schema"));
    let sql = names.sql(own_schema, name);
    let values = row.text("values");
    let comment = row.optional("comment");
    let mut definition = Definition::new()
        .with(Facet::Values, values)
        .with_optional(Facet::Persistence, row.truth("is_unlogged").then(|| "UNLOGGED".to_owned()))
        .with_optional(Facet::Comment, comment.map(literal));
    let comment = comment.map(|text| format!("COMMENT ON SEQUENCE {sql} IS {}", literal(text)));
    let (object, owner) = match (row.optional("owner"), row.optional("owned_by")) {
        (Some(table), Some(column)) => {
            definition = definition.with(Facet::OwnedBy, column);
            if let Some(draft) = draft {
                draft.after.push(format!("ALTER SEQUENCE {sql} OWNED BY {}.{column}", draft.sql));
            }
            let owner_name = names.object(schema, table);
            (ObjectName::on(ObjectKind::Sequence, &owner_name, name), owners.of(&owner_name, table))
        }
        _ => {
            let own_name = names.object(own_schema, name);
            (ObjectName::alone(ObjectKind::Sequence, &own_name), owners.of(&own_name, name))
        }
    };
    owner.add(object.clone(), definition);
    let made = format!("CREATE SEQUENCE {sql} {values}");
    owner.make(Rank::Sequence, object, joined([Some(made), comment].into_iter().flatten()));
}
