//! Names for containers that were given none.

use spec::ContainerId;

use crate::error::Result;

const QUALITIES: [&str; 64] = [
    "able", "airy", "amber", "apt", "bold", "brave", "brisk", "calm", "clear", "clever", "cool",
    "cosy", "crisp", "daring", "deft", "eager", "early", "easy", "fair", "fast", "fine", "fond",
    "frank", "free", "fresh", "gentle", "glad", "golden", "good", "grand", "green", "happy",
    "hardy", "honest", "jolly", "keen", "kind", "light", "lively", "loyal", "lucid", "lucky",
    "merry", "mild", "neat", "nimble", "noble", "open", "patient", "plain", "proud", "quick",
    "quiet", "rapid", "ready", "serene", "sharp", "silent", "simple", "smart", "sound", "steady",
    "swift", "warm",
];
const THINGS: [&str; 64] = [
    "acorn", "anchor", "apple", "badger", "barge", "basin", "beacon", "birch", "bison", "brook",
    "cairn", "canal", "cedar", "clover", "comet", "coral", "crane", "delta", "dune", "eagle",
    "ember", "falcon", "fern", "finch", "fjord", "forest", "fox", "gale", "garnet", "glacier",
    "grove", "gull", "harbor", "hazel", "heron", "island", "ivy", "jasper", "kestrel", "lagoon",
    "lark", "lemon", "lynx", "maple", "meadow", "moss", "oak", "onyx", "otter", "owl", "pebble",
    "pine", "plum", "quartz", "raven", "reed", "ridge", "robin", "spruce", "stone", "tern",
    "thistle", "tulip", "willow",
];

/// A name made of random bytes; with `number` when others are taken.
pub(crate) fn make_up(random: [u8; 2], number: Option<u8>) -> String {
    let pick = |words: &[&'static str; 64], byte: u8| words[usize::from(byte % 64)];
    let name = format!(
        "{}_{}",
        pick(&QUALITIES, random[0]),
        pick(&THINGS, random[1])
    );
    match number {
        None => name,
        Some(number) => format!("{name}{number}"),
    }
}

/// A name that nobody has, by `taken`.
pub(crate) fn free(mut taken: impl FnMut(&str) -> Result<bool>) -> Result<String> {
    for attempt in 0_u8..=255 {
        let name = make_up(
            kernel::random::bytes()?,
            (attempt > 8).then_some(attempt % 10),
        );
        if !taken(&name)? {
            return Ok(name);
        }
    }
    // All are taken: one that can't be.
    kernel::random::hex::<8>().map_err(Into::into)
}

/// A name for the container `id` that only its id could make up.
pub(crate) fn unlikely(id: &ContainerId) -> String {
    let bytes = id.to_string();
    let byte = |at: usize| bytes.as_bytes().get(at).copied().unwrap_or_default();
    format!("{}_{}", make_up([byte(0), byte(1)], None), &bytes[..12])
}

#[cfg(test)]
mod tests;
