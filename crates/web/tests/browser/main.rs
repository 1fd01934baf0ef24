//! The pages in a real Chromium: what they show, what their forms and keys do, and whether the browser complains.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod acting;
mod chromium;
mod entering;
mod flows;
mod flows_seed;
mod keyboard;
mod live;
mod looks;
mod reading;
mod site;
