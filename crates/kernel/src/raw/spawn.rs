//! A new program in a new process: clone(2) with CLONE_VM and CLONE_VFORK, then exec.
//!
//! As posix_spawn(3) does it. The child shares the parent's memory, so it costs the same however large the parent is, and works in a
//! process with many threads: it runs on a stack of its own, with all signals blocked, and only makes system calls until it is gone by execve(2) or
//! _exit(2). The calling thread sleeps until then.

use super::{CStr, OwnedFd, check, io, own};
use crate::raw::signal;
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicI32, Ordering};

/// What the child does, in this order; all memory that it needs.
pub(crate) struct Plan<'a> {
    /// `cgroup.procs` files to be written into.
    pub(crate) cgroups: &'a [c_int],
    /// Whether it leads a session of its own.
    pub(crate) session: bool,
    /// Whether it leads a process group, which is put in front at the terminal that is its standard input.
    pub(crate) group: bool,
    /// The signal at the end of the thread that spawned it; 0 for none.
    pub(crate) death_signal: c_int,
    pub(crate) directory: Option<&'a CStr>,
    /// From where to where descriptors go. No source may be a target.
    pub(crate) moves: &'a [(c_int, c_int)],
    pub(crate) program: Program<'a>,
    pub(crate) args: &'a [CString],
    pub(crate) env: &'a [CString],
}

pub(crate) enum Program<'a> {
    Path(&'a CStr),
    Fd(c_int),
}

/// The step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Stage {
    Clone,
    Cgroup,
    Session,
    Directory,
    Descriptors,
    Exec,
}

const STAGES: [Stage; 6] = [
    Stage::Clone,
    Stage::Cgroup,
    Stage::Session,
    Stage::Directory,
    Stage::Descriptors,
    Stage::Exec,
];

struct Shared<'a> {
    plan: &'a Plan<'a>,
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
    parent: libc::pid_t,
    stage: AtomicI32,
    error: AtomicI32,
}

/// Gives the child's pid and pidfd once it has executed the program; a child that could not is reaped.
pub(crate) fn spawn(plan: &Plan<'_>) -> Result<(i32, OwnedFd), (Stage, io::Error)> {
    let pointers = |strings: &[CString]| -> Vec<*const c_char> {
        strings
            .iter()
            .map(|s| s.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let shared = Shared {
        plan,
        argv: pointers(plan.args),
        envp: pointers(plan.env),
        // SAFETY: getpid(2) always succeeds.
        parent: unsafe { libc::getpid() },
        stage: AtomicI32::new(Stage::Clone as i32),
        error: AtomicI32::new(0),
    };
    let stack = Stack::new().map_err(|e| (Stage::Clone, e))?;
    // No handler of ours may run in the child: it would run on the parent's memory.
    let old =
        signal::mask(libc::SIG_SETMASK, &signal::Set::full()).map_err(|e| (Stage::Clone, e))?;
    let cloned = clone(&stack, &shared);
    let restored = signal::mask(libc::SIG_SETMASK, &old);
    let (pid, pidfd) = cloned.map_err(|e| (Stage::Clone, e))?;
    restored.map_err(|e| (Stage::Clone, e))?;
    let error = shared.error.load(Ordering::SeqCst);
    if error == 0 {
        return Ok((pid, pidfd));
    }
    reap(pid);
    let stage = shared.stage.load(Ordering::SeqCst);
    let stage = STAGES
        .into_iter()
        .find(|s| *s as i32 == stage)
        .unwrap_or(Stage::Exec);
    Err((stage, io::Error::from_raw_os_error(error)))
}

fn clone(stack: &Stack, shared: &Shared<'_>) -> io::Result<(i32, OwnedFd)> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let mut pidfd: c_int = -1;
    let arg = std::ptr::from_ref(shared).cast_mut().cast::<c_void>();
    // SAFETY: `child` runs on `stack`, which is mapped until after the parent resumes (CLONE_VFORK); it only reads
    // `shared` and writes its atomics. The kernel writes the pidfd where the parent-tid argument points.
    let pid = check(unsafe { libc::clone(child, stack.top(), flags, arg, &raw mut pidfd) }.into())?;
    // SAFETY: the kernel wrote a new descriptor there for the parent.
    Ok((pid as i32, unsafe { own(pidfd.into()) }))
}

fn reap(pid: i32) {
    let mut status = 0;
    loop {
        // SAFETY: writes one integer.
        let got = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        if got >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}

/// The child's side. Makes system calls only: no allocation, no lock, no panic.
extern "C" fn child(arg: *mut c_void) -> c_int {
    // SAFETY: `arg` is the parent's `Shared`, alive and untouched while the parent sleeps.
    let shared = unsafe { &*arg.cast::<Shared<'_>>() };
    for step in [
        enter_cgroups,
        enter_session,
        enter_directory,
        place_descriptors,
        exec,
    ] {
        if !step(shared) {
            break;
        }
    }
    // SAFETY: errno of the failed step; the location is this thread's, shared with the sleeping parent.
    let errno = unsafe { *libc::__errno_location() };
    shared
        .error
        .store(if errno == 0 { libc::EIO } else { errno }, Ordering::SeqCst);
    // SAFETY: does not return; runs no destructor of the parent's.
    unsafe { libc::_exit(127) }
}

fn enter_cgroups(shared: &Shared<'_>) -> bool {
    shared.stage.store(Stage::Cgroup as i32, Ordering::SeqCst);
    // "0" is the writer itself.
    // SAFETY: writes one byte of a constant.
    shared
        .plan
        .cgroups
        .iter()
        .all(|&fd| unsafe { libc::write(fd, c"0".as_ptr().cast(), 1) } == 1)
}

fn enter_session(shared: &Shared<'_>) -> bool {
    shared.stage.store(Stage::Session as i32, Ordering::SeqCst);
    // SAFETY: setsid(2), setpgid(2), tcsetpgrp(3), prctl(2), getppid(2) with integers.
    unsafe {
        if shared.plan.session && libc::setsid() < 0 {
            return false;
        }
        if shared.plan.group {
            if libc::setpgid(0, 0) < 0 {
                return false;
            }
            // Without a terminal there is no front.
            libc::tcsetpgrp(0, libc::getpid());
        }
        if shared.plan.death_signal != 0 {
            if libc::prctl(libc::PR_SET_PDEATHSIG, shared.plan.death_signal) < 0 {
                return false;
            }
            // The parent may have been killed before the line above.
            if libc::getppid() != shared.parent {
                *libc::__errno_location() = libc::ESRCH;
                return false;
            }
        }
    }
    true
}

fn enter_directory(shared: &Shared<'_>) -> bool {
    shared
        .stage
        .store(Stage::Directory as i32, Ordering::SeqCst);
    // SAFETY: a NUL-terminated string that outlives the call.
    shared
        .plan
        .directory
        .is_none_or(|path| unsafe { libc::chdir(path.as_ptr()) } == 0)
}

fn place_descriptors(shared: &Shared<'_>) -> bool {
    shared
        .stage
        .store(Stage::Descriptors as i32, Ordering::SeqCst);
    // SAFETY: close_range(2) with integers; closes nothing now.
    let marked = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    // dup2 clears close-on-exec of the target. No source is a target, so nothing is overwritten before it is used.
    // SAFETY: integers; this process has a descriptor table of its own.
    marked == 0
        && shared
            .plan
            .moves
            .iter()
            .all(|&(from, to)| unsafe { libc::dup2(from, to) } == to)
}

fn exec(shared: &Shared<'_>) -> bool {
    shared.stage.store(Stage::Exec as i32, Ordering::SeqCst);
    let (argv, envp) = (shared.argv.as_ptr(), shared.envp.as_ptr());
    // Dispositions first: once signals are let through, a handler of the parent's must not run here. exec itself would
    // keep ignored ones ignored.
    for number in 1..=64 {
        // KILL and STOP can't be changed.
        drop(signal::set_disposition(number, false));
    }
    let none = signal::Set::empty();
    // SAFETY: reads one set; the strings and the null-terminated arrays live until the parent resumes, after exec.
    unsafe {
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none.0, std::ptr::null_mut());
        *libc::__errno_location() = 0;
        match shared.plan.program {
            Program::Path(path) => {
                libc::execve(path.as_ptr(), argv, envp);
            }
            Program::Fd(fd) => {
                let flags = libc::AT_EMPTY_PATH;
                libc::syscall(libc::SYS_execveat, fd, c"".as_ptr(), argv, envp, flags);
            }
        }
    }
    false
}

/// Memory for the child to run on, with an unmapped page below.
struct Stack(*mut c_void);

impl Stack {
    const SIZE: usize = 64 * 1024;
    const GUARD: usize = 4096;

    fn new() -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice.
        let base =
            unsafe { libc::mmap(std::ptr::null_mut(), Self::SIZE, protection, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let stack = Self(base);
        // SAFETY: the first page of the mapping just made, which nobody uses.
        check(unsafe { libc::mprotect(base, Self::GUARD, libc::PROT_NONE) }.into())?;
        Ok(stack)
    }

    fn top(&self) -> *mut c_void {
        // SAFETY: one past the end of the mapping; page-aligned, so 16-byte aligned as the ABI wants.
        unsafe { self.0.byte_add(Self::SIZE) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`; no child runs on it any more.
        unsafe { libc::munmap(self.0, Self::SIZE) };
    }
}
