use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error, LitStr, parse2};

use crate::fields::{Unique, refuse_inner_settings};
use crate::settings::{Errors, Settings};

/// The implementation of `Payload` for a type. Err names every mistake in its settings.
pub(crate) fn expand(input: TokenStream) -> Result<TokenStream, Error> {
    let input: DeriveInput = parse2(input)?;
    refuse_inner_settings(&input)?;
    let settings = Settings::read(&input.attrs)?;
    let mut errors = Errors::default();
    let name = errors.take(job_type(&settings, &input));
    let of_job = errors.take(settings.of_job());
    let of_policy = errors.take(settings.of_policy());
    let unique = errors.take(Unique::of(settings.get("unique"), &input));
    errors.end()?;

    let ident = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let (by_payload, to_job) = match unique.unwrap_or(Unique::No) {
        Unique::No => (None, None),
        Unique::Payload => (Some(quote!(.unique_payload())), None),
        Unique::By(value) => (None, Some(to_job(&value))),
    };
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::longshore::Payload for #ident #type_generics #where_clause {
            const JOB_TYPE: &'static str = #name;

            fn configure(&self, job: ::longshore::NewJob) -> ::longshore::NewJob {
                job #of_job #by_payload
            }

            fn policy(policy: ::longshore::handler::HandlerPolicy) -> ::longshore::handler::HandlerPolicy {
                policy #of_policy
            }

            #to_job
        }
    })
}

/// A value may not be encodable as JSON, so this is the method that can fail.
fn to_job(value: &TokenStream) -> TokenStream {
    quote! {
        fn to_job(&self) -> ::core::result::Result<::longshore::NewJob, ::longshore::job::InvalidJobData> {
            let job = ::longshore::NewJob::encode(<Self as ::longshore::Payload>::JOB_TYPE, self)?;
            ::longshore::Payload::configure(self, job).unique_by(#value)
        }
    }
}

/// The name that was given, or that of the type in snake case.
fn job_type(settings: &Settings, input: &DeriveInput) -> Result<LitStr, Error> {
    match settings.get("name") {
        Some(setting) => setting.name().cloned(),
        None => Ok(LitStr::new(&snake_case(&input.ident.to_string()), input.ident.span())),
    }
}

/// `SendReceipt` is `send_receipt`, and `HTTPFetch` is `http_fetch`.
fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.trim_start_matches("r#").chars().collect();
    let mut word = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let after_lower = index > 0 && !letters[index - 1].is_uppercase() && letters[index - 1] != '_';
        let before_lower = letters.get(index + 1).is_some_and(|next| next.is_lowercase());
        let after_upper = index > 0 && letters[index - 1].is_uppercase();
        if letter.is_uppercase() && (after_lower || (after_upper && before_lower)) {
            word.push('_');
        }
        word.extend(letter.to_lowercase());
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(input: TokenStream) -> Vec<String> {
        expand(input).unwrap_err().into_iter().map(|error| error.to_string()).collect()
    }

    /// The messages for a struct with two fields and these settings.
    fn of_settings(settings: &TokenStream) -> Vec<String> {
        messages(quote!(
            #[job(#settings)]
            struct Mail {
                user_id: u64,
                kind: String,
            }
        ))
    }

    #[test]
    fn a_misspelt_setting_is_named_with_the_nearest_one() {
        let known = "expected name, queue, priority, max_retries, max_crashes, max_deferrals, retry, timeout, grace, \
                     delay, expires_in, deadline_in, unique, on_duplicate, unique_while, concurrency, rate, burst, \
                     key, key_concurrency, key_rate, weights";
        let near = of_settings(&quote!(max_retry = 5));
        assert_eq!(near, [format!("unknown setting `max_retry`: did you mean `max_retries`? {known}")]);
        let far = of_settings(&quote!(colour = "red"));
        assert_eq!(far, [format!("unknown setting `colour`: {known}")]);
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let messages = of_settings(&quote!(timeout = 5, priority = "loud", unique = "user", name = ""));
        assert_eq!(
            messages,
            [
                "`name` must be 1 to 200 bytes without control characters",
                "`timeout = 5` has no unit: write `timeout = \"5s\"` for seconds",
                "\"loud\" is not a value of `priority`: expected \"low\", \"normal\", \"high\", \"urgent\", \"critical\"",
                "`Mail` has no field `user`: it has `user_id`, `kind`",
            ]
        );
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_told_with_the_right_one() {
        for (settings, expected) in [
            (quote!(queue), "`queue` needs a string, such as `queue = \"…\"`"),
            (quote!(queue = 5), "`queue` needs a string, such as `queue = \"…\"`"),
            (quote!(max_retries = "5"), "`max_retries` needs a number from 0 to 1000000, such as `max_retries = 5`"),
            (quote!(max_retries = 1000001), "`max_retries` needs a number from 0 to 1000000"),
            (quote!(timeout = "soon"), "\"soon\" is not a duration"),
            (quote!(delay), "`delay` needs a duration, such as `delay = \"30s\"`"),
            (quote!(expires_in = "0s"), "\"0s\" is out of range"),
            (quote!(priority), "`priority` needs a number or a name"),
            (quote!(retry = 5), "`retry` needs a policy"),
            (quote!(retry = []), "`retry` needs a policy"),
            (quote!(retry = ["soon"]), "\"soon\" is not a duration"),
            (quote!(retry = "slow"), "\"slow\" is not a value of `retry`: expected \"exponential\", \"quick\""),
            (quote!(unique = 5), "`unique` stands alone, or names fields"),
            (quote!(unique = []), "`unique` stands alone, or names fields"),
            (quote!(unique, on_duplicate = "drop"), "\"drop\" is not a value of `on_duplicate`: expected \"keep\""),
            (quote!(on_duplicate = "keep"), "`on_duplicate` has no effect without `unique`"),
            (quote!(unique_while = "waiting"), "`unique_while` has no effect without `unique`"),
            (quote!(concurrency = 0), "`concurrency` must be from 1 to 1000000"),
            (quote!(concurrency = "5"), "`concurrency` needs a number from 1 to 1000000, such as `concurrency = 5`"),
            (quote!(rate = 5), "`rate` needs a rate, such as `rate = \"100/1m\"`"),
            (quote!(rate = "often"), "\"often\" is not a rate: write a number of starts and a span"),
            (quote!(rate = "0/1m"), "the rate \"0/1m\" permits no start"),
            (quote!(rate = "5000/1ms"), "the rate \"5000/1ms\" cannot be kept"),
            (quote!(burst = 5), "`burst` has no effect without `rate`: give both or neither"),
            (quote!(key = "tenant"), "\"tenant\" is not a JSON pointer: it must begin with /"),
            (quote!(key = "/a~2"), "the JSON pointer \"/a~2\" cannot be used"),
            (quote!(key_concurrency = 2), "`key_concurrency` has no effect without `key`"),
            (quote!(key_rate = "1/1s"), "`key_rate` has no effect without `key`"),
            (quote!(key = "/a", weights = { acme = 0 }), "the weight of acme must be from 1 to 1000"),
            (quote!(key = "/a", weights = ["acme"]), "`weights` needs the turns of keys, such as"),
            (quote!(key = "/a", weights = {}), "`weights` needs the turns of keys, such as"),
            (quote!(queue = "a", queue = "b"), "`queue` is given twice"),
            (quote!(queue =), "expected a value"),
            (quote!(queue "mail"), "expected `,`"),
        ] {
            let messages = of_settings(&settings);
            assert!(messages.iter().any(|message| message.contains(expected)), "{settings}: {messages:?}");
        }
    }

    #[test]
    fn settings_in_the_wrong_place_are_refused() {
        for input in [
            quote!(
                struct Mail {
                    #[job(unique)]
                    user_id: u64,
                }
            ),
            quote!(
                enum Mail {
                    #[job(queue = "mail")]
                    Welcome,
                }
            ),
            quote!(
                enum Mail {
                    Welcome(#[job(unique)] u64),
                }
            ),
        ] {
            assert!(messages(input)[0].contains("belongs above the type"));
        }
        let of_enum = messages(quote!(
            #[job(unique = "user_id")]
            enum Mail {
                Welcome { user_id: u64 },
            }
        ));
        assert!(of_enum[0].contains("only a struct can be unique by fields"), "{of_enum:?}");
    }

    #[test]
    fn the_name_of_a_type_becomes_words() {
        for (name, expected) in [
            ("SendReceipt", "send_receipt"),
            ("HTTPFetch", "http_fetch"),
            ("Mail", "mail"),
            ("Mp3Scan", "mp3_scan"),
            ("r#Box", "box"),
            ("Send_Mail", "send_mail"),
        ] {
            assert_eq!(snake_case(name), expected);
        }
    }
}
