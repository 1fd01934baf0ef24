use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, LitInt, LitStr, Token};

use crate::duration;
use crate::setting::{Setting, Value};
use crate::settings::{Errors, Settings};

/// The bounds of `LimitRule`, `Rate` and `KeyPointer` of the contract, which check again.
const NUMBER_MAX: u32 = 1_000_000;
const WEIGHT_MAX: u32 = 1000;
const NAME_BYTES_MAX: usize = 200;
const NUMBERS_IN_POINTER_MAX: usize = 3;
const PER_MAX_DAYS: u64 = 366;

/// What has no effect without what.
const PAIRS: [(&str, &str); 4] =
    [("burst", "rate"), ("key_concurrency", "key"), ("key_rate", "key"), ("weights", "key")];

type Reader = fn(&Setting) -> Result<TokenStream, Error>;

/// How each setting of a rule becomes a field of it.
const READERS: [(&str, Reader); 7] = [
    ("concurrency", number),
    ("rate", rate),
    ("burst", number),
    ("key", pointer),
    ("key_concurrency", number),
    ("key_rate", rate),
    ("weights", weights),
];

/// The call that limits the type: `.limit(…)`. Nothing if no setting is about that.
pub(crate) fn of_policy(settings: &Settings) -> Result<TokenStream, Error> {
    let mut errors = Errors::default();
    for (what, needed) in PAIRS {
        if let Some(setting) = settings.get(what).filter(|_| settings.get(needed).is_none()) {
            errors.add(setting.error(format!("`{what}` has no effect without `{needed}`: give both or neither")));
        }
    }
    let mut fields = Vec::new();
    for (key, read) in READERS {
        let Some(setting) = settings.get(key) else { continue };
        let name = &setting.key;
        fields.extend(errors.take(read(setting)).map(|value| quote!(#name: #value)));
    }
    errors.end()?;
    if fields.is_empty() {
        return Ok(TokenStream::new());
    }
    // Where nothing is left, clippy would complain of the rest in the code of the user.
    let rest = (fields.len() < READERS.len()).then(|| quote!(..::core::default::Default::default()));
    Ok(quote!(.limit(::longshore::limits::LimitRule { #(#fields,)* #rest })))
}

/// A whole number, or an expression of type `u32`, which is checked when the worker starts.
fn number(setting: &Setting) -> Result<TokenStream, Error> {
    let is_possible = |number: &LitInt| number.base10_parse::<u32>().is_ok_and(|number| is_in(number, NUMBER_MAX));
    let key = &setting.key;
    match &setting.value {
        Value::Number(number) if is_possible(number) => Ok(quote!(::core::option::Option::Some(#number))),
        Value::Expression(expression) => Ok(quote!(::core::option::Option::Some(#expression))),
        Value::Number(_) => Err(setting.error(format!("`{key}` must be from 1 to {NUMBER_MAX}"))),
        Value::None | Value::Text(_) | Value::List(_) => {
            Err(setting.error(format!("`{key}` needs a number from 1 to {NUMBER_MAX}, such as `{key} = 5`")))
        }
    }
}

fn is_in(number: u32, max: u32) -> bool {
    (1..=max).contains(&number)
}

/// A number of starts and a span. What was checked here is read again where it is used.
fn rate(setting: &Setting) -> Result<TokenStream, Error> {
    let key = &setting.key;
    let Value::Text(text) = &setting.value else {
        return Err(setting.error(format!("`{key}` needs a rate, such as `{key} = \"100/1m\"`")));
    };
    check_rate(&text.value()).map_err(|message| Error::new(text.span(), message))?;
    Ok(quote!(#text.parse().ok()))
}

fn check_rate(word: &str) -> Result<(), String> {
    let read = || {
        let (starts, per) = word.split_once('/')?;
        Some((starts.trim().parse::<u32>().ok()?, duration::parse(per.trim()).ok()?))
    };
    let (starts, per) = read().ok_or_else(|| {
        format!("{word:?} is not a rate: write a number of starts and a span, such as \"1000/1m\" or \"5/1s\"")
    })?;
    if starts == 0 {
        return Err(format!("the rate {word:?} permits no start: write at least 1"));
    }
    if per.as_secs() > PER_MAX_DAYS * 86_400 || per.as_micros() < u128::from(starts) {
        return Err(format!(
            "the rate {word:?} cannot be kept: the span must be from 1ms to {PER_MAX_DAYS}d, with at most 1000 starts a \
             millisecond"
        ));
    }
    Ok(())
}

fn pointer(setting: &Setting) -> Result<TokenStream, Error> {
    let Value::Text(text) = &setting.value else {
        return Err(setting.error("`key` needs a JSON pointer, such as `key = \"/tenant_id\"`"));
    };
    check_pointer(&text.value()).map_err(|message| Error::new(text.span(), message))?;
    Ok(quote!(#text.parse().ok()))
}

fn check_pointer(pointer: &str) -> Result<(), String> {
    if !pointer.starts_with('/') {
        return Err(format!("{pointer:?} is not a JSON pointer: it must begin with /, such as \"/tenant_id\""));
    }
    let is_escaped = pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let has_unusable = pointer.chars().any(|character| character.is_control() || matches!(character, '"' | '\\'));
    let numbers = pointer.split('/').skip(1).filter(is_number).count();
    if pointer.len() > NAME_BYTES_MAX || has_unusable || !is_escaped || numbers > NUMBERS_IN_POINTER_MAX {
        return Err(format!(
            "the JSON pointer {pointer:?} cannot be used: at most {NAME_BYTES_MAX} bytes and {NUMBERS_IN_POINTER_MAX} \
             numbers, and no quotation mark, backslash or control character; ~ is written ~0 and / in a name ~1"
        ));
    }
    Ok(())
}

/// A key and its turns: `acme = 3` or `"other one" = 2`.
struct Weight {
    key: LitStr,
    turns: LitInt,
}

impl Parse for Weight {
    fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        let key = if input.peek(LitStr) {
            input.parse()?
        } else {
            let word = input.call(Ident::parse_any)?;
            LitStr::new(&word.to_string(), word.span())
        };
        input.parse::<Token![=]>()?;
        Ok(Self { key, turns: input.parse()? })
    }
}

fn weights(setting: &Setting) -> Result<TokenStream, Error> {
    let unreadable = || setting.error("`weights` needs the turns of keys, such as `weights = { acme = 3 }`");
    let Value::Expression(expression) = &setting.value else { return Err(unreadable()) };
    let mut trees = expression.clone().into_iter();
    let (Some(TokenTree::Group(group)), None) = (trees.next(), trees.next()) else { return Err(unreadable()) };
    if group.delimiter() != Delimiter::Brace || group.stream().is_empty() {
        return Err(unreadable());
    }
    let parser = Punctuated::<Weight, Token![,]>::parse_terminated;
    let weights = syn::parse::Parser::parse2(parser, group.stream()).map_err(|_| unreadable())?;
    let mut errors = Errors::default();
    let mut pairs = Vec::new();
    for Weight { key, turns } in &weights {
        if !turns.base10_parse::<u32>().is_ok_and(|turns| is_in(turns, WEIGHT_MAX)) {
            errors
                .add(Error::new(turns.span(), format!("the weight of {} must be from 1 to {WEIGHT_MAX}", key.value())));
        }
        pairs.push(quote!((::std::string::String::from(#key), #turns)));
    }
    errors.end()?;
    Ok(quote!(::std::collections::BTreeMap::from([#(#pairs),*])))
}
