//! What a monitor does when its container has lived for a while.

use std::fs::File;
use std::io::Write;

use kernel::cgroup::{Cgroup, CgroupPath, Layout, Plan, Resources};
use kernel::oom::set_score_adjustment;
use kernel::procfs::{ProcFs, Subset};
use rustix::fs::{Mode, OFlags};

/// How little the kernel should want to kill a monitor when memory is short: the container would die with it.
const SPARED: i32 = -999;

/// Leaves the cgroup of whoever launched, asks the kernel to spare this process, and gives back the memory of the launch.
///
/// Nobody waits for any of it, and it is not for the first moments: entering a cgroup takes up to 10 ms, which a short-lived
/// program's end would have to wait for.
pub(crate) fn down(cgroup: Option<&str>) {
    if let Some(cgroup) = cgroup {
        // Where that is not allowed, it stays in its launcher's.
        drop(enter(cgroup));
    }
    // Where lowering it is not allowed, it stays.
    drop(ProcFs::open(Subset::Processes).and_then(|proc| set_score_adjustment(&proc, SPARED)));
    kernel::memory::release();
}

/// Moves this process to the cgroup `path`. It has one thread, so in version 1 it need not stop all processes for that.
fn enter(path: &str) -> kernel::Result<()> {
    let layout = Layout::probe()?;
    let plan = Plan::new(&Resources::default(), &layout)?;
    let group = Cgroup::create(&layout, &CgroupPath::parse(path)?, &plan)?;
    let mut files = group.tasks_files()?;
    if let Some(dir) = group.unified_dir() {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(dir, "cgroup.procs", flags, Mode::empty());
        files.extend(file.map(File::from));
    }
    for mut file in files {
        // One that can't be entered is no reason against the others.
        drop(file.write_all(b"0"));
    }
    Ok(())
}
