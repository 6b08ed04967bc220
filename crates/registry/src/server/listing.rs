//! Lists: of repositories, of tags, of what refers to a manifest; page by page.

use http::{HeaderName, Response, StatusCode, header};
use serde_json::json;
use spec::Digest;
use spec::image::{Descriptor, media};

use super::Server;
use super::access::{Action, Caller};
use super::blob::finish;
use super::body::Body;
use super::catalogue::{self, Repository};
use super::name::Name;
use super::range;
use super::refusal::Refusal;
use super::route::Query;

const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");
/// The most names on a page of a list, whatever is asked for (CVE-2023-2253).
const PAGE: usize = 1000;
/// Tags of a repository, if no number is asked for: many clients know no pages.
const TAGS: usize = 10_000;
/// Bytes of a page of referrers: they fill a manifest's limit (distribution-spec, "Listing Referrers").
const REFERRERS: usize = 4 << 20;

impl Server {
    /// The repositories that the caller may read.
    pub(super) async fn list_repositories(
        &self,
        caller: &Caller,
        query: &Query,
    ) -> Result<Response<Body>, Refusal> {
        let most = number(query)?.unwrap_or(PAGE).min(PAGE);
        let mut after = query.get("last").unwrap_or_default().to_owned();
        let mut found: Vec<Name> = Vec::new();
        let records = &*self.storage().records;
        // One more than is shown tells whether there are more.
        while found.len() <= most && most > 0 {
            let page = catalogue::catalog(records, &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.to_string();
            let end = page.len() < PAGE;
            // A token for the whole list was given for no repository: the rules decide.
            let visible = |name: &Name| self.access().allows(caller, name, Action::Pull);
            found.extend(page.into_iter().filter(visible));
            if end {
                break;
            }
        }
        let more = found.len() > most;
        found.truncate(most);
        let names: Vec<&str> = found.iter().map(Name::as_str).collect();
        let link = match names.last() {
            Some(last) if more => Some(format!("/v2/_catalog?last={last}&n={most}")),
            _ => None,
        };
        Ok(page(json!({ "repositories": names }).to_string(), link))
    }

    pub(super) async fn list_tags(
        &self,
        name: &Name,
        query: &Query,
    ) -> Result<Response<Body>, Refusal> {
        let most = number(query)?.map_or(TAGS, |n| n.min(TAGS));
        let repository = Repository::new(&*self.storage().records, name);
        if !repository.exists().await? {
            return Err(Refusal::name_unknown(name.as_str()));
        }
        let after = query.get("last").unwrap_or_default();
        let mut tags = match most {
            0 => Vec::new(),
            most => repository.tags(after, most + 1).await?,
        };
        let more = tags.len() > most;
        tags.truncate(most);
        let link = match tags.last() {
            Some(last) if more => Some(format!("/v2/{name}/tags/list?last={last}&n={most}")),
            _ => None,
        };
        let list = json!({ "name": name.as_str(), "tags": tags });
        Ok(page(list.to_string(), link))
    }

    pub(super) async fn list_referrers(
        &self,
        name: &Name,
        subject: &Digest,
        query: &Query,
    ) -> Result<Response<Body>, Refusal> {
        let wanted = query.get("artifactType").filter(|text| !text.is_empty());
        let mut after = query.get("last").unwrap_or_default().to_owned();
        let repository = Repository::new(&*self.storage().records, name);
        let mut found = Filled::default();
        let more = loop {
            let page = repository.referrers(subject, &after, PAGE).await?;
            let end = page.len() < PAGE;
            let full = page.into_iter().find_map(|descriptor| {
                let digest = descriptor.digest;
                let fits = wanted.is_none_or(|w| descriptor.artifact_type.as_deref() == Some(w));
                if fits && !found.add(descriptor) {
                    return Some(());
                }
                after = digest.to_string();
                None
            });
            if full.is_some() || end {
                break full.is_some();
            }
        };
        let link = more.then(|| {
            let filter = wanted.map(|w| format!("&artifactType={}", encode(w)));
            let filter = filter.unwrap_or_default();
            format!("/v2/{name}/referrers/{subject}?last={after}{filter}")
        });
        let found = found.descriptors;
        let index = json!({
            "schemaVersion": 2,
            "mediaType": media::OCI_INDEX,
            "manifests": found,
        });
        let mut response = page(index.to_string(), link);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            http::HeaderValue::from_static(media::OCI_INDEX),
        );
        if wanted.is_some() {
            headers.insert(FILTERS, http::HeaderValue::from_static("artifactType"));
        }
        Ok(response)
    }
}

/// Descriptors for a page.
#[derive(Default)]
struct Filled {
    descriptors: Vec<Descriptor>,
    size: usize,
}

impl Filled {
    /// Takes one more, if there is room; there is for the first.
    fn add(&mut self, descriptor: Descriptor) -> bool {
        self.size += serde_json::to_vec(&descriptor).map_or(0, |text| text.len() + 1);
        let fits = self.size <= REFERRERS || self.descriptors.is_empty();
        if fits {
            self.descriptors.push(descriptor);
        }
        fits
    }
}

/// The number of names asked for.
fn number(query: &Query) -> Result<Option<usize>, Refusal> {
    let Some(text) = query.get("n") else {
        return Ok(None);
    };
    let invalid = || {
        let status = StatusCode::BAD_REQUEST;
        let why = "invalid number of results requested";
        Refusal::new(status, "PAGINATION_NUMBER_INVALID", why).detail(json!({ "n": text }))
    };
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid());
    }
    // What is too large for a number is too many in any case.
    let n = range::number(text).unwrap_or(u64::MAX);
    Ok(Some(usize::try_from(n).unwrap_or(usize::MAX)))
}

fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    let one = |b: u8| match plain(b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    };
    text.bytes().map(one).collect()
}

fn page(text: String, link: Option<String>) -> Response<Body> {
    let mut response = Response::builder()
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(header::CONTENT_LENGTH, text.len());
    if let Some(link) = link {
        response = response.header(header::LINK, format!("<{link}>; rel=\"next\""));
    }
    finish(response, Body::text(text))
}
