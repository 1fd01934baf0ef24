use std::error::Error;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Redirect;
use axum::routing::get;
use longshore::Queue;
use longshore::handler::HandlerPolicy;
use longshore_core::{JobId, NewJob};
use longshore_migrate::Migrator;
use tokio::net::TcpListener;

use crate::access::tokens::TokenAccess;
use crate::access::{Identify, Nobody, Open};
use crate::endpoint::Endpoint;
use crate::guard;
use crate::state::{Mounted, Settings, WebState};
use crate::{Redaction, ServeOptions, api, assets, pages, server};

/// Builds the router of a queue.
///
/// Without [`Web::users`] or [`Web::open_to_everyone`], nobody may do anything but ask whether the server lives: a
/// router that is mounted without a thought is closed.
///
/// ```
/// # use longshore::Queue;
/// # use longshore_web::Web;
/// # fn example(queue: &Queue) -> axum::Router {
/// axum::Router::new().nest("/jobs", Web::new(queue).base_path("/jobs").open_to_everyone().router())
/// # }
/// ```
#[derive(Debug)]
pub struct Web {
    queue: Queue,
    settings: Settings,
}

impl Web {
    /// The pages and the API of this queue.
    pub fn new(queue: &Queue) -> Self {
        Self { queue: queue.clone(), settings: Settings::new(Arc::new(Nobody)) }
    }

    /// Lets everybody who reaches the router do everything. For a loopback address, where whoever can connect can open
    /// the database as well. Requests must then name a host that no foreign web page can have: an address, `localhost`,
    /// or one of [`Web::host`].
    #[must_use]
    pub fn open_to_everyone(mut self) -> Self {
        self.settings.is_open = true;
        let tokens = TokenAccess::new(self.queue.clone());
        self.settings.tokens = Some(Arc::clone(&tokens));
        self.users(Open(tokens))
    }

    /// Lets in whoever has an access token of the database, by a header or at the log-in page.
    #[must_use]
    pub fn tokens(mut self) -> Self {
        let tokens = TokenAccess::new(self.queue.clone());
        self.settings.tokens = Some(Arc::clone(&tokens));
        self.users(tokens)
    }

    /// Asks the application who makes a request, and what that user may do.
    #[must_use]
    pub fn users(mut self, users: impl Identify) -> Self {
        self.settings.users = Arc::new(users);
        self
    }

    /// Allows this host name in requests. It may be given several times. Once one is given, other names are refused.
    #[must_use]
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.settings.hosts.push(name.into().to_ascii_lowercase());
        self
    }

    /// Where the router is mounted, such as `/jobs`. Links and cookies of the pages begin with it.
    #[must_use]
    pub fn base_path(mut self, path: impl AsRef<str>) -> Self {
        let path = path.as_ref().trim_matches('/');
        self.settings.base_path = if path.is_empty() { String::new() } else { format!("/{path}") };
        self
    }

    /// Refuses every change, whoever asks for it.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.settings.is_read_only = true;
        self
    }

    /// Names the database on the pages. The name must not contain a password.
    #[must_use]
    pub fn database(mut self, name: impl Into<String>) -> Self {
        self.settings.database = name.into();
        self
    }

    /// Hides the values of these fields in every page and answer, and in the errors and logs of the jobs that have them.
    /// Workers over HTTP get the values, because they run the jobs.
    #[must_use]
    pub fn redact(mut self, redaction: Redaction) -> Self {
        self.settings.redaction = redaction;
        self
    }

    /// What a job of a type is where a request does not say otherwise, such as its queue.
    #[must_use]
    pub fn defaults(mut self, new_job: impl Fn(&str) -> NewJob + Send + Sync + 'static) -> Self {
        self.settings.defaults = Arc::new(new_job);
        self
    }

    /// How the jobs of a type are retried, and what they get if they do not say otherwise, for workers over HTTP. A type
    /// without a policy is retried by the default one.
    #[must_use]
    pub fn policies(mut self, policy_of: impl Fn(&str) -> Option<HandlerPolicy> + Send + Sync + 'static) -> Self {
        self.settings.policies = Arc::new(policy_of);
        self
    }

    /// In which of several databases a job is.
    #[must_use]
    pub fn places(mut self, place_of: impl Fn(JobId) -> Option<Arc<str>> + Send + Sync + 'static) -> Self {
        self.settings.place = Arc::new(place_of);
        self
    }

    /// How the state of the migrations is read. The migrator must only inspect; it is opened for each request, on a
    /// thread that may block.
    #[must_use]
    pub fn migrations(
        mut self,
        open: impl Fn() -> Result<Migrator<'static>, Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        self.settings.migrations = Some(Arc::new(open));
        self
    }

    /// The router. Mount it with `nest` at [`Web::base_path`].
    pub fn router(self) -> Router {
        routes(&WebState::new(&self.queue, self.settings))
    }

    /// Serves the router until `shutdown` resolves, then ends event streams and lets other requests end for a limited
    /// time. Below a base path it answers with and without the path, because some proxies remove it.
    pub async fn serve(
        self,
        listener: TcpListener,
        options: ServeOptions,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let state = WebState::new(&self.queue, self.settings);
        let mut router = routes(&state);
        let base = &state.settings().base_path;
        if !base.is_empty() {
            let home = Redirect::permanent(base);
            router = Router::new()
                .route(&format!("{base}/"), get(async move || home))
                .nest(base, router.clone())
                .fallback_service(router);
        }
        // Before the first answer, so that whatever ends after it is counted.
        state.begin_counting().await;
        let closing = async {
            shutdown.await;
            state.close();
        };
        server::serve(listener, router, options, closing).await
    }
}

fn routes(state: &WebState) -> Router {
    let guarded = |endpoints: Vec<Endpoint>| {
        endpoints.into_iter().fold(Router::new(), |router, endpoint| endpoint.add_to(router, state))
    };
    let api = guarded(api::endpoints());
    let pages = guarded(pages::endpoints()).layer(from_fn_with_state(state.clone(), pages::show_errors));
    // Health is asked by programs that have no token, and only at exactly these paths.
    let open = api::health::routes().merge(assets::routes()).merge(pages::open_routes(state));
    api.merge(pages)
        .merge(open)
        .fallback(pages::no_such_path)
        .method_not_allowed_fallback(api::no_such_method)
        .layer(from_fn_with_state(state.clone(), guard::receive))
        .with_state(Mounted::new(state.clone()))
}
