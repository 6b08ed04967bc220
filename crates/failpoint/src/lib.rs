//! Named points at which a test may kill the process that passes them.
//!
//! Knows nothing of the project. A point costs nothing unless the feature `failpoints` is on. With it, the
//! environment steers: `TARE_FAILPOINT=name` ends the process on the spot (SIGABRT: no destructor runs, nothing is
//! cleaned up) when it passes `name`, and `TARE_FAILPOINT_LOG=file` appends each visited name to `file`, so that a test can tell which points
//! its story passes.
//!
//! [`POINTS`] lists all of them: a name that is not there does not compile, and the crash test reads the table and
//! fails for a point that no story visits.

/// Every fail point of the project, in the order of the code that passes them.
pub const POINTS: &[&str] = &[
    // store
    "store.blob.commit.before_file",
    "store.blob.commit.after_file",
    "store.blob.commit.after_row",
    "store.blob.remove.after_row",
    "store.pack.after_blob",
    "store.partial.before_file",
    "store.partial.after_file",
    "store.partial.after_row",
    "store.unpack.before_file",
    "store.unpack.after_file",
    "store.unpack.after_row",
    "store.layer.mount.before_attach",
    "store.layer.mount.after_attach",
    "store.layer.remove.after_row",
    "store.snapshot.prepare.after_directory",
    "store.snapshot.mount.after_mount",
    "store.snapshot.discard.before_remove",
    "store.area.attached",
    // engine
    "image.add.begun",
    "image.load.after_layers",
    "image.load.after_blobs",
    "image.load.after_row",
    "image.pull.resolved",
    "image.pull.after_layer",
    "image.pull.after_layers",
    "image.pull.after_documents",
    "image.pull.after_row",
    "image.push.after_blobs",
    "image.push.after_manifest",
    "image.import.after_layer",
    "image.import.after_config",
    "image.import.after_row",
    "container.create.volumes",
    "container.commit.held",
    "container.commit.after_layer",
    "container.commit.after_config",
    "container.commit.after_row",
    "volume.provide.after_directory",
    "volume.provide.after_row",
    "container.create.after_row",
    "network.join.reserved",
    "network.join.attached",
    "network.join.named",
    "network.leave.begun",
    "network.leave.undone",
    "network.ports.reserved",
    "network.ports.begun",
    "network.ports.taken",
    "network.remove.after_host",
    "container.start.prepared",
    "container.start.mounted",
    "container.start.launched",
    "container.start.running",
    "exec.created",
    "exec.started",
    "container.update.applied",
    "container.rename.after_row",
    "container.remove.after_row",
    "container.remove.after_files",
    "volume.remove.after_row",
    "image.remove.after_row",
    "image.garbage.after_layer",
    "build.run.created",
    "build.run.ended",
    "build.run.layered",
    "build.finish.after_config",
    "build.finish.after_row",
    // monitor
    "monitor.launch.locked",
    "monitor.launch.created",
    "monitor.launch.started",
    "monitor.launch.reported",
    "monitor.pause.frozen",
    "monitor.pause.thawed",
    "monitor.restart.recorded",
    "monitor.restart.started",
    "monitor.exit.drained",
    "monitor.exit.cleared",
    "monitor.exit.recorded",
    "monitor.exit.released",
    "monitor.exit.told",
    // runtime
    "runtime.create.after_directory",
    "runtime.create.after_clone",
    "runtime.create.after_group",
    "runtime.exec.after_clone",
    // the registry over the engine's store: visited by its own test
    "registry.adopt.after_link",
    "registry.adopt.after_row",
    "registry.release.after_row",
    // tare-runtime: visited by the tests of that command
    "tare-runtime.create.reserved",
    "tare-runtime.create.begun",
    "tare-runtime.create.made",
    "tare-runtime.create.kept",
    "tare-runtime.start.released",
    "tare-runtime.update.applied",
    "tare-runtime.delete.killed",
    "tare-runtime.delete.cleared",
];

/// Whether `name` is in [`POINTS`]; evaluated at compile time by [`failpoint!`].
#[must_use]
pub const fn known(name: &str) -> bool {
    let mut i = 0;
    while i < POINTS.len() {
        if same(POINTS[i].as_bytes(), name.as_bytes()) {
            return true;
        }
        i += 1;
    }
    false
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Marks a point where a crash test may kill the process. The name must be in [`POINTS`].
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {{
        const {
            assert!(
                $crate::known($name),
                "fail point is not in failpoint::POINTS"
            )
        };
        $crate::visit($name);
    }};
}

/// Passes the point `name`: see the crate's documentation. Use [`failpoint!`].
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn visit(_name: &str) {}

/// Passes the point `name`: see the crate's documentation. Use [`failpoint!`].
#[cfg(feature = "failpoints")]
#[expect(
    clippy::disallowed_methods,
    reason = "steered by the environment, in test builds only"
)]
pub fn visit(name: &str) {
    use std::io::Write;
    if let Ok(path) = std::env::var("TARE_FAILPOINT_LOG")
        && let Ok(mut log) = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
    {
        // One write: several processes append to the same file.
        drop(log.write_all(format!("{name}\n").as_bytes()));
    }
    if std::env::var("TARE_FAILPOINT").is_ok_and(|wanted| wanted == name) {
        std::process::abort();
    }
}
