//! The default filter of system calls, as Docker has it since August 2026.
//!
//! It names what is allowed; the rest is EPERM. Notable by their absence: io_uring, keyctl, userfaultfd, AF_ALG
//! (CVE-2026-31431) and AF_VSOCK, and everything that makes or enters namespaces without CAP_SYS_ADMIN.

use crate::runtime::{Action, Arch, Arg, Operator, Seccomp, Syscall};

/// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET.
const CLONE_NAMESPACES: u64 = 0x7e02_0000;
const ENOSYS: u32 = 38;
const EPERM: u32 = 1;

/// Allowed to everybody, whatever the arguments.
const ALWAYS: &str = "\
accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 \
clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 \
clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 \
epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old \
eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate \
fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync \
fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync \
ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat \
getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups \
getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid \
getresgid32 getresuid getresuid32 getrlimit get_robust_list getrusage getsid getsockname getsockopt \
get_thread_area gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init \
inotify_init1 inotify_rm_watch io_cancel ioctl io_destroy io_getevents io_pgetevents \
io_pgetevents_time64 ioprio_get ioprio_set io_setup io_submit ipc kill landlock_add_rule \
landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount \
listxattr listxattrat llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 madvise \
map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 \
mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 \
mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock \
munlockall munmap name_to_handle_at nanosleep newfstatat _newselect open openat openat2 pause pidfd_open \
pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 \
preadv preadv2 prlimit64 process_mrelease pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read \
readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages \
removexattr removexattrat rename renameat renameat2 restart_syscall riscv_hwprobe rmdir rseq \
rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait \
rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity sched_getattr sched_getparam \
sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval \
sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler \
sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64 \
sendmmsg sendmsg sendto setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 \
setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid \
setreuid32 setrlimit set_robust_list setsid setsockopt set_thread_area set_tid_address setuid setuid32 \
setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask \
sigreturn socketcall socketpair splice stat stat64 statfs statfs64 statmount statx symlink symlinkat \
sync sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun \
timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime \
timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask \
uname unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid \
waitpid write writev";

/// Allowed since Linux 4.8, where ptrace no longer goes round a filter; older kernels aren't supported.
const TRACING: &str = "process_vm_readv process_vm_writev ptrace";

/// Allowed to those that have one capability.
const BY_CAPABILITY: &[(&str, &str)] = &[
    ("CAP_BPF", "bpf"),
    ("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
    ("CAP_PERFMON", "perf_event_open"),
    (
        "CAP_SYS_ADMIN",
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr \
         lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl \
         quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare",
    ),
    ("CAP_SYS_BOOT", "reboot"),
    ("CAP_SYS_CHROOT", "chroot"),
    ("CAP_SYS_MODULE", "delete_module init_module finit_module"),
    (
        "CAP_SYS_NICE",
        "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    ),
    ("CAP_SYS_PACCT", "acct"),
    ("CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise"),
    ("CAP_SYS_RAWIO", "iopl ioperm"),
    (
        "CAP_SYS_TIME",
        "settimeofday stime clock_settime clock_settime64",
    ),
    ("CAP_SYS_TTY_CONFIG", "vhangup"),
    ("CAP_SYSLOG", "syslog"),
];

/// The values that personality(2) takes: Linux, Linux with 32 bits, both without randomised addresses; and the query.
const PERSONALITIES: [u64; 5] = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// The default filter for a process with these capabilities, on the architecture of this build.
#[must_use]
pub fn seccomp<S: AsRef<str>>(capabilities: &[S]) -> Seccomp {
    seccomp_for(std::env::consts::ARCH, capabilities)
}

/// The default filter on the architecture that Rust calls `arch`.
#[must_use]
pub fn seccomp_for<S: AsRef<str>>(arch: &str, capabilities: &[S]) -> Seccomp {
    let has = |name: &str| capabilities.iter().any(|c| c.as_ref() == name);
    let mut syscalls = vec![allow(ALWAYS), allow(TRACING)];
    // Three rules with one condition each: "not 38 and not 40" in one rule would compare one argument twice, which
    // older libraries took for an error, and a pair of allowing and refusing rules depends on their order.
    for (value, op) in [
        (38, Operator::Less),
        (39, Operator::Equal),
        (40, Operator::Greater),
    ] {
        syscalls.push(allow_if("socket", 0, value, op));
    }
    for value in PERSONALITIES {
        syscalls.push(allow_if("personality", 0, value, Operator::Equal));
    }
    if let Some(names) = by_arch(arch) {
        syscalls.push(allow(names));
    }
    for (capability, names) in BY_CAPABILITY {
        if has(capability) {
            syscalls.push(allow(names));
        }
    }
    if !has("CAP_SYS_ADMIN") {
        // s390 has the flags second.
        let flags = u32::from(arch == "s390x");
        syscalls.push(allow_if(
            "clone",
            flags,
            CLONE_NAMESPACES,
            Operator::MaskedEqual,
        ));
        // Its flags are in memory, where a filter can't look: the C library falls back to clone.
        syscalls.push(Syscall {
            errno_ret: Some(ENOSYS),
            action: Action::Errno,
            ..allow("clone3")
        });
    }
    Seccomp {
        default_action: Action::Errno,
        default_errno_ret: Some(EPERM),
        architectures: architectures(arch),
        flags: Vec::new(),
        listener_path: String::new(),
        listener_metadata: String::new(),
        syscalls,
    }
}

fn allow(names: &str) -> Syscall {
    Syscall {
        names: names.split_ascii_whitespace().map(str::to_owned).collect(),
        action: Action::Allow,
        errno_ret: None,
        args: Vec::new(),
    }
}

fn allow_if(name: &str, index: u32, value: u64, op: Operator) -> Syscall {
    let arg = Arg {
        index,
        value,
        value_two: 0,
        op,
    };
    Syscall {
        args: vec![arg],
        ..allow(name)
    }
}

fn by_arch(arch: &str) -> Option<&'static str> {
    Some(match arch {
        "x86_64" => "arch_prctl modify_ldt",
        "x86" => "modify_ldt",
        "arm" | "aarch64" => {
            "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls"
        }
        "powerpc64" => "sync_file_range2 swapcontext",
        "s390x" => "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr",
        "riscv64" => "riscv_flush_icache",
        _ => return None,
    })
}

/// The architecture and those whose programs its kernel runs too.
fn architectures(arch: &str) -> Vec<Arch> {
    match arch {
        "x86_64" => vec![Arch::X86_64, Arch::X86, Arch::X32],
        "x86" => vec![Arch::X86],
        "aarch64" => vec![Arch::Aarch64, Arch::Arm],
        "arm" => vec![Arch::Arm],
        "powerpc64" => vec![Arch::Ppc64le],
        "riscv64" => vec![Arch::Riscv64],
        "loongarch64" => vec![Arch::Loongarch64],
        "s390x" => vec![Arch::S390x, Arch::S390],
        _ => Vec::new(),
    }
}
