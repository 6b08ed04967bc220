//! Our own client against our own server: with tokens, mounts, ranges, and an upload that goes on after the server was cut off.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use registry::Credentials;
use registry::Kind;
use registry::client::{
    Access as Right, Client, Download, Mounts, Patience, Progress, Pushed, Repository,
    Settings as ClientSettings, Source, Target, Uploads,
};
use registry::server::{Access, Rule, Settings};
use spec::image::{Descriptor, media};
use spec::{Digest, Reference};

use super::place::{Place, image_of, settings};

struct Content(Vec<u8>);

impl Source for Content {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.0[usize::try_from(offset).unwrap().min(self.0.len())..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

#[derive(Default)]
struct Memory(Mutex<Option<String>>);

impl Uploads for Memory {
    fn load(&self) -> Option<String> {
        self.0.lock().unwrap().clone()
    }

    fn save(&self, place: Option<&str>) {
        *self.0.lock().unwrap() = place.map(str::to_owned);
    }
}

struct Received(Mutex<Vec<u8>>);

impl Target for Received {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        self.0.lock().unwrap()[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

struct Silent;

impl Progress for Silent {
    fn reached(&self, _offset: u64) {}
    fn received(&self, _bytes: u64) {}
}

fn repository(place: &Place, name: &str, credentials: &Credentials, right: Right) -> Repository {
    let reference = Reference::parse(&format!("{}/{name}", place.address)).unwrap();
    let client = Client::new(ClientSettings {
        patience: Patience {
            pause: Duration::from_millis(1),
            ..Patience::default()
        },
        ..ClientSettings::default()
    });
    client.repository(&reference, credentials, right).unwrap()
}

async fn push(repository: &Repository, content: &[u8], mounts: &[String]) -> Pushed {
    let blob = Descriptor::new("a/b", Digest::of(content), content.len() as u64);
    let sent = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&sent);
    let memory = Memory::default();
    let pushed = repository.push_blob(
        &blob,
        Arc::new(Content(content.to_vec())),
        Mounts(mounts),
        &memory,
        Arc::new(move |bytes| told.store(bytes, Ordering::Relaxed)),
    );
    Box::pin(pushed).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_and_pulls_with_a_token() {
    let users = tempfile::NamedTempFile::new().unwrap();
    let line = format!("alice:{}\n", bcrypt::hash("secret", 4).unwrap());
    io::Write::write_all(&mut users.as_file(), line.as_bytes()).unwrap();
    let rules = vec![Rule::users(), Rule::anonymous_pull()];
    let access = Access::users(users.path().to_owned(), rules).unwrap();
    let settings = Settings {
        access: Arc::new(access),
        ..settings()
    };
    for place in [
        Place::memory(settings.clone()).await,
        Place::directory(settings).await,
    ] {
        Box::pin(story(&place)).await;
        place.end();
    }
}

async fn story(place: &Place) {
    let alice = Credentials::Basic {
        username: "alice".to_owned(),
        password: "secret".to_owned(),
    };
    let into = repository(place, "team/app", &alice, Right::Push);
    // In one request, in a stream, and once more.
    let (small, large) = (
        b"small".to_vec(),
        (0..=255).cycle().take(20 << 20).collect::<Vec<u8>>(),
    );
    assert_eq!(push(&into, &small, &[]).await, Pushed::Uploaded);
    assert_eq!(push(&into, &large, &[]).await, Pushed::Uploaded);
    assert_eq!(push(&into, &large, &[]).await, Pushed::Exists);
    let (config, layer) = (Digest::of(&small), Digest::of(&large));
    let manifest = image_of(&config, small.len(), &layer, large.len());
    into.put_manifest("v1", media::OCI_MANIFEST, manifest.clone().into())
        .await
        .unwrap();
    let other = repository(place, "team/other", &alice, Right::Push);
    let from = ["team/app".to_owned()];
    let mounted = push(&other, &large, &from).await;
    assert!(
        matches!(mounted, Pushed::Mounted(_) | Pushed::Uploaded),
        "{mounted:?}"
    );
    // Anybody pulls, in ranges; nobody else pushes.
    let anybody = repository(place, "team/app", &Credentials::Anonymous, Right::Pull);
    let fetched = anybody.manifest("v1").await.unwrap();
    assert_eq!(
        (fetched.digest, &fetched.bytes[..]),
        (Digest::of(&manifest), manifest.as_bytes())
    );
    let blob = Descriptor::new("a/b", layer, large.len() as u64);
    let target = Received(Mutex::new(vec![0; large.len()]));
    let download = Download {
        blob: &blob,
        from: 0,
    };
    let downloaded = anybody.download(download, &target, &Silent);
    Box::pin(downloaded).await.unwrap();
    assert!(*target.0.lock().unwrap() == large);
    assert_eq!(anybody.tags().await.unwrap(), ["v1"]);
    let nobody = repository(place, "team/app", &Credentials::Anonymous, Right::Push);
    let refused = nobody
        .put_manifest("v2", media::OCI_MANIFEST, manifest.into())
        .await;
    assert!(matches!(
        refused.unwrap_err().kind,
        Kind::Unauthorized | Kind::Denied
    ));
    let wrong = Credentials::Basic {
        username: "alice".to_owned(),
        password: "wrong".to_owned(),
    };
    let refused = repository(place, "team/app", &wrong, Right::Pull)
        .manifest("v1")
        .await;
    // What anybody may read needs no password, so a wrong one may not be asked for.
    assert!(refused.is_ok() || refused.unwrap_err().kind == Kind::Unauthorized);
    let taking = repository(place, "team/app", &alice, Right::Delete);
    taking.delete_manifest("v1").await.unwrap();
    assert_eq!(
        anybody.manifest("v1").await.unwrap_err().kind,
        Kind::NotFound
    );
}
