//! What monitors and units run: calls of the engine without a client between.

use crate::connect;
use crate::error::{Error, Outcome, Result};
use crate::output;
use crate::settings::Settings;
use engine::Engine;
use spec::ContainerId;

/// Removes a container that has ended: a monitor's last act for `--rm`.
pub(crate) fn remove(settings: &Settings, id: &str) -> Outcome {
    let id: ContainerId = id
        .parse()
        .map_err(|_| Error::usage(format!("{id:?} is no full id of a container")))?;
    with_engine(settings, async |engine| {
        engine.containers().remove_exited(&id).await?;
        Ok(0)
    })
}

/// Gives back what a container that has ended has on networks: its monitor's last act when it stays.
pub(crate) fn leave(settings: &Settings, id: &str) -> Outcome {
    let id: ContainerId = id
        .parse()
        .map_err(|_| Error::usage(format!("{id:?} is no full id of a container")))?;
    with_engine(settings, async |engine| {
        engine.containers().leave_networks(&id).await?;
        Ok(0)
    })
}

/// Takes from the host, after a while, the networks that no container is on.
pub(crate) fn sweep(settings: &Settings) -> Outcome {
    with_engine(settings, async |engine| {
        engine.sweep_networks()?;
        Ok(0)
    })
}

/// Makes the rules and links of all running containers again where somebody has taken them away; says what was not there.
pub(crate) fn apply(settings: &Settings) -> Outcome {
    with_engine(settings, async |engine| {
        for done in engine.apply_networks()? {
            output::line(&done)?;
        }
        Ok(0)
    })
}

/// Prints what is not as it should be.
pub(crate) fn check(settings: &Settings) -> Outcome {
    with_engine(settings, async |engine| {
        let findings = engine.system().check().await?;
        for finding in &findings {
            output::line(&format!("{}: {}", finding.subject, finding.problem))?;
        }
        Ok(u8::from(!findings.is_empty()))
    })
}

/// Once after the machine's start: opening the engine finishes or undoes what the last boot left half done; then what is
/// always to run is started.
pub(crate) fn boot(settings: &Settings) -> Outcome {
    with_engine(settings, async |engine| {
        crate::daemon::revive(engine.containers()).await;
        Ok(0)
    })
}

fn with_engine(settings: &Settings, act: impl AsyncFnOnce(Engine) -> Outcome) -> Outcome {
    runtime()?.block_on(async { act(connect::engine(settings, engine::Prospect::Open)?).await })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| Error::io("start", "the runtime", why))
}
