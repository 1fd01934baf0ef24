use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::arguments::BesideWorkArguments;
use crate::commands::serve::Server;
use crate::context::Context;
use crate::database::Database;
use crate::output::log_format::WORKER;
use crate::settings::serve::ServeSettings;

/// A server in the process of a worker. It answers until the worker has ended, so that the pages show how that goes.
pub(super) struct RunningServer {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl RunningServer {
    /// Starts it; none if the usual address is taken.
    pub(super) async fn start(
        context: &Context,
        database: &Database,
        arguments: &BesideWorkArguments,
    ) -> anyhow::Result<Option<Self>> {
        let settings = ServeSettings::new(arguments.listen, &arguments.site, &context.config()?.serve);
        let bound = Server::bind_beside_worker(context, database, &settings).await?;
        let Some(server) = bound else { return Ok(None) };
        tracing::info!(target: WORKER, "listening on {}", server.url());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let stopped = async {
                // A dropped sender means the same.
                let _ = stopped.await;
            };
            if let Err(error) = server.run(stopped).await {
                tracing::error!(error = %error, "the server has failed; jobs continue");
            }
        });
        Ok(Some(Self { stop, task }))
    }

    /// Ends it and waits for open requests.
    pub(super) async fn stop(self) {
        let _ = self.stop.send(());
        if self.task.await.is_err() {
            tracing::error!("the server has panicked");
        }
    }
}
