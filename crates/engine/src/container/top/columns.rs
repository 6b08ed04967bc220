//! The columns of `ps -ef`.

use std::fs::{self, File};

use jiff::Timestamp;
use kernel::root::RootDir;
use kernel::user::Users;

use super::Processes;

const TITLES: [&str; 8] = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"];
/// Clock ticks a second, in which procfs tells times: USER_HZ, 100 on all machines of ours.
const TICKS: u64 = 100;
const DAY: i64 = 24 * 60 * 60;

/// A process, from `/proc/<pid>/stat`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) name: String,
    pub(super) parent: i32,
    pub(super) terminal: u64,
    /// Ticks of processor.
    pub(super) used: u64,
    /// Ticks since the boot.
    pub(super) started: u64,
}

/// The table of those of `pids` that are still there, in the order of their numbers. Times are of UTC.
pub(super) fn usual(pids: &[i32], now: Timestamp) -> Processes {
    let users = users();
    let uptime = uptime();
    let rows = pids.iter().filter_map(|pid| {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let process = parse(&String::from_utf8_lossy(&stat))?;
        let uid = uid(*pid)?;
        let age = uptime.saturating_sub(process.started) / TICKS;
        let begun = now.as_second() - i64::try_from(age).unwrap_or(0);
        Some(vec![
            users
                .by_uid(uid)
                .map_or_else(|| uid.to_string(), |user| user.name),
            pid.to_string(),
            process.parent.to_string(),
            share(process.used, age).to_string(),
            when(begun, now.as_second()),
            terminal(process.terminal),
            clock(process.used / TICKS),
            command(*pid, &process.name),
        ])
    });
    Processes {
        rows: rows.collect(),
        titles: TITLES.map(str::to_owned).to_vec(),
    }
}

fn users() -> Users {
    let host = File::open("/").map(|root| RootDir::from_fd(root.into()));
    // Without names, numbers are shown.
    let read = host.ok().and_then(|root| Users::read(&root).ok());
    read.unwrap_or_default()
}

/// Ticks since the boot.
fn uptime() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let part = u64::try_from(time.tv_nsec).unwrap_or(0) / (1_000_000_000 / TICKS);
    seconds * TICKS + part
}

/// The name stands in brackets and may hold anything.
pub(super) fn parse(stat: &str) -> Option<Process> {
    let (_, rest) = stat.split_once('(')?;
    let (name, rest) = rest.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // proc(5) counts from the pid, which is 1; the state is 3.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Process {
        name: name.to_owned(),
        parent: i32::try_from(field(4)?).ok()?,
        terminal: field(7)?,
        used: field(14)? + field(15)?,
        started: field(22)?,
    })
}

fn uid(pid: i32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    // Real, effective, saved, of files.
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Percent of one processor since its start.
fn share(used: u64, age: u64) -> u64 {
    used.checked_div(age).unwrap_or(0).min(99)
}

/// `09:41` of the last day, `Nov23` before.
pub(super) fn when(begun: i64, now: i64) -> String {
    let Ok(time) = Timestamp::from_second(begun) else {
        return "?".to_owned();
    };
    if now - begun < DAY {
        time.strftime("%H:%M").to_string()
    } else {
        time.strftime("%b%d").to_string()
    }
}

/// The device's number, as tty_nr has it: `pts/3`.
pub(super) fn terminal(number: u64) -> String {
    let major = number >> 8 & 0xfff;
    let minor = number & 0xff | number >> 12 & 0xf_ff00;
    match major {
        136..=143 => format!("pts/{}", (major - 136) * 256 + minor),
        4 if minor < 64 => format!("tty{minor}"),
        4 => format!("ttyS{}", minor - 64),
        _ => "?".to_owned(),
    }
}

/// `00:01:02`.
pub(super) fn clock(seconds: u64) -> String {
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// The arguments; the name in brackets of what has none.
fn command(pid: i32, name: &str) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = line
        .split(|byte| *byte == 0)
        .map(String::from_utf8_lossy)
        .collect();
    let text = words.join(" ");
    match text.trim_end() {
        "" => format!("[{name}]"),
        text => text.to_owned(),
    }
}
