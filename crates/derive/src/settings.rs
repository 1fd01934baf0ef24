use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Token};

use crate::limit;
use crate::setting::{Setting, Value, duration_of};

/// The settings of a payload type, in the order in which they were written, each known and given once.
pub(crate) struct Settings(Vec<Setting>);

const KEYS: [&str; 22] = [
    "name",
    "queue",
    "priority",
    "max_retries",
    "max_crashes",
    "max_deferrals",
    "retry",
    "timeout",
    "grace",
    "delay",
    "expires_in",
    "deadline_in",
    "unique",
    "on_duplicate",
    "unique_while",
    "concurrency",
    "rate",
    "burst",
    "key",
    "key_concurrency",
    "key_rate",
    "weights",
];

impl Settings {
    /// Reads all `#[job(…)]` of a type. Err names every mistake.
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Self, Error> {
        let mut read: Vec<Setting> = Vec::new();
        let mut errors = Errors::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("job")) {
            let settings = attribute.parse_args_with(Punctuated::<Setting, Token![,]>::parse_terminated)?;
            for setting in settings {
                if !KEYS.iter().any(|key| setting.key == key) {
                    errors.add(unknown(&setting));
                } else if read.iter().any(|other| other.key == setting.key) {
                    errors.add(setting.error(format!("`{}` is given twice", setting.key)));
                } else {
                    read.push(setting);
                }
            }
        }
        errors.end()?;
        Ok(Self(read))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Setting> {
        self.0.iter().find(|setting| setting.key == key)
    }

    /// The calls that a setting adds to the job: `.queue("mail")`.
    pub(crate) fn of_job(&self) -> Result<TokenStream, Error> {
        self.needs_unique("on_duplicate")?;
        self.needs_unique("unique_while")?;
        self.calls(of_job)
    }

    /// The calls that a setting adds to the rules for attempts: `.timeout(…)`.
    pub(crate) fn of_policy(&self) -> Result<TokenStream, Error> {
        let rules = self.calls(of_policy)?;
        // After `retry`, which would replace it.
        let retries = self.calls(|setting| match setting.key == "max_retries" {
            true => setting.count().map(|count| Some(quote!(.max_retries(#count)))),
            false => Ok(None),
        })?;
        let limit = limit::of_policy(self)?;
        Ok(quote!(#rules #retries #limit))
    }

    fn calls(&self, call: impl Fn(&Setting) -> Result<Option<TokenStream>, Error>) -> Result<TokenStream, Error> {
        let mut errors = Errors::default();
        let calls: Vec<_> = self.0.iter().filter_map(|setting| errors.take(call(setting)).flatten()).collect();
        errors.end()?;
        Ok(quote!(#(#calls)*))
    }

    fn needs_unique(&self, key: &str) -> Result<(), Error> {
        match self.get(key) {
            Some(setting) if self.get("unique").is_none() => {
                Err(setting.error(format!("`{key}` has no effect without `unique`: give both or neither")))
            }
            _ => Ok(()),
        }
    }
}

fn of_job(setting: &Setting) -> Result<Option<TokenStream>, Error> {
    let key = &setting.key;
    let value = match key.to_string().as_str() {
        "queue" => setting.name()?.to_token_stream(),
        "priority" => priority(setting)?,
        "max_retries" | "max_crashes" | "max_deferrals" => setting.count()?,
        "timeout" | "delay" | "expires_in" | "deadline_in" => setting.duration()?,
        "on_duplicate" => setting.word(&[
            ("keep", quote!(::longshore::job::OnDuplicate::Keep)),
            ("replace", quote!(::longshore::job::OnDuplicate::Replace)),
            ("push_back", quote!(::longshore::job::OnDuplicate::PushBack)),
        ])?,
        "unique_while" => setting.word(&[
            ("unfinished", quote!(::longshore::job::UniqueWhile::Unfinished)),
            ("waiting", quote!(::longshore::job::UniqueWhile::Waiting)),
        ])?,
        _ => return Ok(None),
    };
    Ok(Some(quote!(.#key(#value))))
}

/// Queue, priority, retries and timeout also count for jobs that another program enqueued without them.
fn of_policy(setting: &Setting) -> Result<Option<TokenStream>, Error> {
    let key = &setting.key;
    let value = match key.to_string().as_str() {
        "queue" => setting.name()?.to_token_stream(),
        "priority" => priority(setting)?,
        "timeout" | "grace" => setting.duration()?,
        "retry" => retry(setting)?,
        _ => return Ok(None),
    };
    Ok(Some(quote!(.#key(#value))))
}

fn priority(setting: &Setting) -> Result<TokenStream, Error> {
    match &setting.value {
        Value::Text(_) => setting.word(&[
            ("low", quote!(::longshore::Priority::LOW)),
            ("normal", quote!(::longshore::Priority::NORMAL)),
            ("high", quote!(::longshore::Priority::HIGH)),
            ("urgent", quote!(::longshore::Priority::URGENT)),
            ("critical", quote!(::longshore::Priority::CRITICAL)),
        ]),
        Value::Number(number) => Ok(quote!(::longshore::Priority(#number))),
        Value::Expression(expression) => Ok(expression.clone()),
        Value::None | Value::List(_) => {
            Err(setting.error("`priority` needs a number or a name, such as `priority = \"high\"`"))
        }
    }
}

fn retry(setting: &Setting) -> Result<TokenStream, Error> {
    match &setting.value {
        Value::Text(_) => setting.word(&[
            ("exponential", quote!(::longshore::RetryPolicy::default())),
            ("quick", quote!(::longshore::RetryPolicy::quick())),
        ]),
        Value::List(delays) if !delays.is_empty() => {
            let delays: Vec<_> = delays.iter().map(duration_of).collect::<Result<_, _>>()?;
            Ok(quote!(::longshore::RetryPolicy::delays([#(#delays),*])))
        }
        Value::Expression(expression) => Ok(expression.clone()),
        Value::None | Value::Number(_) | Value::List(_) => Err(setting.error(
            "`retry` needs a policy: \"exponential\", \"quick\", a list of delays such as [\"1s\", \"1m\"], or an \
             expression such as RetryPolicy::fixed(…)",
        )),
    }
}

/// Names the key, the nearest known one and all that exist.
fn unknown(setting: &Setting) -> Error {
    let word = setting.key.to_string();
    let nearest = KEYS.iter().map(|key| (strsim::levenshtein(&word, key), key)).min();
    let suggestion = match nearest {
        Some((distance, key)) if distance <= word.len().max(3) / 3 => format!("did you mean `{key}`? "),
        _ => String::new(),
    };
    setting.error(format!("unknown setting `{word}`: {suggestion}expected {}", KEYS.join(", ")))
}

/// All mistakes of one type, each once, so that the compiler shows them together.
#[derive(Default)]
pub(crate) struct Errors(Vec<Error>);

impl Errors {
    pub(crate) fn add(&mut self, errors: Error) {
        for error in errors {
            // A setting may be read for the job and for its attempts.
            if !self.0.iter().any(|other| other.to_string() == error.to_string()) {
                self.0.push(error);
            }
        }
    }

    pub(crate) fn take<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    pub(crate) fn end(self) -> Result<(), Error> {
        let combined = self.0.into_iter().reduce(|mut errors, error| {
            errors.combine(error);
            errors
        });
        combined.map_or(Ok(()), Err)
    }
}
