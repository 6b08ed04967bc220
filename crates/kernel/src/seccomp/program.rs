//! A classic BPF program, written from its end, so that every jump's distance is known when it is written.

use rustix::io::Errno;

use crate::{Error, Result};

/// One instruction, with the layout of `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// The operation.
    pub code: u16,
    /// How many instructions to skip if a comparison holds.
    pub jt: u8,
    /// How many if it does not.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

/// BPF_LD | BPF_W | BPF_ABS: a word of `struct seccomp_data`.
pub(crate) const LOAD: u16 = 0x20;
/// BPF_ALU | BPF_AND | BPF_K.
pub(crate) const AND: u16 = 0x54;
/// BPF_JMP | BPF_JA.
pub(crate) const JUMP: u16 = 0x05;
/// BPF_JMP | BPF_JEQ | BPF_K.
pub(crate) const IF_EQUAL: u16 = 0x15;
/// BPF_JMP | BPF_JGT | BPF_K.
pub(crate) const IF_GREATER: u16 = 0x25;
/// BPF_JMP | BPF_JGE | BPF_K.
pub(crate) const IF_GREATER_OR_EQUAL: u16 = 0x35;
/// BPF_RET | BPF_K.
pub(crate) const RETURN: u16 = 0x06;

/// BPF_MAXINSNS.
const MAX_LENGTH: usize = 4096;

/// A place in the program: how many instructions are behind it, itself counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(usize);

/// The program, last instruction first.
#[derive(Debug, Default)]
pub(super) struct Program {
    reversed: Vec<Instruction>,
    /// The nearest return of each verdict.
    returns: Vec<(u32, Label)>,
}

impl Program {
    fn push(&mut self, code: u16, k: u32) -> Label {
        self.reversed.push(Instruction {
            code,
            jt: 0,
            jf: 0,
            k,
        });
        Label(self.reversed.len())
    }

    /// Before what was written last: `load` of a word, or `and`.
    pub(super) fn before(&mut self, code: u16, k: u32) -> Label {
        self.push(code, k)
    }

    /// A return of `verdict` that a comparison written now can reach.
    pub(super) fn verdict(&mut self, verdict: u32) -> Label {
        let known = self.returns.iter().position(|(known, _)| *known == verdict);
        if let Some(index) = known {
            let label = self.returns[index].1;
            // Some room, for what is written before the jump to it is.
            if self.reversed.len() - label.0 < 200 {
                return label;
            }
            let label = self.push(RETURN, verdict);
            self.returns[index].1 = label;
            return label;
        }
        let label = self.push(RETURN, verdict);
        self.returns.push((verdict, label));
        label
    }

    /// Compares the accumulator with `k`, and goes to `yes` or `no`.
    pub(super) fn branch(&mut self, code: u16, k: u32, yes: Label, no: Label) -> Label {
        if yes == no {
            // Nothing to decide; what is written next falls through to it, or jumps.
            return self.reach(yes, 0);
        }
        // A jump written for the second may push the first one further by one.
        let yes = self.reach(yes, 254);
        let no = self.reach(no, 255);
        let (jt, jf) = (self.distance(yes), self.distance(no));
        let narrow = |distance: usize| u8::try_from(distance).unwrap_or(u8::MAX);
        self.reversed.push(Instruction {
            code,
            jt: narrow(jt),
            jf: narrow(jf),
            k,
        });
        Label(self.reversed.len())
    }

    /// A place at most `limit` instructions from the next one written that leads to `label`.
    pub(super) fn reach(&mut self, label: Label, limit: usize) -> Label {
        let distance = self.distance(label);
        if distance <= limit {
            return label;
        }
        self.push(JUMP, u32::try_from(distance).unwrap_or(u32::MAX))
    }

    /// How many instructions one written now would have to skip.
    fn distance(&self, label: Label) -> usize {
        self.reversed.len() - label.0
    }

    /// The program, which begins with what was written last.
    pub(super) fn finish(mut self) -> Result<Vec<Instruction>> {
        if self.reversed.len() > MAX_LENGTH {
            let subject = format!("seccomp profile of {} instructions", self.reversed.len());
            return Err(Error::new("compile", subject, Errno::TOOBIG));
        }
        self.reversed.reverse();
        Ok(self.reversed)
    }
}
