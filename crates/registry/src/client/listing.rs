//! Lists: tags, repositories, referrers.

use std::collections::BTreeSet;

use http::Method;
use http::header::{ACCEPT, LINK};
use serde::Deserialize;
use spec::Digest;
use spec::image::{Descriptor, Document, Index, MAX_DOCUMENT, media};

use super::remote::{Ask, Remote, To, collect, header_text, resolve};
use super::token::encode;
use super::{Client, Repository};
use crate::credential::Credentials;
use crate::error::{Error, Kind, Result};

/// A list is followed for so many pages and entries; then something is wrong with it (security.md, D17).
const MAX_PAGES: usize = 1000;
const MAX_ENTRIES: usize = 200_000;

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Catalog {
    #[serde(default)]
    repositories: Option<Vec<String>>,
}

impl Repository {
    /// All its tags, in the registry's order.
    ///
    /// # Errors
    /// [`Kind::NotFound`], or the list is endless.
    pub async fn tags(&self) -> Result<Vec<String>> {
        let path = format!("/{}/tags/list?n=1000", self.name);
        let read = |bytes: &[u8]| {
            let page: Tags = serde_json::from_slice(bytes)?;
            Ok(page.tags.unwrap_or_default())
        };
        pages(self.main(), path, read).await
    }

    /// What refers to a manifest: signatures, inventories. A registry that doesn't know this is asked for the tag that stands for it
    /// (distribution-spec, "Referrers Tag Schema").
    ///
    /// # Errors
    /// The registry can't be asked, or the list is endless.
    pub async fn referrers(
        &self,
        digest: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>> {
        let filter = artifact_type
            .map(|kind| format!("?{}", encode(&[("artifactType", kind)])))
            .unwrap_or_default();
        let path = format!("/{}/referrers/{digest}{filter}", self.name);
        let read = |bytes: &[u8]| Ok(serde_json::from_slice::<Index>(bytes)?.manifests);
        let found = match pages(self.main(), path, read).await {
            Ok(found) => found,
            Err(error)
                if matches!(
                    error.kind,
                    Kind::NotFound | Kind::Unsupported | Kind::Invalid
                ) =>
            {
                self.referrers_by_tag(digest).await?
            }
            Err(error) => return Err(error),
        };
        // Not every registry filters.
        let fits =
            |d: &Descriptor| artifact_type.is_none_or(|k| d.artifact_type.as_deref() == Some(k));
        Ok(found.into_iter().filter(fits).collect())
    }

    async fn referrers_by_tag(&self, digest: &Digest) -> Result<Vec<Descriptor>> {
        let fetched = match self.manifest(&fallback_tag(digest)).await {
            Ok(fetched) => fetched,
            Err(error) if error.kind == Kind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        match Document::parse(&fetched.bytes, None) {
            Ok(Document::Index(index)) => Ok(index.manifests),
            _ => Ok(Vec::new()),
        }
    }

    /// Enters a manifest into the tag that stands for the referrers of its subject, at registries that do not do it themselves.
    ///
    /// # Errors
    /// The registry can't be asked.
    pub async fn add_referrer_tag(&self, subject: &Digest, entry: Descriptor) -> Result<()> {
        let mut manifests = self.referrers_by_tag(subject).await?;
        if manifests.iter().any(|d| d.digest == entry.digest) {
            return Ok(());
        }
        manifests.push(entry);
        let index = Index {
            schema_version: 2,
            media_type: Some(media::OCI_INDEX.to_owned()),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: None,
        };
        let bytes = serde_json::to_vec(&index)
            .map_err(|e| Error::system("write", "the list of referrers", e))?;
        let tag = fallback_tag(subject);
        self.put_manifest(&tag, media::OCI_INDEX, bytes.into())
            .await
            .map(drop)
    }
}

impl Client {
    /// The repositories of a registry, as far as it tells.
    ///
    /// # Errors
    /// It can't be asked, or does not tell.
    pub async fn catalog(&self, registry: &str, credentials: &Credentials) -> Result<Vec<String>> {
        let remote = self.root(registry, credentials)?;
        remote.also("registry:catalog:*".to_owned()).await;
        let read = |bytes: &[u8]| {
            let page: Catalog = serde_json::from_slice(bytes)?;
            Ok(page.repositories.unwrap_or_default())
        };
        pages(&remote, "/_catalog?n=1000".to_owned(), read).await
    }
}

fn fallback_tag(digest: &Digest) -> String {
    format!("{}-{}", digest.algorithm().name(), digest.hex())
}

/// Reads a list page by page (RFC 8288's `next`).
async fn pages<T>(
    remote: &Remote,
    first: String,
    read: impl Fn(&[u8]) -> serde_json::Result<Vec<T>>,
) -> Result<Vec<T>> {
    let mut to = To::Path(first.clone());
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for _ in 0..MAX_PAGES {
        let response = remote
            .send(|| {
                Ask {
                    to: to.clone(),
                    ..Ask::new(Method::GET, "")
                }
                .header(
                    ACCEPT,
                    "application/json, application/vnd.oci.image.index.v1+json",
                )
            })
            .await?;
        let next = match header_text(response.headers(), LINK).and_then(next_page) {
            None => None,
            Some(link) => {
                let base = remote.own_base(&to).await?;
                let uri = resolve(&base, link).filter(|uri| uri.authority() == base.authority());
                let why = || {
                    Error::new(
                        Kind::Forbidden,
                        "list",
                        &first,
                        "the next page is elsewhere",
                    )
                };
                Some(uri.ok_or_else(why)?)
            }
        };
        let limit = usize::try_from(MAX_DOCUMENT).unwrap_or(usize::MAX);
        let bytes = collect(response.into_body(), limit, remote.patience().idle, &first).await?;
        let items = read(&bytes).map_err(|e| Error::caused(Kind::Invalid, "list", &first, e))?;
        all.extend(items);
        match next {
            None => return Ok(all),
            Some(uri) if all.len() <= MAX_ENTRIES && seen.insert(uri.to_string()) => {
                to = To::Address(uri);
            }
            Some(_) => break,
        }
    }
    Err(Error::new(
        Kind::Limit,
        "list",
        first,
        "the list does not end",
    ))
}

/// The target of `<…>; rel="next"`.
fn next_page(link: &str) -> Option<&str> {
    link.split(',').find_map(|part| {
        let (target, rest) = part.trim().strip_prefix('<')?.split_once('>')?;
        let next = rest.split(';').any(|p| {
            let p = p.trim();
            p.eq_ignore_ascii_case("rel=\"next\"") || p.eq_ignore_ascii_case("rel=next")
        });
        next.then_some(target)
    })
}
