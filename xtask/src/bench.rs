//! `cargo xtask bench`: Tare beside its peers and the floor, in one run, on one file system; writes docs/benchmarks.md.
//!
//! Everything happens in mount, network, pid and IPC namespaces of its own: when the bench ends, whatever peers have
//! started or mounted ends with them. What the namespaces don't hold (cgroups, files) is removed by name.
#![expect(clippy::disallowed_methods, reason = "a chore is made of commands")]

mod arena;
mod contender;
mod measure;
mod report;
mod runtimes;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::{images, packages, peers, shell};
use arena::Arena;
use contender::Contender;

const USAGE: &str = "cargo xtask bench [run|exec|runtime|memory|all] [floor|tare|podman|docker]...";

/// Runs the benchmarks named, with all contenders or those named, and records them when all took part.
pub(crate) fn run(args: &[&str]) -> Result<()> {
    ensure!(
        shell::is_root(),
        "the bench makes containers and needs root"
    );
    let (what, names) = match args {
        [] => ("all", Vec::new()),
        [what, names @ ..] => (*what, names.to_vec()),
    };
    if !matches!(what, "run" | "exec" | "runtime" | "memory" | "all") {
        bail!("{USAGE}");
    }
    let names = match names.is_empty() {
        true => contender::NAMES.to_vec(),
        false => names,
    };
    if let Some(name) = names.iter().find(|name| !contender::NAMES.contains(name)) {
        bail!("no contender {name}: {USAGE}");
    }
    prepare(&names)?;
    for stale in packages::left_by_the_dead(&shell::root().join("target"), "bench-")? {
        sweep(&stale)?;
    }
    let dir = shell::root().join(format!("target/bench-{}", std::process::id()));
    let ran = enter(&dir, what, &names);
    let swept = sweep(&dir);
    let results = ran?;
    swept?;
    report::show(&results);
    let complete = names.len() == contender::NAMES.len();
    match complete {
        true => report::record(&results),
        false => Ok(()),
    }
}

/// Builds and fetches what the contenders need.
fn prepare(names: &[&str]) -> Result<()> {
    shell::install(&[
        ("mkfs.ext4", "e2fsprogs"),
        ("mkfs.erofs", "erofs-utils"),
        ("gcc", "gcc"),
    ])?;
    images::busybox()?;
    if names.contains(&"floor") {
        let source = "benches/floor/floor.c";
        fs::create_dir_all(shell::root().join("target/bench"))?;
        let out = "target/bench/floor";
        shell::run("gcc", &["-O2", "-static", "-Wall", "-o", out, source])?;
    }
    if names.contains(&"tare") {
        shell::run("cargo", &["build", "--release", "--package", "tare"])?;
    }
    // Both always: their files make the host's /usr of every contender the same.
    peers::DOCKER.unpack()?;
    peers::PODMAN.unpack()?;
    Ok(())
}

/// Starts this program again in namespaces of its own, below a shell that reaps what peers leave behind.
fn enter(dir: &Path, what: &str, names: &[&str]) -> Result<String> {
    fs::create_dir_all(dir)?;
    let mut command = shell::command(
        "unshare",
        &[
            "--mount",
            "--net",
            "--pid",
            "--ipc",
            "--fork",
            "--mount-proc",
            "--kill-child",
            "sh",
            "-c",
            "\"$@\"; exit $?",
            "sh",
        ],
    );
    command
        .arg(std::env::current_exe()?)
        .arg("bench-inside")
        .arg(dir)
        .arg(what)
        .args(names);
    shell::finish(command)?;
    fs::read_to_string(dir.join("results")).context("the bench left no results")
}

/// The part inside the namespaces.
pub(crate) fn inside(args: &[&str]) -> Result<()> {
    let [dir, what, names @ ..] = args else {
        bail!("{USAGE}");
    };
    let arena = Arena::set_up(Path::new(dir))?;
    let mut contenders: Vec<Contender> = names
        .iter()
        .map(|name| Contender::set_up(name, &arena))
        .collect::<Result<_>>()?;
    let measured = measure_all(what, &arena, &contenders);
    for contender in &mut contenders {
        contender.stop()?;
    }
    let mut results = report::Results::default();
    for (name, table) in measured? {
        results.add(name, table);
    }
    results.save(&Path::new(dir).join("results"))
}

fn measure_all(
    what: &str,
    arena: &Arena,
    contenders: &[Contender],
) -> Result<Vec<(&'static str, Vec<report::Row>)>> {
    let mut tables = Vec::new();
    let wanted = |name: &str| what == name || what == "all";
    if wanted("run") {
        shell::say("run --rm --network none busybox true");
        let runs: Vec<_> = contenders.iter().map(Contender::run_true).collect();
        tables.push(("run", measure::compare(&runs)?));
    }
    let engines: Vec<_> = contenders.iter().filter(|c| c.is_engine()).collect();
    if wanted("exec") {
        shell::say("exec CONTAINER true");
        let mut runs = Vec::new();
        for engine in &engines {
            engine.start("bench-exec")?;
            runs.push(engine.exec_true("bench-exec"));
        }
        std::thread::sleep(Duration::from_millis(500));
        tables.push(("exec", measure::compare(&runs)?));
        for engine in &engines {
            engine.remove(&["bench-exec".to_owned()])?;
        }
    }
    if wanted("runtime") {
        shell::say("run of one bundle by the runtimes alone");
        let with_tare = contenders.iter().any(|c| c.name() == "tare");
        let runtimes = runtimes::Runtimes::set_up(arena, with_tare)?;
        tables.push(("runtime", measure::compare(&runtimes.whole()?)?));
        shell::say("create, start, wait and delete by the runtimes alone");
        tables.push(("runtime-steps", runtimes.steps()?));
        shell::say("exec by the runtimes alone");
        runtimes.begin()?;
        tables.push(("runtime-exec", measure::compare(&runtimes.execs())?));
        runtimes.end()?;
        shell::say("100 at once by the runtimes alone");
        tables.push(("runtime-crowd", runtimes.crowd()?));
        tables.push(("runtime-weight", runtimes.weight()?));
    }
    if wanted("memory") {
        let mut rows = Vec::new();
        for engine in &engines {
            shell::say(&format!("memory of 100 containers of {}", engine.name()));
            rows.push(measure::memory(engine, 100)?);
        }
        tables.push(("memory", rows));
    }
    Ok(tables)
}

/// Removes what isn't held by the namespaces: the scratch folder and the cgroups of our name.
fn sweep(dir: &Path) -> Result<()> {
    remove_cgroups(&arena::cgroup(dir))?;
    // Ours by its name, and what was mounted in it went with the namespace.
    fs::remove_dir_all(dir).with_context(|| format!("remove {}", dir.display()))
}

fn remove_cgroups(name: &str) -> Result<()> {
    let top = Path::new("/sys/fs/cgroup");
    let mut tops = vec![top.join(name)];
    for entry in fs::read_dir(top)? {
        tops.push(entry?.path().join(name));
    }
    for top in tops.iter().filter(|top| top.is_dir()) {
        remove_cgroup(top)?;
    }
    Ok(())
}

fn remove_cgroup(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_cgroup(&entry.path())?;
        }
    }
    let mut last = Ok(());
    for _ in 0..100 {
        last = fs::remove_dir(dir);
        if last.is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    last.with_context(|| format!("remove {}", dir.display()))
}
