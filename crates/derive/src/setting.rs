use std::time::Duration;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, LitInt, LitStr, Token, bracketed};

use crate::duration;

/// One setting of `#[job(…)]`: a key, and usually a value.
pub(crate) struct Setting {
    pub(crate) key: Ident,
    pub(crate) value: Value,
}

/// The value of a setting as it was written.
pub(crate) enum Value {
    /// The key stands alone.
    None,
    Text(LitStr),
    Number(LitInt),
    /// `["a", "b"]`
    List(Vec<LitStr>),
    /// Any other expression. The compiler checks its type.
    Expression(TokenStream),
}

impl Parse for Setting {
    fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        let key = input.call(Ident::parse_any)?;
        let value = if input.parse::<Option<Token![=]>>()?.is_some() { input.parse()? } else { Value::None };
        Ok(Self { key, value })
    }
}

impl Parse for Value {
    fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        if ends_after::<LitStr>(input) {
            return input.parse().map(Self::Text);
        }
        if ends_after::<LitInt>(input) {
            return input.parse().map(Self::Number);
        }
        if let Ok(list) = list(&input.fork()) {
            input.parse::<TokenTree>()?;
            return Ok(Self::List(list));
        }
        let expression = expression(input)?;
        if expression.is_empty() {
            return Err(input.error("expected a value"));
        }
        Ok(Self::Expression(expression))
    }
}

/// Whether the value is this and nothing more.
fn ends_after<T: Parse>(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    ahead.parse::<T>().is_ok() && (ahead.is_empty() || ahead.peek(Token![,]))
}

fn list(input: ParseStream<'_>) -> Result<Vec<LitStr>, Error> {
    let items;
    bracketed!(items in input);
    Ok(Punctuated::<LitStr, Token![,]>::parse_terminated(&items)?.into_iter().collect())
}

/// The tokens up to the next comma that is not inside brackets.
fn expression(input: ParseStream<'_>) -> Result<TokenStream, Error> {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?.to_tokens(&mut tokens);
    }
    Ok(tokens)
}

impl Setting {
    pub(crate) fn span(&self) -> Span {
        self.key.span()
    }

    pub(crate) fn error(&self, message: impl std::fmt::Display) -> Error {
        Error::new(self.span(), message)
    }

    /// A literal string.
    pub(crate) fn text(&self) -> Result<&LitStr, Error> {
        match &self.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.error(format!("`{key}` needs a string, such as `{key} = \"…\"`", key = self.key))),
        }
    }

    /// A name of a type or a queue, by the rule of the store.
    pub(crate) fn name(&self) -> Result<&LitStr, Error> {
        let text = self.text()?;
        let name = text.value();
        if name.is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
            let message = format!("`{}` must be 1 to 200 bytes without control characters", self.key);
            return Err(Error::new(text.span(), message));
        }
        Ok(text)
    }

    /// A whole number from 0 to a million, or an expression of type `u32`.
    pub(crate) fn count(&self) -> Result<TokenStream, Error> {
        match &self.value {
            Value::Number(number) if number.base10_parse::<u32>().is_ok_and(|number| number <= 1_000_000) => {
                Ok(number.to_token_stream())
            }
            Value::Expression(expression) => Ok(expression.clone()),
            _ => {
                Err(self
                    .error(format!("`{key}` needs a number from 0 to 1000000, such as `{key} = 5`", key = self.key)))
            }
        }
    }

    /// A duration as a string, or an expression of type `Duration`.
    pub(crate) fn duration(&self) -> Result<TokenStream, Error> {
        match &self.value {
            Value::Text(text) => duration_of(text),
            Value::Expression(expression) => Ok(expression.clone()),
            Value::Number(number) => {
                let (key, number) = (&self.key, number.base10_digits());
                Err(self.error(format!("`{key} = {number}` has no unit: write `{key} = \"{number}s\"` for seconds")))
            }
            Value::None | Value::List(_) => {
                Err(self.error(format!("`{key}` needs a duration, such as `{key} = \"30s\"`", key = self.key)))
            }
        }
    }

    /// One of these words; its code.
    pub(crate) fn word(&self, words: &[(&str, TokenStream)]) -> Result<TokenStream, Error> {
        let text = self.text()?;
        let value = text.value();
        if let Some((_, code)) = words.iter().find(|(word, _)| *word == value) {
            return Ok(code.clone());
        }
        let known: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        let message = format!("{value:?} is not a value of `{}`: expected {}", self.key, known.join(", "));
        Err(Error::new(text.span(), message))
    }
}

/// The code of a duration that is written as a string.
pub(crate) fn duration_of(text: &LitStr) -> Result<TokenStream, Error> {
    let span: Duration = duration::parse(&text.value()).map_err(|message| Error::new(text.span(), message))?;
    let (seconds, nanoseconds) = (span.as_secs(), span.subsec_nanos());
    Ok(quote!(::core::time::Duration::new(#seconds, #nanoseconds)))
}
