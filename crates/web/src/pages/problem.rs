use maud::{Markup, html};

use super::layout;
use crate::error::ApiError;
use crate::state::WebState;

/// The page of an error.
pub(super) fn draw(state: &WebState, error: &ApiError) -> Markup {
    let content = html! {
        p { (error.message()) }
        @if let Some(hint) = error.hint_words() { p { (hint) } }
        p { small { (error.code()) } }
    };
    layout::page(state, "This did not work", &content)
}
