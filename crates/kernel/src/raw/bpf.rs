//! bpf(2): programs for the devices of a cgroup (Linux 4.15), and the few instructions that they need.

use super::{AsRawFd, BorrowedFd, OwnedFd, check, io, own};

/// `struct bpf_insn`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u8,
    /// Destination in the low, source in the high four bits.
    pub(crate) registers: u8,
    pub(crate) offset: i16,
    pub(crate) immediate: i32,
}

const fn instruction(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction {
        code,
        registers: to | from << 4,
        offset,
        immediate,
    }
}

/// `to = *(u32 *)(from + offset)`
pub(crate) const fn load_word(to: u8, from: u8, offset: i16) -> Instruction {
    instruction(0x61, to, from, offset, 0)
}

/// `register &= value`, 32 bits wide
pub(crate) const fn and(register: u8, value: i32) -> Instruction {
    instruction(0x54, register, 0, 0, value)
}

/// `register >>= bits`, 32 bits wide
pub(crate) const fn shift_right(register: u8, bits: i32) -> Instruction {
    instruction(0x74, register, 0, 0, bits)
}

/// `to = from`, 32 bits wide
pub(crate) const fn copy(to: u8, from: u8) -> Instruction {
    instruction(0xbc, to, from, 0, 0)
}

/// `to = from`, 64 bits wide: for a pointer
pub(crate) const fn copy_pointer(to: u8, from: u8) -> Instruction {
    instruction(0xbf, to, from, 0, 0)
}

/// `r0 = ` the byte of the packet at `offset` (BPF_LD | BPF_ABS | BPF_B); r6 must point to the packet
pub(crate) const fn load_packet_byte(offset: i32) -> Instruction {
    instruction(0x30, 0, 0, 0, offset)
}

/// `register = value`
pub(crate) const fn set(register: u8, value: i32) -> Instruction {
    instruction(0xb7, register, 0, 0, value)
}

/// `if register != value goto …`; the caller sets the offset. 64 bits wide with a sign-extended value: numbers of devices are far below 2^31.
pub(crate) const fn jump_if_not_equal(register: u8, value: i32) -> Instruction {
    instruction(0x55, register, 0, 0, value)
}

/// `if register == value goto …`
pub(crate) const fn jump_if_equal(register: u8, value: i32) -> Instruction {
    instruction(0x15, register, 0, 0, value)
}

/// `if a != b goto …`
pub(crate) const fn jump_if_registers_differ(a: u8, b: u8) -> Instruction {
    instruction(0x5d, a, b, 0, 0)
}

/// `return r0`
pub(crate) const fn exit() -> Instruction {
    instruction(0x95, 0, 0, 0, 0)
}

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_ATTACH: libc::c_int = 8;
const BPF_PROG_DETACH: libc::c_int = 9;
const BPF_PROG_GET_FD_BY_ID: libc::c_int = 13;
const BPF_PROG_QUERY: libc::c_int = 16;
const BPF_PROG_TYPE_SCHED_CLS: u32 = 3;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;
const BPF_F_REPLACE: u32 = 4;

/// bpf(2) with `attr` as the union's member of the command.
fn bpf<T>(command: libc::c_int, attr: &mut T) -> io::Result<libc::c_long> {
    let attr = std::ptr::from_mut(attr);
    // SAFETY: the kernel reads and writes `size_of::<T>()` bytes at `attr`, and what its pointers point to, for which the callers keep it alive.
    check(unsafe { libc::syscall(libc::SYS_bpf, command, attr, size_of::<T>()) })
}

#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

/// BPF_PROG_LOAD of a program about the devices of a cgroup.
pub(crate) fn load_device_program(instructions: &[Instruction]) -> io::Result<OwnedFd> {
    load(BPF_PROG_TYPE_CGROUP_DEVICE, instructions)
}

/// BPF_PROG_LOAD of a program about packets.
pub(crate) fn load_packet_program(instructions: &[Instruction]) -> io::Result<OwnedFd> {
    load(BPF_PROG_TYPE_SCHED_CLS, instructions)
}

fn load(kind: u32, instructions: &[Instruction]) -> io::Result<OwnedFd> {
    let mut attr = Load {
        kind,
        count: instructions.len() as u32,
        instructions: instructions.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        ..Load::default()
    };
    let fd = bpf(BPF_PROG_LOAD, &mut attr)?;
    // SAFETY: the kernel just made it.
    Ok(unsafe { own(fd) })
}

#[repr(C)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
    replaced: u32,
}

/// BPF_PROG_ATTACH beside others, or in place of one.
pub(crate) fn attach_device_program(
    cgroup: BorrowedFd<'_>,
    program: &OwnedFd,
    replaced: Option<&OwnedFd>,
) -> io::Result<()> {
    let mut attr = Attach {
        target: cgroup.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        kind: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI | if replaced.is_some() { BPF_F_REPLACE } else { 0 },
        replaced: replaced.map_or(0, |fd| fd.as_raw_fd() as u32),
    };
    bpf(BPF_PROG_ATTACH, &mut attr).map(drop)
}

/// BPF_PROG_DETACH.
pub(crate) fn detach_device_program(cgroup: BorrowedFd<'_>, program: &OwnedFd) -> io::Result<()> {
    let mut attr = Attach {
        target: cgroup.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        kind: BPF_CGROUP_DEVICE,
        flags: 0,
        replaced: 0,
    };
    bpf(BPF_PROG_DETACH, &mut attr).map(drop)
}

#[repr(C)]
struct Query {
    target: u32,
    kind: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    padding: u32,
}

/// BPF_PROG_QUERY: the numbers of the programs on this very group. The kernel allows 64.
pub(crate) fn attached_device_programs(cgroup: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    let mut ids = vec![0_u32; 64];
    let mut attr = Query {
        target: cgroup.as_raw_fd() as u32,
        kind: BPF_CGROUP_DEVICE,
        query_flags: 0,
        attach_flags: 0,
        ids: ids.as_mut_ptr() as u64,
        count: ids.len() as u32,
        padding: 0,
    };
    bpf(BPF_PROG_QUERY, &mut attr)?;
    ids.truncate(attr.count as usize);
    Ok(ids)
}

#[repr(C)]
struct ById {
    id: u32,
    next: u32,
    flags: u32,
}

/// BPF_PROG_GET_FD_BY_ID.
pub(crate) fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    let fd = bpf(
        BPF_PROG_GET_FD_BY_ID,
        &mut ById {
            id,
            next: 0,
            flags: 0,
        },
    )?;
    // SAFETY: the kernel just made it.
    Ok(unsafe { own(fd) })
}
