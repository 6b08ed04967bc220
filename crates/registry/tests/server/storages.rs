//! Every storage behaves alike.

use bytes::Bytes;
use registry::Kind;
use registry::server::storage::{Content, Existing, Pieces, Storage};
use spec::{Algorithm, Digest, Hasher};

use super::place::Place;

pub(crate) fn pieces(list: Vec<std::io::Result<&'static [u8]>>) -> Pieces {
    let list = list.into_iter().map(|p| p.map(Bytes::from_static));
    Box::pin(futures_util::stream::iter(list.collect::<Vec<_>>()))
}

async fn read(storage: &Storage, digest: &Digest, range: std::ops::Range<u64>) -> Vec<u8> {
    use futures_util::StreamExt as _;
    use std::os::unix::fs::FileExt as _;
    match storage.blobs.read(digest, range.clone()).await.unwrap() {
        Content::Bytes(bytes) => bytes.to_vec(),
        Content::File(file) => {
            let mut out = vec![0; usize::try_from(range.end - range.start).unwrap()];
            file.read_exact_at(&mut out, range.start).unwrap();
            out
        }
        Content::Pieces(mut pieces) => {
            let mut out = Vec::new();
            while let Some(piece) = pieces.next().await {
                out.extend_from_slice(&piece.unwrap());
            }
            out
        }
    }
}

/// What must hold for any storage.
pub(crate) async fn conform(storage: &Storage) {
    records(storage).await;
    blobs(storage).await;
    broken_uploads(storage).await;
    names(storage).await;
}

async fn records(storage: &Storage) {
    let records = &storage.records;
    assert_eq!(records.get("a/b").await.unwrap(), None);
    assert!(
        records
            .put("a/b", "1".into(), Existing::Keep)
            .await
            .unwrap()
    );
    assert!(
        !records
            .put("a/b", "2".into(), Existing::Keep)
            .await
            .unwrap()
    );
    assert_eq!(records.get("a/b").await.unwrap().unwrap(), "1");
    assert!(
        records
            .put("a/b", "3".into(), Existing::Replace)
            .await
            .unwrap()
    );
    assert_eq!(records.get("a/b").await.unwrap().unwrap(), "3");
    assert_eq!(records.get("a/b/c").await.unwrap(), None);
    assert!(records.remove("a/b").await.unwrap());
    assert!(!records.remove("a/b").await.unwrap());
    assert!(
        records
            .put("a/b", Bytes::new(), Existing::Keep)
            .await
            .unwrap()
    );
    assert_eq!(records.get("a/b").await.unwrap().unwrap(), "");
    assert!(records.remove("a/b").await.unwrap());
}

async fn names(storage: &Storage) {
    let records = &storage.records;
    for key in ["n/x/1", "n/x-y/2", "n/x/3", "n/x.y/4", "n/w", "nn/x"] {
        records
            .put(key, "v".into(), Existing::Replace)
            .await
            .unwrap();
    }
    assert_eq!(
        records.names("n", "", 9).await.unwrap(),
        ["w", "x", "x-y", "x.y"]
    );
    assert_eq!(records.names("n", "w", 2).await.unwrap(), ["x", "x-y"]);
    assert_eq!(records.names("n", "x-", 9).await.unwrap(), ["x-y", "x.y"]);
    assert_eq!(records.names("n", "z", 9).await.unwrap(), [""; 0]);
    assert_eq!(records.names("n/x", "", 9).await.unwrap(), ["1", "3"]);
    assert_eq!(records.names("none", "", 9).await.unwrap(), [""; 0]);
    for key in ["n/x/1", "n/x-y/2", "n/x/3", "n/x.y/4", "n/w", "nn/x"] {
        assert!(records.remove(key).await.unwrap(), "{key}");
    }
    assert_eq!(records.names("n", "", 9).await.unwrap(), [""; 0]);
}

async fn blobs(storage: &Storage) {
    let digest = Digest::of("hello world");
    let (id, other) = ("0123456789abcdef0123456789abcdef", "f".repeat(32));
    assert!(storage.blobs.look(&digest).await.unwrap().is_none());
    assert!(!storage.blobs.touch(&digest).await.unwrap());
    storage.uploads.begin(id, "me").await.unwrap();
    let upload = storage.uploads.look(id).await.unwrap().unwrap();
    assert_eq!((upload.owner.as_str(), upload.size), ("me", 0));
    let first = storage
        .uploads
        .append(id, 0, pieces(vec![Ok(b"hel"), Ok(b""), Ok(b"lo ")]));
    assert_eq!(first.await.unwrap(), 6);
    let wrong = storage.uploads.append(id, 5, pieces(vec![Ok(b"x")])).await;
    assert_eq!(wrong.unwrap_err().kind, Kind::Conflict);
    assert_eq!(
        storage
            .uploads
            .append(id, 6, pieces(vec![Ok(b"world")]))
            .await
            .unwrap(),
        11
    );
    assert_eq!(storage.uploads.list().await.unwrap(), [id]);
    assert_eq!(storage.uploads.finish(id, &digest).await.unwrap(), 11);
    assert!(storage.uploads.look(id).await.unwrap().is_none());
    assert!(!storage.uploads.cancel(id).await.unwrap());
    let gone = storage.uploads.append(id, 11, pieces(vec![Ok(b"x")])).await;
    assert_eq!(gone.unwrap_err().kind, Kind::NotFound);
    assert_eq!(
        storage.uploads.finish(id, &digest).await.unwrap_err().kind,
        Kind::NotFound
    );
    let blob = storage.blobs.look(&digest).await.unwrap().unwrap();
    assert_eq!(blob.size, 11);
    assert!(storage.blobs.touch(&digest).await.unwrap());
    assert_eq!(read(storage, &digest, 0..11).await, b"hello world");
    assert_eq!(read(storage, &digest, 4..7).await, b"o w");
    // Once more, by another algorithm too.
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(b"hello world");
        let digest = hasher.finish();
        storage.uploads.begin(&other, "").await.unwrap();
        let all = storage
            .uploads
            .append(&other, 0, pieces(vec![Ok(b"hello world")]));
        assert_eq!(all.await.unwrap(), 11);
        assert_eq!(storage.uploads.finish(&other, &digest).await.unwrap(), 11);
        assert_eq!(read(storage, &digest, 6..11).await, b"world");
    }
    let listed = storage.blobs.list().await.unwrap();
    assert_eq!(listed.len(), 2);
    for digest in listed {
        assert!(storage.blobs.remove(&digest).await.unwrap());
        assert!(!storage.blobs.remove(&digest).await.unwrap());
        assert!(storage.blobs.look(&digest).await.unwrap().is_none());
    }
}

async fn broken_uploads(storage: &Storage) {
    let id = "a".repeat(32);
    storage.uploads.begin(&id, "me").await.unwrap();
    let cut = Err(std::io::ErrorKind::ConnectionReset.into());
    let broken = storage
        .uploads
        .append(&id, 0, pieces(vec![Ok(b"abc"), cut]))
        .await;
    assert_eq!(broken.unwrap_err().kind, Kind::Unavailable);
    let size = storage.uploads.look(&id).await.unwrap().unwrap().size;
    assert_eq!(size, 3, "what came before stays");
    assert_eq!(
        storage
            .uploads
            .append(&id, 3, pieces(vec![Ok(b"def")]))
            .await
            .unwrap(),
        6
    );
    let wrong = Digest::of("something else");
    assert_eq!(
        storage.uploads.finish(&id, &wrong).await.unwrap_err().kind,
        Kind::Invalid
    );
    assert!(storage.uploads.cancel(&id).await.unwrap());
    assert_eq!(storage.uploads.list().await.unwrap(), [""; 0]);
    // Empty.
    storage.uploads.begin(&id, "me").await.unwrap();
    let nothing = Digest::of("");
    assert_eq!(storage.uploads.finish(&id, &nothing).await.unwrap(), 0);
    assert_eq!(read(storage, &nothing, 0..0).await, b"");
    assert!(storage.blobs.remove(&nothing).await.unwrap());
}

#[tokio::test]
async fn conformance() {
    for place in Place::each().await {
        conform(&place.storage).await;
        place.end();
    }
}
