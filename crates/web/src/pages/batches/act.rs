use std::time::Duration;

use axum::response::{IntoResponse, Response};
use longshore_core::{BatchChange, BatchId, BatchRecord, NewSignal};
use maud::{Markup, html};

use crate::access::csrf;
use crate::api::batches::{change_members, no_such, send_signal};
use crate::audit::Audit;
use crate::error::ApiError;
use crate::pages::drawing::text::{counted, line};
use crate::pages::form::{CheckedForm, done, in_words};
use crate::pages::layout::{Page, Section, framed};
use crate::pages::view::View;
use crate::state::{State, WebState};

/// How long a page waits for a change. A longer one goes on without it.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// `POST /batches/act`: retries or cancels members, closes a batch, or sends it a signal, after a confirmation that says
/// what follows.
pub(in crate::pages) async fn act(
    State(state): State,
    audit: Audit,
    view: View,
    form: CheckedForm,
) -> Result<Response, ApiError> {
    let id: BatchId = form
        .required("id")?
        .parse()
        .map_err(|error: longshore_core::InvalidBatchId| ApiError::invalid(error.to_string()))?;
    let change = match form.required("action")? {
        "signal" => return signal(&state, &audit, &view, &form, id).await,
        "retry" => BatchChange::Retry,
        "cancel" => BatchChange::Cancel,
        "close" => BatchChange::Close,
        _ => return Err(ApiError::invalid("the action must be retry, cancel, close or signal")),
    };
    if form.get("confirmed").is_none() {
        let batch = state.shown().batch(id).await?.ok_or_else(|| no_such(id))?;
        return Ok(ask(&view, &form, &batch, &question(&batch, change)).into_response());
    }
    let words = match tokio::time::timeout(WAIT_MAX, change_members(&state, audit, id, change)).await {
        Ok(actioned) => match (change, actioned?) {
            (BatchChange::Close, _) => format!("Batch {id} is closed. It ends when its members have ended."),
            (BatchChange::Retry, actioned) => in_words("Retried", &actioned),
            (BatchChange::Cancel, actioned) => in_words("Cancelled", &actioned),
        },
        Err(_) => "The change goes on. The counts show how far it is.".to_owned(),
    };
    Ok(done(&view, form.back(), &words))
}

/// Sends a signal without data. Programs send data, which only they know how to make.
async fn signal(
    state: &WebState,
    audit: &Audit,
    view: &View,
    form: &CheckedForm,
    id: BatchId,
) -> Result<Response, ApiError> {
    let name = form.required("name")?;
    if form.get("confirmed").is_none() {
        let batch = state.shown().batch(id).await?.ok_or_else(|| no_such(id))?;
        let question = Question {
            word: format!("Send the signal {}", line(name)),
            consequence: "It is sent without data. Jobs that wait for it go on. The first signal of a name counts, and it \
                          cannot be taken back.",
            is_possible: true,
            is_final: true,
        };
        return Ok(ask(view, form, &batch, &question).into_response());
    }
    let is_first = send_signal(state, audit, NewSignal { batch: id, name: name.to_owned(), data: None }).await?;
    let words = if is_first { "was sent" } else { "had come before, and the first one counts" };
    Ok(done(view, form.back(), &format!("The signal {} {words}.", line(name))))
}

/// What is asked before a change.
struct Question {
    /// What is done, on the button.
    word: String,
    consequence: &'static str,
    is_possible: bool,
    /// Whether it cannot be taken back.
    is_final: bool,
}

fn question(batch: &BatchRecord, change: BatchChange) -> Question {
    let counts = &batch.counts;
    let (word, jobs, consequence) = match change {
        BatchChange::Retry => (
            format!("Retry {}", counted(counts.dead_letter + counts.cancelled, "member")),
            counts.dead_letter + counts.cancelled,
            "Members that are dead letters or were cancelled run again with new budgets. The batch is running again until \
             they have ended, and callbacks that could no longer run wait again.",
        ),
        BatchChange::Cancel => (
            format!("Cancel {}", counted(counts.unended(), "member")),
            counts.unended(),
            "Waiting members end as cancelled. Running members are asked to stop. Callbacks follow from what becomes of \
             the batch.",
        ),
        BatchChange::Close => (
            "Close the batch".to_owned(),
            1,
            "From then on only its running members can add jobs. The batch ends when its members have ended. This \
             cannot be taken back.",
        ),
    };
    Question { word, consequence, is_possible: jobs > 0, is_final: change != BatchChange::Retry }
}

fn ask(view: &View, form: &CheckedForm, batch: &BatchRecord, question: &Question) -> Markup {
    let title = format!("{}?", question.word);
    let content = html! {
        div.panel { div.body.form {
            p { "Batch " (batch.id) ", " strong { (line(&batch.name)) } ". " (question.consequence) }
            form.actions method="post" action=(view.link("/batches/act")) {
                input type="hidden" name=(csrf::FIELD) value=(view.csrf);
                input type="hidden" name="confirmed" value="yes";
                input type="hidden" name="back" value=(form.back());
                input type="hidden" name="id" value=(batch.id);
                input type="hidden" name="action" value=(form.get("action").unwrap_or_default());
                @if let Some(name) = form.get("name") { input type="hidden" name="name" value=(name); }
                button.primary.danger[question.is_final] #confirm disabled[!question.is_possible] { (question.word) }
                a.button href=(view.link(form.back())) { "Keep things as they are" }
            }
        } }
    };
    let page = Page { title: &title, section: Section::Batches, aside: html! {}, content, dead_letters: None };
    framed(view, &page)
}
