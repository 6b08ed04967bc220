//! Time, processor time and memory.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::contender::{Contender, Job};
use super::report::Row;

/// Rounds of all contenders, one after the other in each.
const ROUNDS: usize = 40;

/// How long a batch for processor time goes on: the kernel tells it in hundredths of a second.
const BATCH: Duration = Duration::from_secs(3);

/// After a run, for what an engine still does when its command has returned.
const REST: Duration = Duration::from_millis(40);

/// Times `jobs` interleaved, so that whatever disturbs the machine disturbs all of them.
pub(super) fn compare(jobs: &[Job]) -> Result<Vec<Row>> {
    let mut times = vec![Vec::new(); jobs.len()];
    for round in 0..ROUNDS + 3 {
        for (job, times) in jobs.iter().zip(&mut times) {
            let time = once(job)?;
            // The first rounds warm caches.
            if round >= 3 {
                times.push(time.as_secs_f64() * 1e3);
            }
            std::thread::sleep(REST);
        }
    }
    let mut rows = Vec::new();
    for (job, mut times) in jobs.iter().zip(times) {
        times.sort_by(f64::total_cmp);
        rows.push(Row {
            name: job.name.clone(),
            figures: vec![
                ("median".to_owned(), times[times.len() / 2]),
                ("best".to_owned(), times[0]),
                ("CPU".to_owned(), cpu_of_one(job)?),
            ],
        });
    }
    Ok(rows)
}

fn once(job: &Job) -> Result<Duration> {
    let start = Instant::now();
    let status = job.command().status()?;
    let time = start.elapsed();
    ensure!(status.success(), "{}: {status}", job.name);
    Ok(time)
}

/// Milliseconds of processor time of one run: of the command, of whatever it starts, and of daemons.
fn cpu_of_one(job: &Job) -> Result<f64> {
    std::thread::sleep(Duration::from_millis(500));
    let before = ticks();
    let start = Instant::now();
    let mut runs = 0.0;
    while start.elapsed() < BATCH {
        once(job)?;
        runs += 1.0;
    }
    std::thread::sleep(Duration::from_millis(500));
    let spent = ticks() - before;
    Ok(spent * 10.0 / runs)
}

/// Processor time, in hundredths of a second, of all that runs or ran in this pid namespace: what has ended is in its
/// parent's account, and its first process adopts orphans. Without this program's own.
fn ticks() -> f64 {
    let own = std::process::id();
    processes()
        .map(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields: Vec<f64> = stat
                .rsplit(')')
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .map(|field| field.parse().unwrap_or(0.0))
                .collect();
            // utime, stime, cutime, cstime are fields 14 to 17, counted from the pid.
            let first = if pid == own { 13 } else { 11 };
            fields
                .get(first..15)
                .unwrap_or_default()
                .iter()
                .sum::<f64>()
        })
        .sum()
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// What `count` sleeping containers of `engine` add, each: memory of the engine's processes, and the kernel's.
pub(super) fn memory(engine: &Contender, count: u32) -> Result<Row> {
    let names: Vec<String> = (0..count).map(|n| format!("bench-{n}")).collect();
    let settle = Duration::from_secs(2);
    std::thread::sleep(settle);
    let (idle, kernel_idle) = (engine_memory(), kernel_memory());
    for name in &names {
        engine.start(name)?;
    }
    std::thread::sleep(settle);
    let (busy, kernel_busy) = (engine_memory(), kernel_memory());
    engine.remove(&names)?;
    let each = |kib: f64| kib / 1024.0 / f64::from(count);
    Ok(Row {
        name: engine.name().to_owned(),
        figures: vec![
            ("engine".to_owned(), each(busy - idle)),
            ("kernel".to_owned(), each(kernel_busy - kernel_idle)),
        ],
    })
}

/// KiB (PSS) of every process but ours and the containers' own.
fn engine_memory() -> f64 {
    let own = [1, std::process::id()];
    processes()
        .filter(|pid| !own.contains(pid))
        .filter(|pid| {
            let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            comm.trim() != "sleep"
        })
        .map(|pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
            kib(&text.unwrap_or_default(), &["Pss:"])
        })
        .sum()
}

/// KiB of the machine that hang on containers: slab, stacks, page tables, per-CPU data.
fn kernel_memory() -> f64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    kib(&text, &["Slab:", "KernelStack:", "PageTables:", "Percpu:"])
}

fn kib(text: &str, fields: &[&str]) -> f64 {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?;
            let value: f64 = words.next()?.parse().ok()?;
            fields.contains(&name).then_some(value)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    #[test]
    fn kib_are_added() {
        let text = "Rss:  12 kB\nPss:  7 kB\nPss_Dirty: 3 kB\n";
        assert!((super::kib(text, &["Pss:"]) - 7.0).abs() < 0.1);
    }
}
