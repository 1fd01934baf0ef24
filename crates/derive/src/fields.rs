use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Data, DeriveInput, Error, Field, Index, LitStr};

use crate::setting::{Setting, Value};

/// How jobs of a type are unique.
pub(crate) enum Unique {
    /// They are not.
    No,
    /// By the whole payload.
    Payload,
    /// By the value that this expression refers to.
    By(TokenStream),
}

impl Unique {
    pub(crate) fn of(setting: Option<&Setting>, input: &DeriveInput) -> Result<Self, Error> {
        let Some(setting) = setting else { return Ok(Self::No) };
        let names = match &setting.value {
            Value::None => return Ok(Self::Payload),
            Value::Text(name) => std::slice::from_ref(name),
            Value::List(names) if !names.is_empty() => names,
            Value::Number(_) | Value::Expression(_) | Value::List(_) => {
                return Err(setting.error(
                    "`unique` stands alone, or names fields: `unique`, `unique = \"user_id\"` or `unique = [\"a\", \"b\"]`",
                ));
            }
        };
        let fields = names.iter().map(|name| access(name, input)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::By(match fields.as_slice() {
            [field] => quote!(#field),
            fields => quote!(&(#(#fields),*)),
        }))
    }
}

/// The code for a reference to the field with this name.
fn access(name: &LitStr, input: &DeriveInput) -> Result<TokenStream, Error> {
    let Data::Struct(structure) = &input.data else {
        let message = "only a struct can be unique by fields: write `unique` for the whole payload";
        return Err(Error::new(name.span(), message));
    };
    let names: Vec<(String, TokenStream)> = structure.fields.iter().enumerate().map(named).collect();
    if let Some((_, member)) = names.iter().find(|(other, _)| *other == name.value()) {
        return Ok(quote!(&self.#member));
    }
    let known: Vec<_> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
    let known = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
    let message = format!("`{}` has no field `{}`: {known}", input.ident, name.value());
    Err(Error::new(name.span(), message))
}

fn named((index, field): (usize, &Field)) -> (String, TokenStream) {
    match &field.ident {
        Some(ident) => (ident.to_string().trim_start_matches("r#").to_owned(), ident.to_token_stream()),
        None => (index.to_string(), Index::from(index).to_token_stream()),
    }
}

/// `#[job(…)]` on a field or a variant would have no effect.
pub(crate) fn refuse_inner_settings(input: &DeriveInput) -> Result<(), Error> {
    let fields: Vec<&Field> = match &input.data {
        Data::Struct(structure) => structure.fields.iter().collect(),
        Data::Enum(enumeration) => enumeration.variants.iter().flat_map(|variant| &variant.fields).collect(),
        Data::Union(union) => union.fields.named.iter().collect(),
    };
    let variants = match &input.data {
        Data::Enum(enumeration) => enumeration.variants.iter().flat_map(|variant| &variant.attrs).collect(),
        Data::Struct(_) | Data::Union(_) => Vec::new(),
    };
    let attributes = fields.into_iter().flat_map(|field| &field.attrs).chain(variants);
    match attributes.into_iter().find(|attribute| attribute.path().is_ident("job")) {
        Some(attribute) => Err(Error::new_spanned(
            attribute,
            "`#[job(…)]` belongs above the type; to be unique by a field, write `#[job(unique = \"field\")]` there",
        )),
        None => Ok(()),
    }
}
