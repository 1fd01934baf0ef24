use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

use crate::state::Mounted;

/// A file that is built in. Its name contains a hash of its content, so a browser may keep it for ever.
struct Asset {
    name: String,
    content_type: &'static str,
    content: &'static [u8],
}

macro_rules! asset {
    ($name:literal, $extension:literal, $content_type:literal) => {
        Asset::new($name, $extension, $content_type, include_bytes!(concat!("../assets/", $name, ".", $extension)))
    };
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        asset!("app", "css", "text/css; charset=utf-8"),
        asset!("app", "js", "text/javascript; charset=utf-8"),
        asset!("favicon", "svg", "image/svg+xml"),
    ]
});

impl Asset {
    fn new(stem: &str, extension: &str, content_type: &'static str, content: &'static [u8]) -> Self {
        let hash: String = Sha256::digest(content)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { name: format!("{stem}.{hash}.{extension}"), content_type, content }
    }
}

/// The path of an asset below the base path, such as `/assets/app.0123456789abcdef.css` for `app.css`.
pub(crate) fn path(file: &str) -> String {
    let is_meant = |asset: &&Asset| {
        file.split_once('.').is_some_and(|(stem, extension)| {
            asset.name.starts_with(&format!("{stem}.")) && asset.name.ends_with(&format!(".{extension}"))
        })
    };
    let asset = ASSETS.iter().find(is_meant).expect("only files that are built in are named");
    format!("/assets/{}", asset.name)
}

pub(crate) fn routes() -> Router<Mounted> {
    Router::new().route("/assets/{name}", get(show))
}

async fn show(Path(name): Path<String>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers =
        [(header::CONTENT_TYPE, asset.content_type), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, asset.content).into_response()
}
