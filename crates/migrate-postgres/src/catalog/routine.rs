//! Types, domains, functions and schemas.

use longshore_migrate::schema::{Definition, Facet, ObjectKind, ObjectName};

use super::{
    canonical::canonical,
    names::{Names, quoted},
    owner::{Owners, Rank},
    table::{joined, literal},
};
use crate::catalog::reader::Fields;

pub(super) fn of_type(row: &Fields<'_>, names: &Names, owners: &mut Owners) {
    let (schema, base) = (row.text("schema"), row.text("name"));
    let (name, sql) = (names.object(schema, base), names.sql(schema, base));
    let comment = row.optional("comment");
    let owner = owners.of(&name, base);
    if row.text("kind") == "d" {
        let of_type = names.text(row.text("base"));
        let default = row.optional("default").map(|default| canonical(&names.text(default)));
        let collation = row.optional("collation").map(|collation| names.text(collation));
        let is_not_null = row.truth("is_not_null");
        let definition = Definition::new()
            .with(Facet::Type, &of_type)
            .with_optional(Facet::Nullability, is_not_null.then(|| "NOT NULL".to_owned()))
            .with_optional(Facet::Default, default.clone())
            .with_optional(Facet::Collation, collation.clone())
            .with_optional(Facet::Comment, comment.map(literal));
        let object = ObjectName::alone(ObjectKind::Domain, &name);
        let parts = [
            Some(format!("CREATE DOMAIN {sql} AS {of_type}")),
            collation.map(|collation| format!("COLLATE {collation}")),
            default.map(|default| format!("DEFAULT {default}")),
            is_not_null.then(|| "NOT NULL".to_owned()),
        ];
        let made = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let comment = comment.map(|text| format!("COMMENT ON DOMAIN {sql} IS {}", literal(text)));
        owner.add(object.clone(), definition);
        return owner.make(Rank::Type, object, joined([Some(made), comment].into_iter().flatten()));
    }
    let shape = match row.text("kind") {
        "e" => format!("ENUM ({})", row.optional("labels").unwrap_or_default()),
        "r" => format!("RANGE ({})", names.text(row.optional("range").unwrap_or_default())),
        _ => format!("({})", names.text(row.optional("attributes").unwrap_or_default())),
    };
    let definition =
        Definition::new().with(Facet::Shape, names.text(&shape)).with_optional(Facet::Comment, comment.map(literal));
    let object = ObjectName::alone(ObjectKind::Type, &name);
    let comment = comment.map(|text| format!("COMMENT ON TYPE {sql} IS {}", literal(text)));
    owner.add(object.clone(), definition);
    let made = match row.text("kind") {
        // The parts that have their usual value cannot be named again.
        "r" => format!("CREATE TYPE {sql} AS {}", shape.split(", opclass").next().unwrap_or_default().to_owned() + ")"),
        _ => format!("CREATE TYPE {sql} AS {shape}"),
    };
    owner.make(Rank::Type, object, joined([Some(made), comment].into_iter().flatten()));
}

pub(super) fn function(row: &Fields<'_>, names: &Names, owners: &mut Owners) {
    let (schema, base) = (row.text("schema"), row.text("base"));
    // The types of the arguments belong to the name.
    let name = names.object(schema, &names.text(row.text("name")));
    let written = names.text(row.text("definition").trim_end());
    let comment = row.optional("comment");
    let definition =
        Definition::new().with(Facet::Routine, &written).with_optional(Facet::Comment, comment.map(literal));
    let object = ObjectName::alone(ObjectKind::Function, &name);
    let owner = owners.of(&name, base);
    owner.add(object.clone(), definition);
    let signature = format!("{}.{}", quoted(names.real(schema)), names.text(row.text("name")));
    // An aggregate wants its functions before it.
    let rank = if row.text("kind") == "AGGREGATE" { Rank::ReadingFunction } else { Rank::Function };
    let comment = comment.map(|text| format!("COMMENT ON {} {signature} IS {}", row.text("kind"), literal(text)));
    owner.make(rank, object, joined([Some(written), comment].into_iter().flatten()));
}

/// A schema that is neither the current one nor the queue's.
pub(super) fn namespace(row: &Fields<'_>, names: &Names, owners: &mut Owners) {
    let real = names.real(row.text("schema"));
    if real == names.current() || real == names.queue() {
        return;
    }
    let comment = row.optional("comment");
    let object = ObjectName::alone(ObjectKind::Namespace, real);
    let owner = owners.of(real, real);
    owner.add(object.clone(), Definition::new().with_optional(Facet::Comment, comment.map(literal)));
    let comment = comment.map(|text| format!("COMMENT ON SCHEMA {} IS {}", quoted(real), literal(text)));
    let made = format!("CREATE SCHEMA {}", quoted(real));
    owner.make(Rank::Namespace, object, joined([Some(made), comment].into_iter().flatten()));
}
