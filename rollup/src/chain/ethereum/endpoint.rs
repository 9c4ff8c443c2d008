//! Where a node answers.

use core::{fmt, str::FromStr};
use ureq::http::Uri;

/// The address of a node's JSON-RPC, or of a remote signer: `http://` or `https://`.
///
/// Providers put API keys into the path, and passwords stand before the host: what is shown has neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Uri);

/// Why a text is not an [`Endpoint`]. The text itself is not in it, because it may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an endpoint is http:// or https://, a host, and where needed a port and a path")]
pub struct EndpointError;

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let uri: Uri = text.parse().map_err(|_| EndpointError)?;
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        (known && uri.host().is_some_and(|host| !host.is_empty())).then_some(Self(uri)).ok_or(EndpointError)
    }
}

impl Endpoint {
    pub(super) const fn uri(&self) -> &Uri {
        &self.0
    }

    /// A path behind it; what stands in its own path and query stays.
    pub(super) fn join(&self, path: &str) -> Result<Uri, ureq::http::Error> {
        let Self(uri) = self;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let queries = [uri.query().unwrap_or(""), query];
        let query = queries.into_iter().filter(|query| !query.is_empty()).collect::<Vec<_>>().join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        let whole = format!("{}{path}{mark}{query}", uri.path().trim_end_matches('/'));
        let parts = uri.clone().into_parts();
        let mut builder = Uri::builder().path_and_query(whole);
        if let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) {
            builder = builder.scheme(scheme).authority(authority);
        }
        builder.build()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(uri) = self;
        write!(f, "{}://{}", uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default())?;
        uri.port_u16().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_holds_no_secret() {
        let endpoint: Endpoint = "https://user:hunter2@node.example:8545/v3/c0ffee?key=beef".parse().unwrap();
        assert_eq!(endpoint.to_string(), "https://node.example:8545");
        assert_eq!(format!("{endpoint:?}"), "https://node.example:8545");
        assert_eq!(endpoint.uri().path(), "/v3/c0ffee");
        let joined = endpoint.join("/eth/v1/x?y=z").unwrap().to_string();
        assert_eq!(joined, "https://user:hunter2@node.example:8545/v3/c0ffee/eth/v1/x?key=beef&y=z");
        let plain: Endpoint = "http://node.example".parse().unwrap();
        assert_eq!(plain.join("/eth/v1/x").unwrap().to_string(), "http://node.example/eth/v1/x");
        for text in [
            "",
            "node.example",
            "ftp://node.example",
            "http://",
            "https:///path",
            "unix:/run/node",
            "http://a b",
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(EndpointError), "{text}");
        }
    }
}
