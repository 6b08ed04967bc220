//! The pieces of an upload, read from their names.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use spec::{Algorithm, Hasher};

use super::Piece;
use crate::server::storage::bucket::Object;

/// What an upload has: pieces in order, and the hasher after each.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain(Vec<Link>);

#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) piece: Piece,
    pub(super) at: u64,
    pub(super) hasher: Hasher,
}

impl Chain {
    /// Puts together what was listed: from each end the longest piece that begins there. Others are what was written again in a longer
    /// one, or by two at a time; then the digest tells.
    pub(super) fn read(listed: &[Object]) -> Self {
        let mut links: Vec<Link> = listed.iter().filter_map(|o| Link::read(&o.key)).collect();
        links.sort_by_key(|link| (link.at, std::cmp::Reverse(link.piece.size)));
        let mut chain = Vec::new();
        let mut at = 0;
        for link in links {
            if link.at == at && link.piece.size > 0 {
                at += link.piece.size;
                chain.push(link);
            }
        }
        Self(chain)
    }

    pub(super) fn size(&self) -> u64 {
        self.0.last().map_or(0, |last| last.at + last.piece.size)
    }

    /// The hasher of all of it.
    pub(super) fn hasher(&self) -> Hasher {
        self.0
            .last()
            .map_or_else(Hasher::sha256, |last| last.hasher.clone())
    }

    pub(super) fn last(&self) -> Option<&Link> {
        self.0.last()
    }

    /// Without the last piece.
    pub(super) fn shorter(mut self) -> Self {
        self.0.pop();
        self
    }

    pub(super) fn into_pieces(self) -> Vec<Piece> {
        self.0.into_iter().map(|link| link.piece).collect()
    }
}

impl Link {
    /// The key of a piece of an upload that begins at `at`, after which the hasher stands so.
    pub(super) fn key(id: &str, at: u64, size: u64, hasher: &Hasher) -> String {
        let state = URL_SAFE_NO_PAD.encode(hasher.save());
        format!("data/{id}/{at:016x}.{size:x}.{state}")
    }

    fn read(key: &str) -> Option<Self> {
        let mut words = key.rsplit('/').next()?.split('.');
        let number = |word: &str| u64::from_str_radix(word, 16).ok();
        let (at, size) = (number(words.next()?)?, number(words.next()?)?);
        let state = URL_SAFE_NO_PAD.decode(words.next()?).ok()?;
        Some(Self {
            piece: Piece {
                key: key.to_owned(),
                size,
            },
            at,
            hasher: Hasher::restore(Algorithm::Sha256, &state)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(at: u64, size: u64) -> Object {
        let key = Link::key("id", at, size, &Hasher::sha256());
        Object {
            key,
            size,
            modified: 0,
        }
    }

    #[test]
    fn the_longest_pieces_that_fit() {
        let listed = [
            object(0, 5),
            object(5, 2),
            object(5, 4),
            object(7, 1),
            object(9, 1),
            object(20, 5),
        ];
        let chain = Chain::read(&listed);
        assert_eq!(chain.size(), 10);
        let sizes: Vec<u64> = chain.clone().into_pieces().iter().map(|p| p.size).collect();
        assert_eq!(sizes, [5, 4, 1]);
        assert_eq!(chain.shorter().size(), 9);
        assert_eq!(Chain::read(&[]).size(), 0);
        let strange = Object {
            key: "data/id/x.y.z".to_owned(),
            size: 1,
            modified: 0,
        };
        assert_eq!(Chain::read(&[strange]).size(), 0);
    }

    #[test]
    fn a_hasher_goes_on_by_the_name() {
        let mut hasher = Hasher::sha256();
        hasher.update(b"hello ");
        let link = Link::read(&Link::key("id", 0, 6, &hasher)).unwrap();
        let mut hasher = link.hasher;
        hasher.update(b"world");
        assert_eq!(hasher.finish(), spec::Digest::of("hello world"));
    }
}
