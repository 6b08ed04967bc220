//! A command on a real pseudo-terminal, typed at and read from as a person would.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, unlockpt};
use rustix::termios::Winsize;

/// A running command whose standard streams and controlling terminal are a pseudo-terminal of 24 rows and 80 columns.
#[derive(Debug)]
pub struct Terminal {
    master: File,
    slave: OwnedFd,
    child: Child,
    /// Everything that was shown so far.
    pub shown: String,
}

impl Terminal {
    /// Starts `command` on a new terminal.
    #[expect(
        unsafe_code,
        reason = "setsid and TIOCSCTTY must be called between fork and exec"
    )]
    pub fn spawn(mut command: Command) -> std::io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let slave = rustix::pty::ioctl_tiocgptpeer(
            &master,
            OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC,
        )?;
        rustix::termios::tcsetwinsize(
            &slave,
            Winsize {
                ws_row: 24,
                ws_col: 80,
                ws_xpixel: 0,
                ws_ypixel: 0,
            },
        )?;
        command
            .stdin(slave.try_clone()?)
            .stdout(slave.try_clone()?)
            .stderr(slave.try_clone()?);
        // SAFETY: two system calls that allocate nothing.
        unsafe {
            command.pre_exec(|| {
                rustix::process::setsid()?;
                rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
                Ok(())
            });
        }
        let child = command.spawn()?;
        drop(command);
        rustix::io::ioctl_fionbio(&master, true)?;
        Ok(Self {
            master: File::from(master),
            slave,
            child,
            shown: String::new(),
        })
    }

    /// Types `text`.
    pub fn send(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until `text` was shown after what earlier calls consumed, and gives what came up to its end.
    ///
    /// # Panics
    /// When it isn't shown within 10 s.
    pub fn expect(&mut self, text: &str) -> String {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(at) = self.shown.find(text) {
                return self.shown.drain(..at + text.len()).collect();
            }
            assert!(
                Instant::now() < end,
                "{text:?} was not shown; shown: {:?}",
                self.shown
            );
            self.read();
        }
    }

    /// Changes the window size, which the command learns by SIGWINCH.
    pub fn resize(&mut self, rows: u16, cols: u16) {
        let size = Winsize {
            ws_row: rows,
            ws_col: cols,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        rustix::termios::tcsetwinsize(&self.master, size).unwrap();
    }

    /// Whether the terminal echoes and edits lines: what a shell expects to find when a program has ended.
    #[must_use]
    pub fn is_cooked(&self) -> bool {
        use rustix::termios::LocalModes;
        let modes = rustix::termios::tcgetattr(&self.slave).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    /// The command's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the command's end, reading on.
    ///
    /// # Panics
    /// When it doesn't end within 15 s.
    pub fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + Duration::from_secs(15);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.read();
                return status;
            }
            assert!(
                Instant::now() < end,
                "the command does not end; shown: {:?}",
                self.shown
            );
            self.read();
        }
    }

    fn read(&mut self) {
        let timeout = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 20_000_000,
        };
        let mut poll = [rustix::event::PollFd::from_borrowed_fd(
            self.master.as_fd(),
            rustix::event::PollFlags::IN,
        )];
        let _ready = rustix::event::poll(&mut poll, Some(&timeout));
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = self.master.read(&mut buffer) {
            self.shown.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}
