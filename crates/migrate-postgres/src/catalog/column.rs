use longshore_migrate::schema::{Definition, Facet, ObjectKind, ObjectName};

use super::{
    names::{Names, quoted},
    owner::Owners,
    table::{Draft, literal},
};
use crate::catalog::reader::Fields;

/// Reads a column of a table.
pub(super) fn column(row: &Fields<'_>, names: &Names, owners: &mut Owners, draft: Option<&mut Draft>) {
    let (schema, base, name) = (row.text("schema"), row.text("owner"), row.text("name"));
    let owner_name = names.object(schema, base);
    let of_type = names.text(row.text("type"));
    let default = names.optional(row.optional("default"));
    let generated = match row.text("generated") {
        "s" => default.as_ref().map(|expression| format!("GENERATED ALWAYS AS ({expression}) STORED")),
        "v" => default.as_ref().map(|expression| format!("GENERATED ALWAYS AS ({expression}) VIRTUAL")),
        _ => None,
    };
    let identity = row.optional("identity").map(|identity| {
        format!("GENERATED {identity} AS IDENTITY ({})", row.optional("identity_values").unwrap_or_default())
    });
    let not_null = row.optional("not_null");
    let compression = row.optional("compression");
    let collation = row.optional("collation").map(|collation| names.text(collation));
    let own_default = if generated.is_none() { default } else { None };
    let comment = row.optional("comment");
    let storage = row.optional("storage");
    let definition = Definition::new()
        .with(Facet::Type, &of_type)
        .with_optional(Facet::Nullability, not_null.map(str::to_owned))
        .with_optional(Facet::Default, own_default.clone())
        .with_optional(Facet::Generated, generated.clone())
        .with_optional(Facet::Identity, identity.clone())
        .with_optional(Facet::Collation, collation.clone())
        .with_optional(Facet::Storage, storage.map(str::to_owned))
        .with_optional(Facet::Options, compression.map(|compression| format!("compression={compression}")))
        .with_optional(Facet::Comment, comment.map(literal));
    owners.of(&owner_name, base).add(ObjectName::on(ObjectKind::Column, &owner_name, name), definition);
    let Some(draft) = draft else { return };
    let parts = [
        Some(format!("{} {of_type}", quoted(name))),
        collation.map(|collation| format!("COLLATE {collation}")),
        generated,
        identity,
        own_default.map(|default| format!("DEFAULT {default}")),
        not_null.filter(|text| *text == "NOT NULL").map(str::to_owned),
    ];
    if !draft.is_partition {
        draft.lines.push(parts.into_iter().flatten().collect::<Vec<_>>().join(" "));
    }
    let table = &draft.sql;
    if let Some(storage) = storage {
        draft.after.push(format!("ALTER TABLE {table} ALTER COLUMN {} SET STORAGE {storage}", quoted(name)));
    }
    if not_null == Some("NOT NULL NOT VALID") {
        draft.after.push(format!("ALTER TABLE {table} ADD NOT NULL {} NOT VALID", quoted(name)));
    }
    if let Some(compression) = compression {
        draft.after.push(format!("ALTER TABLE {table} ALTER COLUMN {} SET COMPRESSION {compression}", quoted(name)));
    }
    if let Some(text) = comment {
        draft.after.push(format!("COMMENT ON COLUMN {table}.{} IS {}", quoted(name), literal(text)));
    }
}
