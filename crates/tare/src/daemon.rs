//! `tare daemon`: the engine's interface on a unix socket. It may be killed at any time: containers do not notice.

use crate::error::{Error, Outcome};
use crate::settings::{Host, Settings};
use crate::signals::Signals;
use crate::{connect, output};
use server::{BindError, Socket};

/// Serves until a signal asks it to end; requests that have begun are finished.
pub(crate) fn run(settings: &Settings) -> Outcome {
    let path = match &settings.host {
        Host::Unix(path) => path.clone(),
        Host::Auto | Host::Embedded => settings.socket(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|why| Error::io("start", "the runtime", why))?;
    let outcome = runtime.block_on(async {
        let mut signals = Signals::ending()?;
        let engine = connect::engine(settings, engine::Prospect::Open)?;
        let containers = engine.containers();
        let router = server::router(engine);
        let socket = Socket::bind(&path).map_err(explain)?;
        output::say(&format!("tare daemon: listening on {}", path.display()));
        // While it serves already: there may be many.
        let revival = tokio::spawn(revive(containers));
        let stop = async {
            let came = signals.next().await;
            output::say(&format!("tare daemon: SIG{}, stopping", came.name));
        };
        let served = socket.serve(router, stop).await;
        revival.abort();
        // What has begun is finished: a step is never left half done.
        drop(revival.await);
        served.map_err(|why| Error::io("serve", path.display(), why))?;
        Ok(0)
    });
    runtime.shutdown_background();
    outcome
}

/// Starts what is always to run.
pub(crate) async fn revive(containers: engine::container::Containers) {
    match containers.revive().await {
        Ok(failed) => {
            for (name, error) in failed {
                output::say(&format!(
                    "tare: container {name} can't be started: {}",
                    error.chain()
                ));
            }
        }
        Err(error) => output::say(&format!("tare: no container is started: {}", error.chain())),
    }
}

fn explain(error: BindError) -> Error {
    match &error {
        BindError::InUse(_) => Error::local(error.to_string())
            .with_hint("stop it first, or give this one another --run-root"),
        BindError::NoSocket(_) => Error::local(error.to_string()),
        BindError::Io { .. } => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let text = Error::local(error.to_string());
            match source {
                Some(source) => text.because(source),
                None => text,
            }
        }
    }
}
