//! Where it is looked: at a running process by its metrics, or at a deployment's directory.

use super::{model::BLOCKS_MAX, scrape, snapshot::Snapshot};
use crate::{args::TopArgs, error::CliError, status::Reader};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use ureq::Agent;

/// How long a process may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// A scrape of the most shards that there can be is some 2 MB.
const SCRAPE_BYTES_MAX: u64 = 16 << 20;

/// Where it is looked.
pub(crate) struct Source {
    begun: Instant,
    kind: Kind,
}

enum Kind {
    Url(Agent, String),
    Dir(Box<Reader>),
}

impl Source {
    pub(crate) fn open(args: &TopArgs) -> Result<Self, CliError> {
        let text = args.source.to_string_lossy();
        let kind = if text.contains("://") {
            let config = Agent::config_builder().timeout_global(Some(PATIENCE)).build();
            Kind::Url(Agent::new_with_config(config), metrics_url(&text)?)
        } else {
            let dir = Path::new(&args.source);
            if !dir.is_dir() {
                let is_address = text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
                let hint =
                    if is_address { format!("; for a URL, write http://{text}") } else { String::new() };
                return Err(CliError::NoDirectory { path: dir.to_owned(), hint });
            }
            let reader = Reader::open(
                dir,
                #[cfg(feature = "ethereum")]
                &args.contract,
            )?;
            Kind::Dir(Box::new(reader))
        };
        Ok(Self { begun: Instant::now(), kind })
    }

    pub(crate) fn look(&self) -> Result<Snapshot, CliError> {
        let found = match &self.kind {
            Kind::Url(agent, url) => scrape(agent, url)?,
            Kind::Dir(reader) => Snapshot::of_report(&reader.look(BLOCKS_MAX as u64)?),
        };
        Ok(Snapshot { at: self.begun.elapsed().as_secs_f64(), ..found })
    }
}

/// Prometheus' usual path, where none is given.
fn metrics_url(text: &str) -> Result<String, CliError> {
    let wrong = || CliError::Scrape {
        url: text.to_owned(),
        what: "expected a URL like http://127.0.0.1:9100".into(),
    };
    let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
    if !matches!(scheme, "http" | "https") || rest.is_empty() {
        return Err(wrong());
    }
    let has_path = rest.split_once('/').is_some_and(|(_, path)| !path.is_empty());
    Ok(if has_path { text.to_owned() } else { format!("{}/metrics", text.trim_end_matches('/')) })
}

fn scrape(agent: &Agent, url: &str) -> Result<Snapshot, CliError> {
    let failed = |what: String| CliError::Scrape { url: url.to_owned(), what };
    let mut response = agent.get(url).call().map_err(|error| failed(error.to_string()))?;
    let body = response.body_mut().with_config().limit(SCRAPE_BYTES_MAX).read_to_string();
    let text = body.map_err(|error| failed(error.to_string()))?;
    let not_ours = |what: String| failed(format!("these are not the metrics of `arterial run`: {what}"));
    let samples = scrape::samples(&text).map_err(|line| not_ours(format!("there is {line:?}")))?;
    Snapshot::of_samples(&samples).ok_or_else(|| not_ours("no block is spoken of".into()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_url_without_a_path_is_that_of_the_metrics() {
        for (text, url) in [
            ("http://127.0.0.1:9100", "http://127.0.0.1:9100/metrics"),
            ("http://[::1]:9100/", "http://[::1]:9100/metrics"),
            ("https://host/ward/metrics", "https://host/ward/metrics"),
        ] {
            assert_eq!(super::metrics_url(text).unwrap(), url);
        }
        for text in ["ftp://host", "http://", "://x"] {
            assert!(super::metrics_url(text).is_err(), "{text}");
        }
    }
}
