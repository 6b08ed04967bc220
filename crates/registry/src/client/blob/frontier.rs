//! Segments of a blob that arrive at the same time, and up to where all is there.

use std::sync::{Mutex, PoisonError};

/// A part of a blob: `at..end` is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    number: usize,
    pub(super) at: u64,
    pub(super) end: u64,
}

/// How far all segments are.
#[derive(Debug)]
pub(super) struct Frontier {
    segments: Mutex<Vec<Segment>>,
    from: u64,
    size: u64,
}

impl Frontier {
    /// Cuts `from..size` into segments, unless that is not worth it.
    pub(super) fn new(from: u64, size: u64, segment: u64, small: u64) -> Self {
        let mut segments = Vec::new();
        let mut at = from;
        while at < size {
            let end = if size - from < small {
                size
            } else {
                size.min(at + segment)
            };
            segments.push(Segment {
                number: segments.len(),
                at,
                end,
            });
            at = end;
        }
        Self {
            segments: Mutex::new(segments),
            from,
            size,
        }
    }

    pub(super) fn segments(&self) -> Vec<Segment> {
        self.lock().clone()
    }

    /// Makes one segment of all.
    pub(super) fn join(&self) -> Segment {
        let whole = Segment {
            number: 0,
            at: self.from,
            end: self.size,
        };
        *self.lock() = vec![whole];
        whole
    }

    /// Notes how far a segment is. Gives the end of what is there without a gap, if that has moved.
    pub(super) fn advance(&self, segment: &Segment) -> Option<u64> {
        let mut segments = self.lock();
        segments[segment.number].at = segment.at;
        let complete = |s: &&Segment| s.at == s.end;
        // Only who is at the front moves it.
        let mut before = segments[..segment.number].iter();
        if !before.all(|s| s.at == s.end) {
            return None;
        }
        let rest = &segments[segment.number..];
        let done = rest.iter().take_while(complete).count();
        Some(rest.get(done).map_or(self.size, |s| s.at))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Segment>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_moves_without_gaps() {
        let frontier = Frontier::new(5, 25, 8, 10);
        let mut parts = frontier.segments();
        assert_eq!(
            parts.iter().map(|s| (s.at, s.end)).collect::<Vec<_>>(),
            [(5, 13), (13, 21), (21, 25)]
        );
        parts[1].at = 21;
        assert_eq!(frontier.advance(&parts[1]), None);
        parts[0].at = 9;
        assert_eq!(frontier.advance(&parts[0]), Some(9));
        parts[0].at = 13;
        assert_eq!(frontier.advance(&parts[0]), Some(21));
        parts[2].at = 25;
        assert_eq!(frontier.advance(&parts[2]), Some(25));
        assert_eq!(Frontier::new(0, 9, 8, 10).segments().len(), 1);
        let mut whole = frontier.join();
        whole.at = 7;
        assert_eq!(frontier.advance(&whole), Some(7));
    }
}
