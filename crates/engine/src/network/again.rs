//! Everything again from the rows: after a flush of rules, after a kill, and nothing where no container needs it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ::network::{Desired, Endpoint, Network, NetworkId};
use kernel::lock::{Flock, Sharing, Wait};
use kernel::process::{Executable, Spawn};

use super::{leave, lookup, names};
use crate::error::{Error, Result};
use crate::launch;
use crate::open::{Engine, Inner};

/// How long a network that nobody is on stays on the host: the next container comes soon, and to remove a bridge takes the kernel longer than anything else.
const GRACE: Duration = Duration::from_secs(1);
/// How often is looked meanwhile whether somebody else has removed it.
const LOOK: Duration = Duration::from_millis(50);

/// What should be on the host: the rows say it.
pub(crate) fn desired(inner: &Inner) -> Result<Desired> {
    let (networks, ends, ports) = inner
        .db
        .read(|tx| Ok((tx.networks()?, tx.endpoints()?, tx.ports()?)))?;
    let used: BTreeSet<&String> = ends.iter().map(|row| &row.network).collect();
    let networks = networks.iter().filter(|row| used.contains(&row.id));
    Ok(Desired {
        networks: networks
            .map(lookup::decode)
            .collect::<Result<Vec<Network>>>()?,
        endpoints: ends
            .iter()
            .map(leave::decode)
            .collect::<Result<Vec<Endpoint>>>()?,
        bindings: leave::bindings(&ports),
    })
}

/// Makes the host as the rows say; gives what had to be made again or removed. The caller holds the lock of all networks.
pub(crate) fn apply(inner: &Inner) -> Result<Vec<String>> {
    let desired = desired(inner)?;
    Ok(inner.fabric().reapply(|| Ok(desired))?)
}

/// Whether a network is on the host that no container is on.
fn is_littered(inner: &Inner) -> Result<bool> {
    let (networks, ends) = inner.db.read(|tx| Ok((tx.networks()?, tx.endpoints()?)))?;
    let used: BTreeSet<&String> = ends.iter().map(|row| &row.network).collect();
    let fabric = inner.fabric();
    for row in networks.iter().filter(|row| !used.contains(&row.id)) {
        if inner.names_dir(&lookup::decode(row)?.id).exists()
            || fabric.is_up(&lookup::decode(row)?)?
        {
            return Ok(true);
        }
    }
    Ok(ends.is_empty() && fabric.has_rules()?)
}

/// Takes from the host what no container needs: bridges, rules, names.
pub(crate) fn sweep(inner: &Inner) -> Result<()> {
    let _lock = inner.lock_networks()?;
    leave::dead(inner)?;
    sweep_locked(inner)
}

fn sweep_locked(inner: &Inner) -> Result<()> {
    let (networks, ends) = inner.db.read(|tx| Ok((tx.networks()?, tx.endpoints()?)))?;
    let used: BTreeSet<&String> = ends.iter().map(|row| &row.network).collect();
    let fabric = inner.fabric();
    for row in networks.iter().filter(|row| !used.contains(&row.id)) {
        let network = lookup::decode(row)?;
        if network.driver.has_links() && fabric.is_up(&network)? {
            // Links of who has just ended may still hang on it: they go with their namespaces.
            fabric.remove_network(&network)?;
        }
        // Entries of who has left are gone; what a killed engine left goes with the directory.
        names::forget(inner, &network.id)?;
    }
    if ends.is_empty() && fabric.has_rules()? {
        fabric.reapply(|| Ok(Desired::default()))?;
    }
    Ok(())
}

/// Starts a process of its own that takes from the host after a while what no container needs, if nobody is left on one of `left`. One such process is enough. The
/// caller holds the lock of all networks.
pub(crate) fn sweep_later(inner: &Inner, left: &[NetworkId]) -> Result<()> {
    let idle = inner.db.read(|tx| {
        for network in left {
            if tx.is_network_idle(network.as_str())? {
                return Ok(true);
            }
        }
        Ok(false)
    })?;
    if !idle || sweeper(inner, Wait::No)?.is_none() {
        return Ok(());
    }
    let args = launch::internal(inner, &["sweep"]);
    let program = Executable::Path(PathBuf::from(&args[0]));
    let mut spawn = Spawn::new(program, args.iter().map(OsString::from));
    for (name, value) in launch::steering() {
        spawn = spawn.env(name, value);
    }
    spawn.setsid = true;
    crate::container::reap(spawn.start()?);
    Ok(())
}

/// The lock of the one who waits to sweep; none if another has it.
fn sweeper(inner: &Inner, wait: Wait) -> Result<Option<Flock>> {
    let directory = inner.config.paths.run.join("network");
    crate::open::make_dir(&directory)?;
    let path = directory.join("sweep.lock");
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|e| Error::internal(format!("open {}", path.display()), e))?;
    Ok(Flock::acquire(file, Sharing::Exclusive, wait)?)
}

impl Engine {
    /// Waits for a while, then takes from the host the networks that no container is on: what an engine has done for it when the last one has left.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn sweep_networks(&self) -> Result<()> {
        let inner = &*self.0;
        // Who only looks whether somebody waits holds it for a moment.
        let Ok(Some(waiting)) = sweeper(inner, Wait::Until(Instant::now() + LOOK)) else {
            return Ok(());
        };
        let end = Instant::now() + GRACE;
        while Instant::now() < end && is_littered(inner)? {
            std::thread::sleep(LOOK);
        }
        let _lock = inner.lock_networks()?;
        // Whoever leaves from now on waits for the lock of all networks, and then finds that nobody waits to sweep.
        drop(waiting);
        sweep_locked(inner)
    }

    /// Makes rules and links of all running containers again, as they should be; gives what was not. What no container needs is removed.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn apply_networks(&self) -> Result<Vec<String>> {
        let inner = &*self.0;
        let _lock = inner.lock_networks()?;
        leave::dead(inner)?;
        apply(inner)
    }
}
